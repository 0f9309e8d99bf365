/** `sparkngin context …`: what its commands do. */
import { resolve } from "node:path";
import { type Files, makeDurableDir, parentOf, replaceFile } from "../os/world.ts";
import { inColumns } from "./columns.ts";
import {
  assertContextName,
  contextNames,
  contextPath,
  contextsDir,
  contextSettings,
  noContext,
  selectedContext,
  selectedPath,
} from "./context.ts";
import { contextFiles, contextKeys, type ContextSettings, problemOf } from "./context_keys.ts";
import { CommandError, type ExitCode, exitCodes } from "./exit.ts";
import { printable, printableJson } from "./printable.ts";
import { read } from "./send.ts";
import type { Terminal } from "./terminal.ts";
import { cannotWrite } from "./unwritable.ts";

export interface AddRequest {
  /** By option, as commander calls them. */
  readonly given: Readonly<Record<string, unknown>>;
  readonly replace?: boolean;
  readonly select?: boolean;
}

/** The option that sets a key: "--send-url". */
function flagOf(key: string): string {
  return `--${key.replaceAll("_", "-")}`;
}

/** One that cannot be read hides none of the others. */
export function listContexts(terminal: Terminal, { json }: { readonly json?: boolean }): ExitCode {
  const selected = selectedContext(terminal);
  const names = contextNames(terminal);
  let code: ExitCode = exitCodes.ok;
  const all = names.flatMap((name) => {
    try {
      const settings = contextSettings(terminal, name);
      return settings === undefined ? [] : [{ name, selected: name === selected, ...settings }];
    } catch (problem) {
      if (!(problem instanceof CommandError)) throw problem;
      code = problem.code;
      terminal.err(`${problem.message}; mend it, or forget it with sparkngin context rm ${name}\n`);
      return [];
    }
  });
  if (json) terminal.out(`${printableJson(JSON.stringify(all))}\n`);
  else if (names.length === 0) terminal.err("There are no contexts yet: sparkngin context add makes one.\n");
  else if (all.length > 0) {
    const rows = all.map((one) => [one.selected ? "*" : "", one.name, one.url ?? "-", one.send_url ?? "-"]);
    const lines = inColumns([["", "NAME", "URL", "SEND URL"], ...rows], 4);
    terminal.out(lines.map((line) => `${printable(line)}\n`).join(""));
  }
  return code;
}

export function addContext(terminal: Terminal, name: string, { given, replace, select }: AddRequest): ExitCode {
  const dir = dirIn(terminal);
  assertContextName(name);
  const settings = settingsOf(given);
  if (!replace && contextNames(terminal).includes(name)) {
    throw new CommandError(
      exitCodes.usage,
      `Cannot add the context "${name}": it is there already; --replace puts this one there`,
    );
  }
  const problem = problemOf(settings);
  if (problem !== undefined) throw new CommandError(exitCodes.usage, `Cannot add the context "${name}": ${problem}`);
  const text = Object.entries(settings).map(([key, value]) => `${key} = ${JSON.stringify(value)}\n`).join("");
  write(terminal, dir, (files) => {
    replaceFile(files, contextPath(dir, name), new TextEncoder().encode(text), "private");
    if (select) putSelected(files, dir, name);
  });
  terminal.err(select ? `Context "${name}" is kept and selected.\n` : `Context "${name}" is kept: --context ${name}\n`);
  return exitCodes.ok;
}

/** Without a name none is selected any more. */
export function selectContext(terminal: Terminal, name: string | undefined): ExitCode {
  const dir = dirIn(terminal);
  if (name !== undefined && contextSettings(terminal, name) === undefined) throw noContext(terminal, name);
  write(terminal, dir, (files) => putSelected(files, dir, name));
  terminal.err(name === undefined ? "No context is selected.\n" : `Context "${name}" is selected.\n`);
  return exitCodes.ok;
}

export function removeContext(terminal: Terminal, name: string): ExitCode {
  const dir = dirIn(terminal);
  assertContextName(name);
  if (!contextNames(terminal).includes(name)) throw noContext(terminal, name);
  const wasSelected = selectedContext(terminal) === name;
  write(terminal, dir, (files) => {
    if (wasSelected) putSelected(files, dir, undefined);
    files.remove(contextPath(dir, name));
    files.syncDir(dir);
  });
  terminal.err(`Context "${name}" is gone${wasSelected ? ", and none is selected" : ""}.\n`);
  return exitCodes.ok;
}

function settingsOf(given: AddRequest["given"]): ContextSettings {
  const settings: Record<string, string> = {};
  for (const [key, option] of Object.entries(contextKeys)) {
    const value = given[key.replaceAll(/_(.)/g, (_, letter) => letter.toUpperCase())];
    if (typeof value !== "string") continue;
    read(option, flagOf(key))(value);
    const isFile = contextFiles.some((one) => one === key);
    settings[key] = isFile ? resolve(value) : value;
  }
  return settings;
}

function putSelected(files: Files, dir: string, name: string | undefined): void {
  const path = selectedPath(dir);
  if (name !== undefined) replaceFile(files, path, new TextEncoder().encode(`${name}\n`), "private");
  else if (files.exists(path)) files.remove(path);
}

function dirIn(terminal: Terminal): string {
  const dir = contextsDir(terminal);
  if (dir !== undefined) return dir;
  throw new CommandError(exitCodes.notWritable, "Cannot keep contexts: neither HOME nor XDG_CONFIG_HOME is set");
}

function write(terminal: Terminal, dir: string, act: (files: Files) => void): void {
  const { files } = terminal.world("write");
  try {
    makeDurableDir(files, parentOf(dir));
    makeDurableDir(files, dir);
    act(files);
  } catch (problem) {
    throw cannotWrite(dir, problem, "write into");
  }
}
