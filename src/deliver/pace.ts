/**
 * How much a destination gets at once, and how soon: half as much after each time it says that it is too much, a little more after
 * each batch it takes; and never more than its caps allow, evenly rather than in bursts. Goes by the monotonic clock.
 */
import type { Clock } from "../os/world.ts";
import type { Delivery, Result } from "./adaptor.ts";

export interface Limit {
  readonly count: number;
  readonly bytes: number;
}
export interface PaceParts {
  readonly clock: Clock;
  /** Of one batch. */
  readonly limit: Limit;
  /** Of a second, whatever becomes of what is sent; 0 is no cap. */
  readonly rate: Limit;
}

/** A capped destination gets a part of its second at a time: so it goes on evenly, and is told soon of a pause. */
const partsOfASecond = 10;
/** So much of what was not used lately may follow at once: timers are late now and then. */
const slackMs = 100;
/** From a single message to a whole batch in so many steps. */
const steps = 20;

export class Pace {
  readonly #parts: PaceParts;
  readonly #most: Limit;
  readonly #messages: Meter;
  readonly #bytes: Meter;
  /** How many messages the destination bears at once, as far as it has told. */
  #atOnce: number;

  constructor(parts: PaceParts) {
    const { limit, rate } = parts;
    this.#parts = parts;
    this.#most = { count: partOf(rate.count, limit.count), bytes: partOf(rate.bytes, limit.bytes) };
    this.#messages = new Meter(rate.count);
    this.#bytes = new Meter(rate.bytes);
    this.#atOnce = limit.count;
  }

  /** What a batch may hold now; one message in any case. */
  get limit(): Limit {
    return { count: Math.min(this.#atOnce, this.#most.count), bytes: this.#most.bytes };
  }
  get atOnce(): number {
    return this.#atOnce;
  }

  /** As much of it as may go at once, from its beginning. Bytes are looked at where they are capped: else what was read is little. */
  cut(batch: readonly Delivery[]): readonly Delivery[] {
    const { count, bytes } = this.limit;
    let end = Math.min(batch.length, count);
    if (this.#parts.rate.bytes > 0) end = fitting(batch, end, bytes);
    return end === batch.length ? batch : batch.slice(0, end);
  }

  /** How long a batch has to wait for its turn, in ms. */
  get waitMs(): number {
    const now = this.#parts.clock.elapsed();
    return Math.max(this.#messages.waitMs(now), this.#bytes.waitMs(now));
  }
  /** It is sent now. */
  charge(batch: readonly Delivery[]): void {
    const now = this.#parts.clock.elapsed();
    this.#messages.charge(batch.length, now);
    if (this.#parts.rate.bytes > 0) this.#bytes.charge(bytesOf(batch), now);
  }

  /** What the destination said to so many. */
  heard(count: number, { throttled = false, again }: Result): void {
    const { limit } = this.#parts;
    if (throttled) this.#atOnce = Math.max(1, Math.floor(Math.min(this.#atOnce, count) / 2));
    else if (again.length === 0) this.#atOnce = Math.min(limit.count, this.#atOnce + Math.ceil(limit.count / steps));
  }
}

export function bytesOf(batch: readonly Delivery[]): number {
  return batch.reduce((sum, { body }) => sum + body.length, 0);
}

/** How many of the first `most` are no more than so many bytes; one in any case. */
function fitting(batch: readonly Delivery[], most: number, bytes: number): number {
  let sum = 0;
  for (let end = 0; end < most; end++) {
    sum += batch[end]!.body.length;
    if (sum > bytes && end > 0) return end;
  }
  return most;
}

function partOf(rate: number, most: number): number {
  return rate === 0 ? most : Math.max(1, Math.min(most, Math.floor(rate / partsOfASecond)));
}

/** So many a second: whoever takes some pays by time, afterwards. */
class Meter {
  readonly #rate: number;
  /** Monotonic: when everything is paid for. */
  #freeAt = -Infinity;

  /** 0: any number. */
  constructor(rate: number) {
    this.#rate = rate;
  }
  waitMs(now: number): number {
    return Math.max(0, this.#freeAt - now);
  }
  charge(count: number, now: number): void {
    if (this.#rate > 0) this.#freeAt = Math.max(this.#freeAt, now - slackMs) + count * 1000 / this.#rate;
  }
}
