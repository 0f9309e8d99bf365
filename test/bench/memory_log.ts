/** A log that keeps nothing: it copies what it is given, as the real one does, and forgets it. */
import type { LogWriter, Position } from "../../src/log/mod.ts";

export class MemoryLog implements LogWriter {
  readonly #bytes = new Uint8Array(1 << 24);
  #at = 0;
  #position = 0;
  #commit = Promise.withResolvers<void>();
  readonly #appended: () => void;

  /** `appended` is told of each entry; who commits is up to it. */
  constructor(appended: () => void = () => {}) {
    this.#appended = appended;
  }
  append(bytes: Uint8Array, count: number): Position {
    if (this.#at + bytes.length > this.#bytes.length) this.#at = 0;
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
    this.#position += count;
    this.#appended();
    return this.#position - count as Position;
  }
  get next(): Position {
    return this.#position as Position;
  }
  durable(): Promise<void> {
    return this.#commit.promise;
  }
  commit(): void {
    this.#commit.resolve();
    this.#commit = Promise.withResolvers<void>();
  }
  async probe(): Promise<void> {}
  trim(): void {}
  async close(): Promise<void> {}
}
