/** Whether the disk gives a log at all: what it will not give now it may give in a moment, and nothing of it need be lost. */
import { codeOf, type Files, join } from "../os/world.ts";
import { listSegments } from "./directory.ts";

const headBytes = 4096;
const chunkBytes = 1 << 20;

/** The first segment below `dir` of which the disk does not give the head, or, of the last one, everything; nothing if it does. */
export function unreadableSegment(files: Files, dir: string): string | undefined {
  const logDir = join(dir, "log");
  if (!files.exists(logDir)) return undefined;
  const names = listSegments(files, logDir);
  return names.find((name) => !isGiven(files, join(logDir, name), name === names.at(-1) ? Infinity : headBytes));
}

function isGiven(files: Files, path: string, bytes: number): boolean {
  const file = files.open(path, "read");
  const into = new Uint8Array(Math.min(bytes, chunkBytes));
  try {
    for (let at = 0; at < bytes;) {
      const count = file.read(at, into);
      if (count === 0) return true;
      at += count;
    }
    return true;
  } catch (problem) {
    if (codeOf(problem) !== "EIO") throw problem;
    return false;
  } finally {
    file.close();
  }
}
