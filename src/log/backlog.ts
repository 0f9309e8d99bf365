/** How much of the log a destination may have before it: for those that the log does not wait for. By whole segments. */
import { codeOf, type Files, join } from "../os/world.ts";
import { listSegments } from "./directory.ts";
import { parseSegmentName } from "./format.ts";
import type { Position } from "./mod.ts";

export class Budget {
  readonly #files: Files;
  readonly #logDir: string;
  readonly #bytes: number;
  /** Of the segments looked at last, by name. */
  #sizes = new Map<string, number>();

  constructor(files: Files, dir: string, bytes: number) {
    this.#files = files;
    this.#logDir = join(dir, "log");
    this.#bytes = bytes;
  }

  /**
   * Where the newest segments begin that take as much as the budget, or more: who is a little behind loses nothing. The one that
   * is written now does not count, as nobody knows how much of it is full.
   */
  floor(): Position {
    const names = listSegments(this.#files, this.#logDir);
    const sizes = new Map<string, number>();
    let [first, left] = [names.length - 1, this.#bytes];
    while (first > 0 && left > 0) {
      const name = names[--first]!;
      sizes.set(name, this.#sizes.get(name) ?? this.#sizeOf(name));
      left -= sizes.get(name)!;
    }
    this.#sizes = sizes;
    return first > 0 ? parseSegmentName(names[first]!)!.base : 0 as Position;
  }

  /** Nothing, of one that retention has taken meanwhile. */
  #sizeOf(name: string): number {
    try {
      const file = this.#files.open(join(this.#logDir, name), "read");
      try {
        return file.size();
      } finally {
        file.close();
      }
    } catch (problem) {
      if (codeOf(problem) === "ENOENT") return 0;
      throw problem;
    }
  }
}
