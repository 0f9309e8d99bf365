/** Giving files their final names, durably; and what an earlier run left unfinished. */
import { type Files, join, type OpenFile } from "../../src/os/world.ts";
import { dirsOf, openName } from "./path.ts";

/** The files' content must be durable before. Returns the names they got. */
export function finishAll(files: Files, dir: string, names: readonly string[]): string[] {
  const dirs = new Set<string>();
  const got = names.map((name) => {
    const free = freeName(name, (other) => files.exists(join(dir, other)));
    files.rename(join(dir, openName(name)), join(dir, free));
    dirs.add(dirsOf(dir, name).at(-1)!);
    return free;
  });
  for (const changed of dirs) files.syncDir(changed);
  return got;
}

/** The name itself unless it is taken, for no file is ever replaced: then with a number, e.g. when messages come again by command. */
export function freeName(name: string, taken: (name: string) => boolean): string {
  const end = /\.[^./]+(\.gz|\.zst)?$/.exec(name)?.index ?? name.length;
  let free = name;
  for (let copy = 2; taken(free); copy++) free = `${name.slice(0, end)}.${copy}${name.slice(end)}`;
  return free;
}

/** Cuts what the ledger does not know of, and finishes the rest. What is gone was finished or removed before. */
export function finishLeft(
  files: Files,
  dir: string,
  lengths: Iterable<readonly [name: string, length: number]>,
  notice: (text: string) => void,
): void {
  const whole: string[] = [];
  for (const [name, length] of lengths) {
    const path = join(dir, openName(name));
    if (!files.exists(path)) {
      // An earlier try may have renamed it and then failed to sync that.
      syncHome(files, dir, name);
      continue;
    }
    const size = cut(files, path, () => length);
    if (size < length) notice(`${path} has ${size} bytes, but ${length} had been written: what is missing is lost`);
    if (size > 0) whole.push(name);
    else removeEmpty(files, dir, name);
  }
  finishAll(files, dir, whole);
}

/** Without a ledger: keeps what is whole, so that nothing is lost but some may come twice. */
export function finishUnknown(
  files: Files,
  dir: string,
  names: readonly string[],
  wholeOf: (file: OpenFile) => number,
): void {
  const whole: string[] = [];
  for (const name of names) {
    if (cut(files, join(dir, openName(name)), wholeOf) > 0) whole.push(name);
    else removeEmpty(files, dir, name);
  }
  finishAll(files, dir, whole);
}

function removeEmpty(files: Files, dir: string, name: string): void {
  files.remove(join(dir, openName(name)));
  syncHome(files, dir, name);
}

function syncHome(files: Files, dir: string, name: string): void {
  const home = dirsOf(dir, name).at(-1)!;
  if (files.exists(home)) files.syncDir(home);
}

/** Cuts the file to what `end` says, durably; its size after that. */
function cut(files: Files, path: string, end: (file: OpenFile) => number): number {
  const file = files.open(path);
  try {
    const size = Math.min(file.size(), end(file));
    file.truncate(size);
    file.sync();
    return size;
  } finally {
    file.close();
  }
}
