/** A server by name: where it is, which key to show and whom to trust, a file each in a directory of the user's own. */
import { isAbsolute, resolve } from "node:path";
import { parse, TomlError } from "smol-toml";
import { codeOf } from "../os/world.ts";
import { contextFiles, contextKeys, type ContextSettings, problemOf } from "./context_keys.ts";
import { CommandError, exitCodes } from "./exit.ts";
import { printable } from "./printable.ts";
import type { Terminal } from "./terminal.ts";

/** A context that was chosen, with what its files hold. */
export interface Context {
  readonly name: string;
  readonly url: string | undefined;
  readonly sendUrl: string | undefined;
  readonly key: string | undefined;
  readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: string };
}

const suffix = ".toml";
/** Holds the name of the one that is used when none is named. */
const selectedFile = "selected";

/** Where they are; nothing for who has no home. */
export function contextsDir({ env }: Pick<Terminal, "env">): string | undefined {
  const above = env.XDG_CONFIG_HOME && isAbsolute(env.XDG_CONFIG_HOME)
    ? env.XDG_CONFIG_HOME
    : env.HOME && `${env.HOME}/.config`;
  return above ? `${above}/sparkngin/contexts` : undefined;
}

export function contextPath(dir: string, name: string): string {
  return `${dir}/${name}${suffix}`;
}
export function selectedPath(dir: string): string {
  return `${dir}/${selectedFile}`;
}

export function assertContextName(name: string): void {
  if (/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$/.test(name)) return;
  throw new CommandError(
    exitCodes.usage,
    `Cannot use the name "${
      printable(name)
    }": it has 1 to 64 letters, digits, dots, dashes and underscores, the first no dot`,
  );
}

/** By name. */
export function contextNames(terminal: Terminal): string[] {
  const dir = contextsDir(terminal);
  const found = dir === undefined ? [] : ifThere(dir, terminal.listDir) ?? [];
  return found.filter((name) => /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}\.toml$/.test(name))
    .map((name) => name.slice(0, -suffix.length)).sort();
}

export function selectedContext(terminal: Terminal): string | undefined {
  const dir = contextsDir(terminal);
  const name = dir && ifThere(selectedPath(dir), terminal.readFile)?.trim();
  return name || undefined;
}

/** What is written of it; nothing when it does not exist. */
export function contextSettings(terminal: Terminal, name: string): ContextSettings | undefined {
  assertContextName(name);
  const dir = contextsDir(terminal);
  const path = dir && contextPath(dir, name);
  const written = path && ifThere(path, terminal.readFile);
  return written === undefined ? undefined : settingsIn(written, path!);
}

/**
 * The one that a command uses: `named`, else the environment's, else the selected one, unless the environment says where the server
 * is: a key goes to nobody it was not kept for.
 */
export function chooseContext(terminal: Terminal, named: string | undefined): Context | undefined {
  const { env } = terminal;
  const wanted = named ?? (env.SPARKNGIN_CONTEXT || undefined);
  if (wanted === undefined && (env.SPARKNGIN_URL || env.SPARKNGIN_SEND_URL)) return undefined;
  const name = wanted ?? selectedContext(terminal);
  return name === undefined ? undefined : openContext(terminal, name);
}

function openContext(terminal: Terminal, name: string): Context {
  const settings = contextSettings(terminal, name);
  if (settings === undefined) throw noContext(terminal, name);
  const from = (key: (typeof contextFiles)[number]) => fileOf(terminal, name, settings[key]);
  const tls = { ca: from("tls_ca"), cert: from("tls_cert"), key: from("tls_key") };
  return {
    name,
    url: settings.url,
    sendUrl: settings.send_url,
    key: from("key_file")?.trim(),
    tls: Object.fromEntries(Object.entries(tls).filter(([, text]) => text !== undefined)),
  };
}

export function noContext(terminal: Terminal, name: string): CommandError {
  const names = contextNames(terminal);
  const known = names.length === 0 ? "there is none yet" : `there are ${names.join(", ")}`;
  return new CommandError(
    exitCodes.usage,
    printable(`Cannot use the context "${name}": ${known}; sparkngin context add ${name} --url URL makes it`),
  );
}

function fileOf(terminal: Terminal, name: string, written: string | undefined): string | undefined {
  if (written === undefined) return undefined;
  const path = resolve(contextsDir(terminal)!, written);
  try {
    return terminal.readFile(path);
  } catch (problem) {
    const code = codeOf(problem);
    if (code === "") throw problem;
    const reason = code === "ENOENT" ? "there is no such file" : "it cannot be read";
    const exit = code === "EACCES" ? exitCodes.permission : exitCodes.configuration;
    throw new CommandError(exit, printable(`Cannot use the context "${name}": ${path}: ${reason}`), { cause: problem });
  }
}

function settingsIn(written: string, path: string): ContextSettings {
  const settings: Record<string, unknown> = parsed(written, path);
  const wrong = (what: string) => new CommandError(exitCodes.configuration, printable(`Cannot read ${path}: ${what}`));
  for (const [key, value] of Object.entries(settings)) {
    const option = Object.hasOwn(contextKeys, key) ? contextKeys[key as keyof typeof contextKeys] : undefined;
    if (option === undefined) {
      throw wrong(`"${key}" is no key of a context; there are ${Object.keys(contextKeys).join(", ")}`);
    }
    try {
      option.read(value);
    } catch (problem) {
      if (!(problem instanceof TypeError)) throw problem;
      throw wrong(`"${key}" is wrong; expected ${problem.message}`);
    }
  }
  const problem = problemOf(settings as ContextSettings);
  if (problem !== undefined) throw wrong(problem);
  return settings as ContextSettings;
}

function parsed(written: string, path: string): Record<string, unknown> {
  try {
    return parse(written);
  } catch (problem) {
    if (!(problem instanceof TomlError)) throw problem;
    const reason = problem.message.split("\n", 1)[0]!.replace(/^Invalid TOML document: /, "");
    throw new CommandError(exitCodes.configuration, printable(`Cannot read ${path}: line ${problem.line}: ${reason}`));
  }
}

function ifThere<T>(path: string, read: (path: string) => T): T | undefined {
  try {
    return read(path);
  } catch (problem) {
    const code = codeOf(problem);
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    if (code === "") throw problem;
    const exit = code === "EACCES" || code === "EPERM" ? exitCodes.permission : exitCodes.configuration;
    const reason = unreadable[code] ?? `the system says ${code}`;
    throw new CommandError(exit, printable(`Cannot read ${path}: ${reason}`), { cause: problem });
  }
}

const rights = "permission denied: look at its owner and rights";
const unreadable: Readonly<Record<string, string>> = {
  EACCES: rights,
  EPERM: rights,
  EISDIR: "it is a directory",
  EIO: "the disk fails",
};
