/** Simulated time: it passes only when nothing else can run. */
import { setImmediate } from "node:timers";
import type { Clock } from "../../src/os/world.ts";

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly ring: () => void;
}

/** 2026-03-01 12:00 UTC, a Sunday. */
const wallStart = Date.UTC(2026, 2, 1, 12);

export class SimClock implements Clock {
  #elapsed = 0;
  #wallOffset = wallStart;
  #order = 0;
  #timers: Timer[] = [];
  #turns: (() => void)[] = [];

  now(): number {
    return Math.floor(this.#wallOffset + this.#elapsed);
  }
  elapsed(): number {
    return this.#elapsed;
  }
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const ring = () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
        signal?.removeEventListener("abort", ring);
        resolve();
      };
      const timer = { at: this.#elapsed + Math.max(0, ms), order: this.#order++, ring };
      this.#timers.push(timer);
      signal?.addEventListener("abort", ring, { once: true });
    });
  }
  turn(run: () => void): void {
    this.#turns.push(run);
  }
  /** Sets the wall clock; monotonic time goes on as before. */
  setWall(ms: number): void {
    this.#wallOffset = ms - this.#elapsed;
  }
  /** Whoever sleeps or waits for a turn does so for ever: its process is no more. */
  stopAll(): void {
    this.#timers = [];
    this.#turns = [];
  }
  /**
   * Lets everything run until the promise settles (its result is returned, its rejection thrown) or so many ms have passed.
   * Throws when the promise can never settle because nobody waits for time any more.
   */
  async run<T>(until: Promise<T> | number): Promise<T | undefined> {
    if (typeof until === "number") return await this.#pass(this.#elapsed + until);
    let settled = false;
    const done = () => void (settled = true);
    until.then(done, done);
    await quiet();
    while (!settled) {
      if (!this.#step(Infinity)) throw new Error("Cannot run on: everybody waits for ever (simulated clock)");
      await quiet();
    }
    return await until;
  }
  async #pass(end: number): Promise<undefined> {
    await quiet();
    while (this.#step(end)) await quiet();
    this.#elapsed = end;
  }
  /** Runs the turns that wait, else the next timer that is due by `end`; false when there is neither. */
  #step(end: number): boolean {
    const turns = this.#turns.splice(0);
    for (const run of turns) run();
    if (turns.length > 0) return true;
    const next = earliest(this.#timers);
    if (!next || next.at > end) return false;
    this.#elapsed = next.at;
    next.ring();
    return true;
  }
}

function earliest(timers: readonly Timer[]): Timer | undefined {
  let first: Timer | undefined;
  for (const timer of timers) {
    if (!first || timer.at < first.at || (timer.at === first.at && timer.order < first.order)) first = timer;
  }
  return first;
}

/** Resolves when no promise callback is left to run. */
function quiet(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
