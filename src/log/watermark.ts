/** How far the log is durable, and who is to be woken when that changes. How sleepers are reached is the caller's affair. */
import type { Position, Watermark } from "./mod.ts";

/** A watermark within one thread: of a dead-letter log, of a tool, of a simulation. */
export class LocalWatermark implements Watermark {
  #position = 0 as Position;
  #segment = 0;
  #sleepers: (() => void)[] = [];

  get position(): Position {
    return this.#position;
  }
  get segment(): number {
    return this.#segment;
  }
  raise(to: Position, segment: number): void {
    this.#segment = segment;
    if (to <= this.#position) return;
    this.#position = to;
    const woken = this.#sleepers;
    this.#sleepers = [];
    for (const wake of woken) wake();
  }
  above(from: Position, signal: AbortSignal): Promise<void> {
    if (this.#position > from || signal.aborted) return Promise.resolve();
    return untilWoken(signal, (wake) => this.#sleepers.push(wake));
  }
}

/** Where threads share the position and say that they sleep: a few cells of memory. */
export interface SharedCells {
  position(): Position;
  segment(): number;
  /** Stores the segment first: who sees the position sees at least that segment. */
  raise(to: Position, segment: number): void;
}
export interface SleepCell {
  /** Says "I sleep". */
  sleep(): void;
  /** True for the one caller who found it sleeping. */
  wake(): boolean;
}

/** The writer's side: raises, and nudges those who said that they sleep. */
export class RaisingWatermark implements Watermark {
  readonly #cells: SharedCells;
  readonly #sleepers: { readonly cell: SleepCell; readonly nudge: () => void }[] = [];

  constructor(cells: SharedCells) {
    this.#cells = cells;
  }
  get position(): Position {
    return this.#cells.position();
  }
  get segment(): number {
    return this.#cells.segment();
  }
  /** Somebody new to be woken; replaces who had the same cell. */
  addSleeper(cell: SleepCell, nudge: () => void): () => void {
    const sleeper = { cell, nudge };
    this.#sleepers.push(sleeper);
    return () => void this.#sleepers.splice(this.#sleepers.indexOf(sleeper), 1);
  }
  raise(to: Position, segment: number): void {
    this.#cells.raise(to, segment);
    for (const { cell, nudge } of this.#sleepers) if (cell.wake()) nudge();
  }
  above(): Promise<void> {
    throw new Error("Cannot wait for the watermark in the thread that raises it");
  }
}

/** A reader's side. `onNudge` registers what the thread's message port calls. */
export class FollowingWatermark implements Watermark {
  readonly #cells: SharedCells;
  readonly #cell: SleepCell;
  #wake: () => void = () => {};

  constructor(cells: SharedCells, cell: SleepCell) {
    this.#cells = cells;
    this.#cell = cell;
  }
  get position(): Position {
    return this.#cells.position();
  }
  get segment(): number {
    return this.#cells.segment();
  }
  nudge(): void {
    this.#wake();
  }
  raise(): void {
    throw new Error("Cannot raise the watermark: only the writer's thread does");
  }
  async above(from: Position, signal: AbortSignal): Promise<void> {
    while (this.#cells.position() <= from && !signal.aborted) {
      const nudged = untilWoken(signal, (wake) => this.#wake = wake);
      // Say it first, look again, then wait: so a raise in between is seen here or by the writer.
      this.#cell.sleep();
      if (this.#cells.position() > from) this.#wake();
      await nudged;
    }
  }
}

/** Resolves when what `ask` was given is called, or `signal` aborts; leaves nothing behind on the signal, which may live for ever. */
function untilWoken(signal: AbortSignal, ask: (wake: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    const wake = () => {
      signal.removeEventListener("abort", wake);
      resolve();
    };
    signal.addEventListener("abort", wake, { once: true });
    ask(wake);
  });
}
