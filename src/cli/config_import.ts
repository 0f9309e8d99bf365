/** `sparkngin config import`: what the nginx module of 2013 was told, as a configuration of ours. */
import { NginxProblem } from "../config/nginx.ts";
import { importNginx } from "../config/nginx_import.ts";
import { cannotRead } from "./configuration.ts";
import { CommandError, type ExitCode, exitCodes } from "./exit.ts";
import { printable } from "./printable.ts";
import type { Terminal } from "./terminal.ts";

/** The configuration goes to standard output; what is not in it, to standard error, and into its comments. */
export async function importConfig(terminal: Terminal, path: string): Promise<ExitCode> {
  const { toml, notes } = imported(path, readNginx(terminal, path));
  terminal.out(toml);
  for (const { line, text } of notes) terminal.err(`${printable(`${path}: line ${line}: ${text}`)}\n`);
  return exitCodes.ok;
}

function imported(path: string, text: string): ReturnType<typeof importNginx> {
  try {
    return importNginx(text, path);
  } catch (problem) {
    if (!(problem instanceof NginxProblem)) throw problem;
    const sentence = `Cannot import ${path}: line ${problem.line}: ${problem.message}`;
    throw new CommandError(exitCodes.badData, printable(sentence));
  }
}

function readNginx(terminal: Terminal, path: string): string {
  try {
    return terminal.readFile(path);
  } catch (problem) {
    throw cannotRead(path, problem);
  }
}
