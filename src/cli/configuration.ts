/** [shell] Finds the configuration file and reads the configuration for the commands that need it. */
import { adaptors } from "../../adaptors/mod.ts";
import type { Config } from "../config/keys.ts";
import type { Fields } from "../config/options.ts";
import type { ConfigFile } from "../config/document.ts";
import { emptied } from "../config/emptied.ts";
import { vanished } from "../config/vanished.ts";
import { type ConfigSources, kindsIn, type Origins, readConfig } from "../config/read.ts";
import type { AdaptorKind } from "../deliver/adaptor.ts";
import { codeOf } from "../os/world.ts";
import { CommandError, exitCodes } from "./exit.ts";
import { printable } from "./printable.ts";
import type { Terminal } from "./terminal.ts";

/** What the command line said. */
export interface ConfigurationRequest {
  readonly path?: string;
  /** By path of the key, e.g. "http.listen". */
  readonly flags: Readonly<Record<string, string | boolean>>;
}
export interface Configuration {
  readonly config: Config;
  readonly origins: Origins;
  /** Nothing when there is no file. */
  readonly path: string | undefined;
  /** The file and what lies beside it. */
  readonly files: readonly ConfigFile[];
  /** The directory beside the file; nothing when there is none. */
  readonly dir: string | undefined;
  /** The options of the kinds in use. */
  readonly kinds: Readonly<Record<string, Fields>>;
}

/** Throws a `CommandError` that names every problem. */
export async function loadConfiguration(terminal: Terminal, request: ConfigurationRequest): Promise<Configuration> {
  const file = findFile(terminal, request.path);
  const beside = file === undefined ? undefined : filesBeside(terminal, file);
  const files = file === undefined ? [] : [file, ...beside?.files ?? []];
  const { kinds, isBestEffort, problemOf } = await loadKinds(kindsIn(files));
  const { env, readFile } = terminal;
  const reading = readConfig({ files, env, readFile, flags: request.flags, kinds, isBestEffort, problemOf });
  if ("problems" in reading) throw new CommandError(exitCodes.configuration, reading.problems);
  return { ...reading, path: file?.name, files, dir: beside?.dir, kinds };
}

/**
 * Reads the configuration again, from where it was found `first`. It throws as `loadConfiguration`, also when a file has become
 * empty, or the directory beside it has gone with destinations.
 */
export function readingAgain(
  terminal: Terminal,
  request: ConfigurationRequest,
  first: Configuration,
): () => Promise<Config> {
  let last = first;
  return async () => {
    const next = await loadConfiguration(terminal, last.path === undefined ? request : { ...request, path: last.path });
    const gone = goneWith(last, next);
    const problems = [...emptied(next.files, last.files), ...gone === undefined ? [] : [gone]];
    if (problems.length > 0) throw new CommandError(exitCodes.configuration, problems);
    last = next;
    return next.config;
  };
}

function goneWith({ dir, files: before }: Configuration, next: Configuration): string | undefined {
  if (dir === undefined || next.dir !== undefined) return undefined;
  return vanished({ dir, before: before.slice(1), files: next.files });
}

/** Where a file is looked for when nobody names one. */
export const usualPlaces = { here: "./sparkngin.toml", system: "/etc/sparkngin/sparkngin.toml" };

function findFile(terminal: Terminal, named: string | undefined): ConfigFile | undefined {
  if (named !== undefined) return readNamed(terminal, named);
  const here = readIfThere(terminal, usualPlaces.here);
  if (here !== undefined) return here;
  const byEnvironment = terminal.env.SPARKNGIN_CONFIG;
  return byEnvironment ? readNamed(terminal, byEnvironment) : readIfThere(terminal, usualPlaces.system);
}

/** What stands in `conf.d/` beside the file, in the order of names: who installs something adds a file instead of changing one. */
function filesBeside(terminal: Terminal, { name }: ConfigFile): { dir: string; files: ConfigFile[] } | undefined {
  const dir = `${name.includes("/") ? name.slice(0, name.lastIndexOf("/") + 1) : ""}conf.d`;
  const names = listIfThere(terminal, dir)?.filter((one) => /^[^.].*\.toml$/.test(one)).sort();
  return names && { dir, files: names.map((one) => readNamed(terminal, `${dir}/${one}`)) };
}

function listIfThere(terminal: Terminal, dir: string): readonly string[] | undefined {
  try {
    return terminal.listDir(dir);
  } catch (problem) {
    if (["ENOENT", "ENOTDIR"].includes(codeOf(problem))) return undefined;
    throw cannotRead(dir, problem);
  }
}

function readNamed(terminal: Terminal, path: string): ConfigFile {
  const file = readIfThere(terminal, path);
  if (file === undefined) {
    throw new CommandError(
      exitCodes.configuration,
      `Cannot read ${path}: there is no such file; sparkngin init makes one`,
    );
  }
  return file;
}

function readIfThere(terminal: Terminal, path: string): ConfigFile | undefined {
  try {
    return { name: path.replace(/^\.\//, ""), text: terminal.readFile(path) };
  } catch (problem) {
    if (codeOf(problem) === "ENOENT") return undefined;
    throw cannotRead(path, problem);
  }
}

const reasons: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EPERM: "permission denied",
  EISDIR: "it is a directory",
  ENOENT: "there is no such file",
};

/** For whoever reads a file that the user has named. */
export function cannotRead(path: string, problem: unknown): CommandError {
  const code = codeOf(problem);
  const reason = reasons[code] ?? (problem as Error).message;
  const exit = ["EACCES", "EPERM"].includes(code) ? exitCodes.permission : exitCodes.configuration;
  return new CommandError(exit, printable(`Cannot read ${path}: ${reason}`), { cause: problem });
}

type Kinds = Required<Pick<ConfigSources, "kinds" | "isBestEffort" | "problemOf">>;

/** Every kind by name, but only those asked for with their options: the code of the others stays on the disk. */
async function loadKinds(used: readonly string[]): Promise<Kinds> {
  const kinds: Record<string, Fields> = {};
  const loaded = new Map<string, AdaptorKind<any>>();
  for (const [name, load] of Object.entries(adaptors)) {
    if (used.includes(name)) loaded.set(name, (await load()).default);
    kinds[name] = loaded.get(name)?.options ?? {};
  }
  return {
    kinds,
    isBestEffort: (kind, options) => loaded.get(kind)?.promise(options) === "best effort",
    problemOf: (kind, options) => loaded.get(kind)?.problem?.(options),
  };
}
