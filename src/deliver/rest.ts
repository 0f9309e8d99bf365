/** Gives back what a burst has left on the heap: the engine keeps room for the next one for ever, in the thread of each destination. */
import type { Clock } from "../os/world.ts";

/** So long it looks whether the burst is over. */
const lookMs = 2000;
/** Less than that a look is no burst. */
const littleBytes = 1 << 20;
/** Less than that leaves little behind. */
const muchBytes = 1 << 23;

export interface RestParts {
  readonly clock: Clock;
  /** Collects all garbage and gives the room back. */
  readonly collect: () => void;
}

export class Rest {
  readonly #parts: RestParts;
  /** Read since the last collection, and since the last look. */
  #bytes = 0;
  #recently = 0;
  #looks = false;

  constructor(parts: RestParts) {
    this.#parts = parts;
  }

  /** So much was read just now. */
  after(bytes: number): void {
    this.#bytes += bytes;
    this.#recently += bytes;
    if (this.#bytes >= muchBytes && !this.#looks) void this.#collectWhenOver();
  }

  async #collectWhenOver(): Promise<void> {
    this.#looks = true;
    do {
      this.#recently = 0;
      await this.#parts.clock.sleep(lookMs);
    } while (this.#recently >= littleBytes);
    this.#parts.collect();
    this.#bytes = 0;
    this.#looks = false;
  }
}
