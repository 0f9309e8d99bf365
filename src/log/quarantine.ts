/** Bytes that were synced and cannot be read as they were: kept aside under `quarantine/`, never deleted by us. */
import { codeOf, type Files, join } from "../os/world.ts";

/** Copies `bytes`, found at `offset` of `segment`, unless a copy stands there already. What cannot be kept is no reason to stop. */
export function setAside(files: Files, dir: string, segment: string, offset: number, bytes: Uint8Array): void {
  const folder = join(dir, "quarantine");
  const path = join(folder, `${segment}-${offset}.bad`);
  try {
    files.makeDir(folder);
    if (files.exists(path)) return;
    const file = files.create(path);
    try {
      file.write(0, bytes);
      file.sync();
    } finally {
      file.close();
    }
    files.syncDir(folder);
  } catch (problem) {
    if (codeOf(problem) === "") throw problem;
  }
}
