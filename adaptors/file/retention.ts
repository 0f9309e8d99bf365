/** Removing finished files that are too old or too much. Only names that the template makes are ever removed. */
import { codeOf, type Files, join } from "../../src/os/world.ts";
import { hourMs } from "./path.ts";

export interface Limits {
  /** Ms; 0 keeps them for ever. */
  readonly keepMs: number;
  /** 0 keeps any amount. */
  readonly keepBytes: number;
}
/** A finished file. */
export interface Finished {
  readonly name: string;
  readonly position: string;
  readonly bytes: number;
  /** When its hour or day was over, ms; undefined when its name does not say. */
  readonly end: number | undefined;
}

/** The oldest that must go so that the rest is within the limits; age goes by the time in the name. */
export function excess(finished: readonly Finished[], now: number, { keepMs, keepBytes }: Limits): Finished[] {
  const isOld = ({ end }: Finished) => keepMs > 0 && end !== undefined && now - end > keepMs;
  const byAge = finished.toSorted((a, b) => a.position < b.position ? -1 : 1);
  let left = byAge.reduce((sum, { bytes }) => sum + bytes, 0);
  return byAge.filter((file) => {
    const goes = isOld(file) || (keepBytes > 0 && left > keepBytes);
    if (goes) left -= file.bytes;
    return goes;
  });
}

/** What a path says of a finished file; undefined if the template did not make it. */
export function readName(name: string, matcher: RegExp): Omit<Finished, "bytes"> | undefined {
  const found = matcher.exec(name)?.groups;
  if (!found) return undefined;
  const { position, date, hour } = found;
  const start = date === undefined ? NaN : Date.parse(`${date}T${hour ?? "00"}:00:00Z`);
  const end = Number.isNaN(start) ? undefined : start + (hour === undefined ? 24 : 1) * hourMs;
  return { name, position: position!, end };
}

/** Paths of all files exactly `depth` directories below `dir`, without `dir`. */
export function namesBelow(files: Files, dir: string, depth: number, under = ""): string[] {
  return listed(files, under === "" ? dir : join(dir, under)).flatMap((name) => {
    const path = under === "" ? name : join(under, name);
    return depth === 0 ? [path] : namesBelow(files, dir, depth - 1, path);
  });
}

function listed(files: Files, path: string): string[] {
  try {
    return files.list(path);
  } catch (problem) {
    if (["ENOENT", "ENOTDIR"].includes(codeOf(problem))) return [];
    throw problem;
  }
}

export class Retention {
  readonly #files: Files;
  readonly #dir: string;
  readonly #matcher: RegExp;
  readonly #depth: number;
  readonly #limits: Limits;
  #finished: Finished[] | undefined;

  constructor(files: Files, dir: string, names: { readonly matcher: RegExp; readonly depth: number }, limits: Limits) {
    this.#files = files;
    this.#dir = dir;
    this.#matcher = names.matcher;
    this.#depth = names.depth;
    this.#limits = limits;
  }
  /** A file has been finished. */
  add(name: string, bytes: number): void {
    const known = readName(name, this.#matcher);
    if (known) this.#finished?.push({ ...known, bytes });
  }
  /** Removes what must go; the directory itself is looked at only the first time. */
  sweep(now: number): void {
    this.#finished ??= this.#look();
    const going = new Set(excess(this.#finished, now, this.#limits));
    for (const { name } of going) this.#remove(name);
    this.#finished = this.#finished.filter((file) => !going.has(file));
  }
  #look(): Finished[] {
    return namesBelow(this.#files, this.#dir, this.#depth).flatMap((name) => {
      const known = readName(name, this.#matcher);
      return known ? [{ ...known, bytes: this.#size(name) }] : [];
    });
  }
  #size(name: string): number {
    const file = this.#files.open(join(this.#dir, name));
    try {
      return file.size();
    } finally {
      file.close();
    }
  }
  /** The file, and the directories that are empty without it. */
  #remove(name: string): void {
    removeIfThere(this.#files, join(this.#dir, name));
    const parts = name.split("/");
    for (let depth = parts.length - 1; depth > 0; depth--) {
      const path = join(this.#dir, ...parts.slice(0, depth));
      if (listed(this.#files, path).length > 0) return;
      removeIfThere(this.#files, path);
    }
  }
}

function removeIfThere(files: Files, path: string): void {
  try {
    files.remove(path);
  } catch (problem) {
    if (codeOf(problem) !== "ENOENT") throw problem;
  }
}
