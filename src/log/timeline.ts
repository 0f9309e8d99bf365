/** Where in a log a moment is, by the times of its commits. Reads a few headers and one segment, whatever the log's size. */
import { codeOf, type Files, join } from "../os/world.ts";
import { listSegments } from "./directory.ts";
import { parseSegmentName } from "./format.ts";
import type { Position } from "./mod.ts";
import { Segment } from "./segment.ts";
import { headers } from "./walk.ts";

export class Timeline {
  readonly #files: Files;
  readonly #logDir: string;
  readonly end: Position;
  /** Oldest first. */
  readonly #names: readonly string[];

  /** Of the log below `dir`, which may be read up to `end`. */
  constructor(files: Files, dir: string, end: Position) {
    this.#files = files;
    this.#logDir = join(dir, "log");
    this.end = end;
    this.#names = listSegments(files, this.#logDir);
  }

  /** The first position that can still be read. */
  get oldest(): Position {
    return Math.min(this.end, this.#baseOf(0)) as Position;
  }
  /** When it was committed, in ms; undefined when the log is empty. */
  get oldestTime(): number | undefined {
    return this.#names.map((name) => this.#firstTime(name)).find((time) => time !== undefined);
  }

  /** When the last message that may be read was committed, in ms; undefined when there is none. */
  get lastTime(): number | undefined {
    for (const name of this.#names.toReversed()) {
      const time = this.#read(name, (segment) => {
        let last: number | undefined;
        for (const { header } of headers(segment, Infinity)) {
          if (header.count > 0 && header.first < this.end) last = header.time;
        }
        return last;
      });
      if (time !== undefined) return time;
    }
    return undefined;
  }

  /** The first message committed at `ms` or later; the end of the log when there is none. A clock that jumped makes it about. */
  at(ms: number): Position {
    const later = this.#firstFrom(ms);
    const before = this.#names[later - 1];
    const inside = before === undefined ? undefined : this.#within(before, ms);
    return Math.min(this.end, inside ?? Infinity, this.#baseOf(later)) as Position;
  }

  /** The first segment that begins at `ms` or later. */
  #firstFrom(ms: number): number {
    let [low, high] = [0, this.#names.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#firstTime(this.#names[middle]!) ?? -Infinity) < ms) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #baseOf(number: number): number {
    const name = this.#names[number];
    return name === undefined ? this.end : parseSegmentName(name)!.base;
  }

  #firstTime(name: string): number | undefined {
    return this.#read(name, (segment) => {
      for (const { header } of headers(segment, Infinity)) return header.time;
      return segment.header?.created;
    });
  }

  #within(name: string, ms: number): Position | undefined {
    return this.#read(name, (segment) => {
      for (const { header } of headers(segment, Infinity)) if (header.time >= ms) return header.first;
      return undefined;
    });
  }

  /** Nothing when the segment was freed meanwhile. */
  #read<T>(name: string, act: (segment: Segment) => T): T | undefined {
    let segment: Segment;
    try {
      segment = Segment.open(this.#files, this.#logDir, name);
    } catch (problem) {
      if (codeOf(problem) === "ENOENT") return undefined;
      throw problem;
    }
    try {
      return act(segment);
    } finally {
      segment.close();
    }
  }
}
