/**
 * One try at a time: opens the adaptor where it is not open, hands it a batch when it is its turn, and sees that what comes back is
 * sound. Refusals that are few become dead letters here; what to do about the rest, and when, is for who asked.
 */
import type { Cursor } from "../log/mod.ts";
import type { World } from "../os/world.ts";
import type { Adaptor, Delivery, Result } from "./adaptor.ts";
import { deadlineAfter } from "./deadline.ts";
import type { Letterbox } from "./letterbox.ts";
import type { Pace } from "./pace.ts";
import { Refusals } from "./refusals.ts";

export interface SenderParts {
  readonly world: World;
  readonly cursor: Cursor;
  readonly pace: Pace;
  readonly deadlineMs: number;
  /** Opens the adaptor; rejects when the destination is not there. */
  readonly open: (signal: AbortSignal) => Promise<Adaptor>;
  readonly deadLetters: Letterbox;
  /** How many of a hundred in a row may be refused before that is the destination's own trouble. */
  readonly refusedMax: number;
  readonly watch: SenderWatch;
}
export interface SenderWatch {
  /** These were refused for good, and are kept as dead letters. */
  dead(refused: Result["refused"]): void;
  /** So many are refused and wait, because too many are. */
  held(count: number): void;
  /** What is sent waits so long for its turn, by a cap of ours; 0 when it need not. */
  capped(ms: number): void;
  /** So many may go at once from now on; `throttled`: because the destination asked for less. */
  paced(atOnce: number, throttled: boolean): void;
}
export interface Trying {
  readonly signal: AbortSignal;
  /** What went wrong. */
  readonly tell: (text: string) => void;
}

export const waitText = "the destination asks to wait";

export class Sender {
  readonly #parts: SenderParts;
  readonly #refusals: Refusals;
  #adaptor: Adaptor | undefined;

  constructor(parts: SenderParts) {
    this.#parts = parts;
    this.#refusals = new Refusals(parts.refusedMax);
  }

  /** The one that is open. */
  get adaptor(): Adaptor | undefined {
    return this.#adaptor;
  }
  async opened(signal: AbortSignal): Promise<Adaptor> {
    return this.#adaptor ??= await this.#parts.open(signal);
  }
  async letGo(): Promise<void> {
    const adaptor = this.#adaptor;
    this.#adaptor = undefined;
    await adaptor?.close().catch(() => {});
  }

  /** One try; undefined when nothing is certain. Who is refused for good is among the dead letters when this resolves. */
  async send(batch: readonly Delivery[], tries: number, { signal, tell }: Trying): Promise<Result | undefined> {
    const { cursor, deadLetters, watch } = this.#parts;
    const answer = await this.ask(batch, { signal, tell });
    if (answer === undefined) return undefined;
    try {
      const result = this.#judged(batch, answer);
      if (result.refused.length > 0) {
        await deadLetters.open().keep(result.refused, tries + 1, cursor.generation);
        watch.dead(result.refused);
      }
      await this.#forgetLetters(batch, result);
      if (result.again.length > 0) tell(result.trouble ?? waitText);
      return result;
    } catch (problem) {
      await this.letGo();
      if (!signal.aborted) tell(reasonOf(problem));
      return undefined;
    }
  }

  /** What the destination says to a batch; undefined when nothing is certain. */
  async ask(batch: readonly Delivery[], { signal, tell }: Trying): Promise<Result | undefined> {
    const { world, deadlineMs } = this.#parts;
    await this.#turn(batch, signal);
    if (signal.aborted) return undefined;
    const deadline = deadlineAfter(world.clock, deadlineMs, signal);
    try {
      const adaptor = await this.opened(deadline.signal);
      await adaptor.ready?.(deadline.signal);
      const result = await adaptor.send(batch, deadline.signal);
      this.#heard(batch.length, result);
      return result;
    } catch (problem) {
      await this.letGo();
      if (!signal.aborted) tell(reasonOf(problem));
      return undefined;
    } finally {
      deadline.clear();
    }
  }

  async #turn(batch: readonly Delivery[], signal: AbortSignal): Promise<void> {
    const { world, pace, watch } = this.#parts;
    const { waitMs } = pace;
    watch.capped(waitMs);
    if (waitMs > 0) await world.clock.sleep(waitMs, signal);
    if (!signal.aborted) pace.charge(batch);
  }

  #heard(count: number, result: Result): void {
    const { pace, watch } = this.#parts;
    const before = pace.atOnce;
    pace.heard(count, result);
    if (result.throttled || pace.atOnce !== before) watch.paced(pace.atOnce, result.throttled ?? false);
  }

  /** A message is taken of which there is a letter: set aside before a crash or a rewind, when the destination was of another mind. */
  async #forgetLetters(batch: readonly Delivery[], { refused, again }: Result): Promise<void> {
    const letters = this.#parts.deadLetters.found();
    if (letters === undefined || letters.isEmpty) return;
    const there = batch.filter(({ position }) => letters.has(position));
    if (there.length === 0) return;
    const others = new Set([...again, ...refused.map(({ delivery }) => delivery)]);
    await letters.forget(there.filter((delivery) => !others.has(delivery)).map(({ position }) => position));
  }

  /** Refusals are about the messages as long as they are few; else they are trouble, and nothing becomes a dead letter. */
  #judged(batch: readonly Delivery[], result: Result): Result {
    const { watch, refusedMax } = this.#parts;
    const again = new Set(result.again);
    if (result.refused.length === 0) {
      this.#refusals.pass(batch.length - again.size);
      watch.held(0);
      return result;
    }
    const refused = new Set(result.refused.map(({ delivery }) => delivery));
    const decided = batch.filter((delivery) => !again.has(delivery));
    const few = this.#refusals.take(decided.map((delivery) => refused.has(delivery)));
    watch.held(few ? 0 : refused.size);
    if (few) return result;
    const reason = result.refused[0]!.reason;
    return {
      refused: [],
      again: batch.filter((delivery) => refused.has(delivery) || again.has(delivery)),
      trouble: `it refuses more than ${refusedMax} of 100 messages, so they wait (refused_max, skip): ${reason}`,
    };
  }
}

export function reasonOf(problem: unknown): string {
  return problem instanceof Error ? problem.message : String(problem);
}
