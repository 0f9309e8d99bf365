/**
 * Sends dead letters once more, where an operator asked for it: a batch now and then between those of the log, which never waits
 * for them. What is taken is a dead letter no more; what is refused again stays one; anything else is tried again later.
 */
import type { Cursor, Position } from "../log/mod.ts";
import type { World } from "../os/world.ts";
import type { Delivery, Result } from "./adaptor.ts";
import { pauseAfter } from "./backoff.ts";
import type { DeadLetters } from "./dead_letters.ts";
import type { DeadLetter } from "./letter.ts";
import type { Pace } from "./pace.ts";
import type { Selector } from "./select.ts";

const waitMsMax = 300_000;

export interface ReplayParts {
  readonly world: World;
  readonly cursor: Cursor;
  readonly selector: Pick<Selector, "format">;
  readonly pace: Pace;
  /** Undefined while none are open: then there are none. */
  readonly letters: () => DeadLetters | undefined;
  /** One try; undefined when nothing is certain. */
  readonly send: (batch: readonly Delivery[], tries: number) => Promise<Result | undefined>;
}

export class Replay {
  readonly #parts: ReplayParts;
  #tries = 0;
  /** Monotonic: not before. */
  #dueAt = -Infinity;
  /** Where the next batch begins: those that have to wait do not hold up the others. */
  #from = 0 as Position;

  constructor(parts: ReplayParts) {
    this.#parts = parts;
  }

  get isDue(): boolean {
    const asked = this.#parts.letters()?.asked ?? 0;
    return asked > 0 && this.#parts.world.clock.elapsed() >= this.#dueAt;
  }

  /** Sends a batch, if it is time to; how many were taken. The cursor must be durable where it stands. */
  async step(): Promise<number> {
    if (!this.isDue) return 0;
    const letters = this.#parts.letters()!;
    const batch = this.#next(letters);
    if (batch.length === 0) return 0;
    const result = await this.#parts.send(batch.map(({ delivery }) => delivery), this.#tries);
    if (result === undefined) return this.#later();
    const again = new Set(result.again);
    const refused = new Map(result.refused.map(({ delivery, reason }) => [delivery, reason]));
    const kept = batch.flatMap(({ delivery, letter }) => {
      const reason = refused.get(delivery);
      return reason === undefined ? [] : [{ letter, reason }];
    });
    const taken = batch.filter(({ delivery }) => !again.has(delivery) && !refused.has(delivery));
    await letters.keepAgain(kept);
    await letters.take(taken.map(({ letter }) => letter), this.#parts.cursor);
    if (again.size > 0) this.#later(result.waitMs);
    else this.#tries = 0;
    return taken.length;
  }

  /** `leastMs`: as long as the destination asks to be left alone, within reason. */
  #later(leastMs = 0): 0 {
    const { world } = this.#parts;
    const pauseMs = Math.max(pauseAfter(this.#tries++, world.random), Math.min(leastMs, waitMsMax));
    this.#dueAt = world.clock.elapsed() + pauseMs;
    return 0;
  }

  #next(letters: DeadLetters): { readonly delivery: Delivery; readonly letter: DeadLetter }[] {
    const { pace: { limit }, selector } = this.#parts;
    const batch: { readonly delivery: Delivery; readonly letter: DeadLetter }[] = [];
    let bytes = 0;
    let last = this.#from as number;
    for (const { number, letter } of letters.letters(this.#from)) {
      if (batch.length >= limit.count || bytes >= limit.bytes) break;
      last = number + 1;
      if (!letter.again) continue;
      const { id, position, message } = letter;
      const delivery = { id, position, message, body: selector.format(message, id) };
      bytes += delivery.body.length;
      batch.push({ delivery, letter });
    }
    const ended = batch.length < limit.count && bytes < limit.bytes;
    this.#from = (ended ? 0 : last) as Position;
    return batch;
  }
}
