/** Bytes that were synced and cannot be read as they were: kept aside under `quarantine/`, never deleted by us. */
import { crc32 } from "node:zlib";
import { codeOf, type Files, isTransient, join, readWhole, replaceFile } from "../os/world.ts";

/**
 * Copies `bytes` as `<name>.bad`, unless a copy stands there already. That the disk does not take it is no reason to stop; throws
 * when the system lacks handles or memory for the moment, so that it is kept later.
 */
export function setAside(files: Files, dir: string, name: string, bytes: Uint8Array): void {
  const folder = join(dir, "quarantine");
  const path = join(folder, `${name}.bad`);
  try {
    files.makeDir(folder);
    if (!files.exists(path)) replaceFile(files, path, bytes);
  } catch (problem) {
    if (codeOf(problem) === "" || isTransient(problem)) throw problem;
  }
}

/** Copies a small file that is about to be written anew: each content once, though its name comes again. */
export function setFileAside(files: Files, dir: string, path: string): void {
  try {
    const bytes = readWhole(files, path);
    const name = path.slice(path.lastIndexOf("/") + 1);
    setAside(files, dir, `${name}-${crc32(bytes).toString(16).padStart(8, "0")}`, bytes);
  } catch (problem) {
    if (codeOf(problem) === "" || isTransient(problem)) throw problem;
  }
}
