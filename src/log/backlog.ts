/** How much of the log a destination may have before it: for those that the log does not wait for. By whole segments. */
import { codeOf, type Files, join } from "../os/world.ts";
import { listSegments } from "./directory.ts";
import { parseSegmentName } from "./format.ts";
import type { LogReader, Position } from "./mod.ts";

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

const stepBytes = 64 * 1024;

/** The same to within 64 KiB, or a commit, for budgets smaller than a segment. It reads what comes to know how long it is. */
export class Tail {
  readonly #segments: Budget;
  readonly #reader: LogReader;
  readonly #bytes: number;
  /** Where pieces of about a step begin, and how many bytes came before them. */
  #pieces: { readonly position: Position; readonly before: number }[] = [];
  #total = 0;
  /** What is before it was looked at. */
  #read = -1;

  constructor(segments: Budget, reader: LogReader, bytes: number) {
    this.#segments = segments;
    this.#reader = reader;
    this.#bytes = bytes;
  }

  /** Where the newest messages begin that take no more than the budget; `from` or more. */
  floor(from: Position): Position {
    if (this.#read < from) this.#begin(Math.max(from, this.#segments.floor()) as Position);
    this.#readOn();
    const first = this.#pieces.findIndex(({ before }) => this.#total - before <= this.#bytes);
    this.#pieces.splice(0, first < 0 ? this.#pieces.length : first);
    return Math.max(from, this.#pieces[0]?.position ?? this.#read) as Position;
  }

  #begin(at: Position): void {
    this.#reader.seek(at);
    this.#pieces = [];
    this.#total = 0;
    this.#read = at;
  }

  #readOn(): void {
    for (;;) {
      const items = this.#reader.next({ count: Infinity, bytes: stepBytes });
      const last = items.at(-1);
      if (last === undefined) return;
      this.#pieces.push({ position: items[0]!.position, before: this.#total });
      for (const item of items) this.#total += "bytes" in item ? item.bytes.length : 0;
      this.#read = last.position + last.count;
    }
  }
}
