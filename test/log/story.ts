/** A short life of a log with two destinations, told to a model that knows what was promised. For tests that break the outside. */
import { type Entry, LogFull, LogStopped, type Position } from "../../src/log/mod.ts";
import { codeOf } from "../../src/os/world.ts";
import type { SimWorld } from "../sim/world.ts";
import { destinationsAt, type Item, type Settings, textOf, Trial } from "./trial.ts";

export const settings: Settings = { segmentBytes: 4096 + 1500 };
const hangMs = 10_000;
const names = ["one", "two"] as const;

/** What was offered, what became of it, and what each destination has had. */
export class Ledger {
  readonly offered = new Set<string>();
  readonly accepted = new Set<string>();
  /** The sender was told that nothing of these was kept. */
  readonly refused = new Set<string>();
  readonly had = new Map<string, Set<string>>(names.map((name) => [name, new Set()]));
  readonly violations: string[] = [];
  readonly #places = new Map<string, string>();
  #count = 0;

  offer(length = 70): string {
    const text = `message ${this.#count++} `.padEnd(length, "z");
    this.offered.add(text);
    return text;
  }
  take(name: string, item: Item): void {
    const text = textOf(item);
    if ("bytes" in item) this.#remember(item, text);
    if ("why" in item) {
      // A cursor that lost its last step meets what was given back when it had taken that step; `settle` knows better.
      if (item.why === "damaged") this.violations.push(`${name} got a gap: ${text} at ${item.position}`);
    } else if (!this.offered.has(text)) this.violations.push(`${name} got what nobody sent: ${text}`);
    if (this.refused.has(text)) this.violations.push(`${name} got ${text.slice(0, 12)}, which was refused`);
    this.had.get(name)!.add(text);
  }
  /** What was delivered once stands at its position for ever, and under its id. */
  #remember({ position, epoch }: Entry, text: string): void {
    for (const place of [`position ${position}`, `id ${epoch}-${position}`]) {
      const before = this.#places.get(place) ?? text;
      if (before !== text) this.violations.push(`${text.slice(0, 12)} has ${place}, as ${before.slice(0, 12)} had`);
      this.#places.set(place, text);
    }
  }
  settle(): void {
    for (const name of names) {
      for (const text of this.accepted) {
        if (!this.had.get(name)!.has(text)) {
          this.violations.push(`${name} never got ${text.slice(0, 12)}, which was accepted`);
        }
      }
    }
  }
}

/** One life that may meet trouble at any call: what it throws must be the system's words or the log's own. */
export class Life {
  readonly #ledger: Ledger;
  readonly #trial: Trial;
  readonly #cursors: ReturnType<Trial["cursor"]>[];
  readonly #readers: ReturnType<Trial["reader"]>[];

  constructor(sim: SimWorld, ledger: Ledger, more: Settings = {}) {
    this.#ledger = ledger;
    let cursors: ReturnType<Trial["cursor"]>[] = [];
    const destinations = () =>
      destinationsAt(Object.fromEntries(cursors.map(({ position }, i) => [names[i]!, position])))();
    this.#trial = new Trial(sim, { ...settings, ...more, destinations });
    const oldest = this.#trial.writer.facts().start;
    cursors = names.map((name) => this.#trial.cursor(name, { fresh: oldest, lost: oldest }));
    this.#cursors = cursors;
    this.#readers = cursors.map(({ position }) => this.#trial.reader(position));
  }

  /** Whether it was accepted. */
  async append(text = this.#ledger.offer()): Promise<boolean> {
    try {
      this.#trial.writer.append(new TextEncoder().encode(text), 1);
      await this.#settled(this.#trial.writer.durable());
      this.#ledger.accepted.add(text);
      return true;
    } catch (problem) {
      if (!(problem instanceof LogFull) && !(problem instanceof LogStopped)) throw problem;
      if (problem instanceof LogFull || problem.outcome === "refused") this.#ledger.refused.add(text);
      await this.#trial.sim.run(600);
      return false;
    }
  }
  /** Each destination takes what there is. */
  deliver(): void {
    names.forEach((name, i) => {
      for (const item of this.#readers[i]!.next({ count: 1000, bytes: 1 << 20 })) {
        this.#ledger.take(name, item);
        const cursor = this.#cursors[i]!;
        const to = item.position + item.count as Position;
        if (to > cursor.position) cursor.advance(to, { taken: to - cursor.position });
      }
    });
  }
  sync(): void {
    for (const cursor of this.#cursors) cursor.sync();
  }
  trim(): void {
    this.#trial.writer.trim(Math.min(...this.#cursors.map(({ durable }) => durable)) as Position);
  }
  async close(): Promise<void> {
    await this.#settled(this.#trial.writer.close());
    for (const one of [...this.#readers, ...this.#cursors]) one.close();
  }
  /** Nothing may wait for ever. */
  async #settled(promise: Promise<void>): Promise<void> {
    const { sim } = this.#trial;
    const late = new AbortController();
    const tooLate = sim.clock.sleep(hangMs, late.signal).then(() => {
      if (!late.signal.aborted) throw new Error("Waited for more than ten seconds");
    });
    try {
      await sim.run(Promise.race([promise, tooLate]));
    } finally {
      late.abort();
    }
  }
}

/** Runs `act`; that the outside fails is no violation, anything else is. */
export async function attempt(ledger: Ledger, act: () => void | Promise<unknown>): Promise<void> {
  try {
    await act();
  } catch (problem) {
    if (codeOf(problem) === "") ledger.violations.push(problem instanceof Error ? problem.stack! : String(problem));
  }
}

/** After all trouble: everything accepted arrives. */
export async function reckon(sim: SimWorld, ledger: Ledger): Promise<void> {
  try {
    const life = new Life(sim, ledger);
    await life.append();
    life.deliver();
    await life.close();
  } catch (problem) {
    ledger.violations.push(`the last start failed: ${problem instanceof Error ? problem.stack : problem}`);
  }
  ledger.settle();
}
