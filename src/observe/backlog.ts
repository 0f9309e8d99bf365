/**
 * How much of the disk a destination's undelivered messages hold, and how long until they stop intake: announced at 50, 75 and
 * 90 %, by name, long before. Pure but for what it remembers from look to look.
 */
import type { NodeFacts } from "./status.ts";

export interface Backlog {
  readonly name: string;
  /** Share of the room the log may take, 0 to 1. */
  readonly share: number;
  /** At the present pace; Infinity when it does not grow. */
  readonly secondsLeft: number;
}

const steps = [0.5, 0.75, 0.9];
/** How fast it grows is measured over about a minute. */
const smoothing = 0.1;

interface Remembered {
  bytes: number;
  bytesPerMs: number;
  at: number;
  /** How many of the steps were announced. */
  step: number;
}

export class BacklogWatch {
  readonly #reserveBytes: number;
  readonly #remembered = new Map<string, Remembered>();

  constructor(reserveBytes: number) {
    this.#reserveBytes = reserveBytes;
  }

  /** Those that have passed a step since the last look. `elapsed` is monotonic ms. */
  look(facts: NodeFacts, elapsed: number): Backlog[] {
    return facts.destinations.flatMap(({ name, number, required }) => {
      if (!required) return [];
      const backlog = this.#measure(name, backlogBytes(facts, number), facts, elapsed);
      const memory = this.#remembered.get(name)!;
      const step = steps.filter((limit) => backlog.share >= limit).length;
      const passed = step > memory.step;
      memory.step = step;
      return passed ? [backlog] : [];
    });
  }

  #measure(name: string, bytes: number, { table }: NodeFacts, elapsed: number): Backlog {
    const before = this.#remembered.get(name);
    const pace = before && elapsed > before.at ? (bytes - before.bytes) / (elapsed - before.at) : 0;
    const bytesPerMs = before ? before.bytesPerMs + (pace - before.bytesPerMs) * smoothing : 0;
    this.#remembered.set(name, { bytes, bytesPerMs, at: elapsed, step: before?.step ?? 0 });
    const room = Math.max(1, table.get("logBytes") + table.get("freeBytes") - this.#reserveBytes);
    const secondsLeft = bytesPerMs > 0 ? Math.max(0, room - bytes) / bytesPerMs / 1000 : Infinity;
    return { name, share: Math.min(1, bytes / room), secondsLeft };
  }
}

/** What the log holds for a destination, about: its messages' part of all that is kept. */
export function backlogBytes({ table }: Pick<NodeFacts, "table">, number: number): number {
  const [start, durable] = [table.get("start"), table.get("durable")];
  const position = Math.max(start, table.destination(number).position);
  return durable > start ? table.get("logBytes") * Math.max(0, durable - position) / (durable - start) : 0;
}

/** The sentence for the operator. */
export function announce({ share, secondsLeft }: Backlog): string {
  const percent = Math.floor(share * 100);
  const left = secondsLeft === Infinity
    ? "it does not grow now"
    : `at this pace the disk is full in ${span(secondsLeft)}`;
  return `its undelivered messages take ${percent} % of the room; ${left}. A full disk stops intake`;
}

function span(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`;
}
