/**
 * What was written last, and may not have been read: syslog acknowledges nothing, so what lay in the buffers of a connection that
 * broke is gone unless somebody still has it. Outlives the connection, not the process. Pure but for what it holds.
 */

interface Piece {
  readonly bytes: Uint8Array;
  /** Monotonic ms. */
  readonly writtenAt: number;
}

/** How a connection ended. `closed`: the peer took what was there and hung up; whoever leaves something unread resets. */
export type Ending = "closed" | "broken";

/** A system that gets no answer for what it sent gives up after this long at the latest (Linux: about 16 minutes). */
const oldestMs = 20 * 60_000;
/** What was under way when the peer hung up. */
const underWayMs = 30_000;

export class Tail {
  readonly #bytesMax: number;
  #pieces: Piece[] = [];
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }
  /** In the order in which they were written. */
  pieces(): readonly Uint8Array[] {
    return this.#pieces.map(({ bytes }) => bytes);
  }
  add(bytes: Uint8Array, now: number): void {
    this.#pieces.push({ bytes, writtenAt: now });
    this.#bytes += bytes.length;
    let drop = 0;
    while (this.#bytes > this.#bytesMax && drop < this.#pieces.length) {
      this.#bytes -= this.#pieces[drop++]!.bytes.length;
    }
    if (drop > 0) this.#pieces.splice(0, drop);
  }
  /** The connection has ended at `now`: what is too old to have been in it is forgotten. */
  end(how: Ending, now: number): void {
    const since = now - (how === "closed" ? underWayMs : oldestMs);
    this.#keep(this.#pieces.filter(({ writtenAt }) => writtenAt >= since));
  }
  clear(): void {
    this.#keep([]);
  }

  #keep(pieces: Piece[]): void {
    this.#pieces = pieces;
    this.#bytes = pieces.reduce((sum, { bytes }) => sum + bytes.length, 0);
  }
}
