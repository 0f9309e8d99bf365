/**
 * Notices a thread that keeps ever more memory outside of its heap. The runtime in the executable (2.7.14) never frees what it was
 * still to write when a connection broke: only the end of the thread gives that back.
 */

/** After so much was read it looks. */
const lookEveryBytes = 1 << 26;
/** A thread may keep so much: as much as its heap. */
const keptMax = 1 << 28;
/** Of what a batch may have: read, formatted, joined, compressed and written, and the next one read meanwhile. */
const batchesMax = 8;

export interface ExcessParts {
  /** Of one batch. */
  readonly batchBytes: number;
  /** How much there is outside of the heap. */
  readonly kept: () => number;
  /** Collects all garbage. */
  readonly collect: () => void;
  /** Ends the thread, by what it throws; another one follows. */
  readonly end: (why: string) => void;
}

export class Excess {
  readonly #parts: ExcessParts;
  readonly #most: number;
  #bytes = 0;

  constructor(parts: ExcessParts) {
    this.#parts = parts;
    this.#most = Math.max(keptMax, batchesMax * parts.batchBytes);
  }

  /** So much was read just now, and nothing is under way. */
  after(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes < lookEveryBytes) return;
    this.#bytes = 0;
    const { kept, collect, end } = this.#parts;
    if (kept() <= this.#most) return;
    collect();
    const left = kept();
    if (left > this.#most) end(`its runtime keeps ${Math.round(left / (1 << 20))} MiB outside of its heap`);
  }
}
