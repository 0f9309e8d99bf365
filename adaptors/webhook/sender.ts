/**
 * A batch becomes requests, and answers become verdicts. What is refused is halved until the messages at fault stand alone; the
 * others arrive, in order.
 */
import type { Delivery, Result } from "../../src/deliver/adaptor.ts";
import type { Clock } from "../../src/os/world.ts";
import { type Answer, meaningOf, waitMsOf } from "./verdict.ts";

export interface Sending {
  readonly clock: Clock;
  /** What it answered, in a sentence without secrets. */
  explain(answer: Answer): string;
  /** A request for each message. */
  readonly single: boolean;
  /** How long to go on, once something is decided; the rest is for the next call. */
  readonly patienceMs: number;
  post(batch: readonly Delivery[]): Promise<Answer>;
}

/** So many refusals with nothing taken between them are for the pump to judge, before anything more is asked. */
const refusedInARow = 100;

/** Rejects when nothing is decided; else what is not comes back as `again`. */
export async function sendBatch(batch: readonly Delivery[], sending: Sending): Promise<Result> {
  const state = new Progress(batch, sending);
  while (state.left.length > 0) {
    const part = state.part();
    const answer = await sending.post(part).catch((problem: Error) => problem);
    if (answer instanceof Error) return state.broken(answer);
    const meaning = meaningOf(answer);
    if (meaning === "taken") state.taken(part.length);
    else if (meaning === "bad") state.bad(part.length, sending.explain(answer));
    else if (meaning === "later") return state.later(answer);
    else return state.broken(new Error(`Cannot send: ${sending.explain(answer)}`));
    if (state.tired && state.left.length > 0) {
      return state.rest(`${state.left.length} messages of a batch wait for their turn`);
    }
  }
  return state.rest();
}

class Progress {
  readonly #sending: Sending;
  readonly #began: number;
  readonly #refused: { delivery: Delivery; reason: string }[] = [];
  /** What has no verdict yet, in order. */
  left: readonly Delivery[];
  /** How far the parts go that are asked about, the nearest last. */
  #ends: number[];
  #at = 0;
  #inARow = 0;

  constructor(batch: readonly Delivery[], sending: Sending) {
    this.#sending = sending;
    this.#began = sending.clock.elapsed();
    this.left = batch;
    this.#ends = sending.single ? batch.map((_, at) => batch.length - at) : [batch.length];
  }

  part(): readonly Delivery[] {
    return this.left.slice(0, this.#ends.at(-1)! - this.#at);
  }

  taken(count: number): void {
    this.#inARow = 0;
    this.#pass(count);
  }

  bad(count: number, reason: string): void {
    if (count > 1) return void this.#ends.push(this.#at + Math.ceil(count / 2));
    this.#refused.push({ delivery: this.left[0]!, reason });
    this.#inARow++;
    this.#pass(1);
  }

  get tired(): boolean {
    const { clock, patienceMs } = this.#sending;
    if (this.#at === 0) return false;
    return this.#inARow >= refusedInARow || clock.elapsed() - this.#began > patienceMs;
  }

  later(answer: Answer): Result {
    const { clock, explain } = this.#sending;
    return { ...this.rest(explain(answer)), throttled: true, waitMs: waitMsOf(answer, clock.now()) };
  }

  broken(problem: Error): Result {
    if (this.#at === 0) throw problem;
    return this.rest(problem.message);
  }

  rest(trouble?: string): Result {
    return { refused: this.#refused, again: this.left, ...(this.left.length > 0 && { trouble }) };
  }

  #pass(count: number): void {
    this.#at += count;
    this.left = this.left.slice(count);
    while (this.#ends.length > 0 && this.#ends.at(-1)! <= this.#at) this.#ends.pop();
  }
}
