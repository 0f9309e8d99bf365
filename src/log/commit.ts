/** A commit in the making: entries are copied in as they come, and sealed when their place in a segment is known. */
import {
  commitBytesMax,
  commitHeaderBytes,
  putRecord,
  recordBytes,
  type Salt,
  sealCommit,
  sealRecord,
  type UnsealedCommit,
} from "./format.ts";
import type { Position } from "./mod.ts";

export class Commit {
  first: Position = 0 as Position;
  count = 0;
  flags = 0;
  length = commitHeaderBytes;
  #bytes = new Uint8Array(1 << 16);
  #records: number[] = [];

  /** Entries in it. */
  get entries(): number {
    return this.#records.length;
  }
  /** Whether an entry of that length still belongs here: a commit is one entry, or about 8 MiB. */
  hasRoom(entryLength: number): boolean {
    return this.count === 0 || this.length + recordBytes(entryLength) <= commitBytesMax;
  }
  add(entry: Uint8Array, count: number): void {
    const end = this.length + recordBytes(entry.length);
    if (end > this.#bytes.length) this.#grow(end);
    putRecord(this.#bytes, this.length, entry, { first: this.first + this.count as Position, count });
    this.#records.push(this.length);
    this.length = end;
    this.count += count;
  }
  /** The bytes for writing at `offset`, and the checksum that the next commit chains to. */
  seal(
    place: { salt: Salt; offset: number; chain: number },
    time: number,
    epoch: number,
  ): { bytes: Uint8Array; chain: number } {
    const bytes = this.#bytes.subarray(0, this.length);
    for (const at of this.#records) sealRecord(bytes, at, place.salt, place.offset + at);
    const header: UnsealedCommit = {
      length: this.length - commitHeaderBytes,
      count: this.count,
      first: this.first,
      time,
      epoch,
      chain: place.chain,
      flags: this.flags,
    };
    return { bytes, chain: sealCommit(bytes, header, place.salt, place.offset) };
  }
  /** Empty again, for the next turn; a buffer that one large request grew is not kept. */
  reset(): void {
    this.count = 0;
    this.flags = 0;
    this.length = commitHeaderBytes;
    this.#records.length = 0;
    if (this.#bytes.length > commitBytesMax) this.#bytes = new Uint8Array(1 << 16);
  }
  #grow(least: number): void {
    const larger = new Uint8Array(Math.max(least, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, this.length));
    this.#bytes = larger;
  }
}
