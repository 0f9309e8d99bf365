/**
 * Whether the intake thread still goes round. It syncs by itself, so while a disk hangs it answers nobody and cannot say so: main
 * watches it from outside (P21).
 */
import type { Clock } from "../os/world.ts";

const lookEveryMs = 1000;
/** It counts four times a second. */
const stillMsMax = 10_000;

export class Pulse {
  readonly #clock: Clock;
  readonly #beats: () => number;
  #seen: number;
  #movedAt: number;

  constructor(clock: Clock, beats: () => number) {
    this.#clock = clock;
    this.#beats = beats;
    this.#seen = beats();
    this.#movedAt = clock.elapsed();
  }

  /** Until `signal` aborts; `say` hears when it stands still, and when it goes on. */
  async watch(signal: AbortSignal, say: (stalled: boolean) => void): Promise<void> {
    for (let told = false; !signal.aborted;) {
      await this.#clock.sleep(lookEveryMs, signal);
      if (signal.aborted) return;
      this.#look();
      if (this.stalled !== told) say(told = this.stalled);
    }
  }

  get stalled(): boolean {
    return this.#clock.elapsed() - this.#movedAt > stillMsMax;
  }

  #look(): void {
    const now = this.#beats();
    if (now === this.#seen) return;
    this.#seen = now;
    this.#movedAt = this.#clock.elapsed();
  }
}
