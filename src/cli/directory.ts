/** Which data directory a command works on, and what can be wrong with it. */
import { DirectoryBusy, DirectoryRefused, LogFull, LogStopped, NewerFormat } from "../log/mod.ts";
import { codeOf, type Files, isNoSpace, join } from "../os/world.ts";
import { loadConfiguration } from "./configuration.ts";
import { CommandError, type ExitCode, exitCodes } from "./exit.ts";
import { printable } from "./printable.ts";
import type { Terminal } from "./terminal.ts";
import { inOurWords } from "./unwritable.ts";

export interface DirectoryRequest {
  /** The configuration file, for who names no directory. */
  readonly config?: string;
  readonly json?: boolean;
}

/** The directory named, else the configured one. */
export async function dataDirectory(
  terminal: Terminal,
  named: string | undefined,
  { config }: DirectoryRequest,
): Promise<string> {
  if (named !== undefined) return named.replace(/(?<=.)\/+$/, "");
  const loaded = await loadConfiguration(terminal, { ...(config !== undefined && { path: config }), flags: {} });
  return loaded.config.data;
}

/** Carries out `act` with the directory, and turns what can be wrong with it into an exit code and a sentence. */
export async function withDirectory<T>(files: Files, dir: string, act: () => T | Promise<T>): Promise<T> {
  try {
    if (!files.exists(join(dir, "log"))) {
      throw new CommandError(
        exitCodes.usage,
        `Cannot look at "${printable(dir)}": there is no log in it; name the data directory of a node`,
      );
    }
    return await act();
  } catch (problem) {
    throw explained(problem, dir);
  }
}

export function explained(problem: unknown, dir: string): unknown {
  const code = exitCodeOf(problem);
  if (code === undefined) return problem;
  const text = inOurWords(problem);
  const known = codeOf(problem) === "" || text.startsWith("Cannot ");
  return new CommandError(code, printable(known ? text : `Cannot work on "${dir}": ${text}`), { cause: problem });
}

function exitCodeOf(problem: unknown): ExitCode | undefined {
  const code = codeOf(problem);
  if (problem instanceof DirectoryBusy) return exitCodes.locked;
  if (problem instanceof DirectoryRefused || problem instanceof NewerFormat) return exitCodes.badData;
  if (problem instanceof LogFull || isNoSpace(problem)) return exitCodes.diskFull;
  if (problem instanceof LogStopped || code === "EIO") return exitCodes.logStopped;
  if (code === "EACCES" || code === "EPERM") return exitCodes.permission;
  if (["EROFS", "ENOTDIR", "EEXIST", "ENOENT", "EISDIR"].includes(code)) return exitCodes.notWritable;
  return undefined;
}

/** "in use by process 12 on host" or "not in use". */
export function useOf(holder: string | undefined): string {
  return holder === undefined ? "not in use" : `in use by ${holder}: read up to the durable mark`;
}
