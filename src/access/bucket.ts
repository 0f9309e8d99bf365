/**
 * Rate limits: a bucket of tokens for each of many, one token a request. Of a bucket only the moment is kept when it will be full
 * again; one that is full needs no place at all.
 */

export interface BucketsOptions {
  /** Tokens that a bucket gains a second; it holds as many as it gains in a second. */
  readonly rate: number;
  /** So many buckets are kept: beyond it the one that was used least lately is forgotten, and begins full. */
  readonly max: number;
}

export class Buckets {
  readonly rate: number;
  readonly #max: number;
  readonly #tokenMs: number;
  readonly #fullAt = new Map<string, number>();

  constructor({ rate, max }: BucketsOptions) {
    this.rate = rate;
    this.#max = max;
    this.#tokenMs = 1000 / rate;
  }

  /** How many are kept. */
  get size(): number {
    return this.#fullAt.size;
  }

  /** Takes a token; when there is none, says in how many ms there will be one. `now` is monotonic, in ms. */
  take(whose: string, now: number): number {
    const fullAt = Math.max(this.#fullAt.get(whose) ?? 0, now) + this.#tokenMs;
    // A bucket that takes longer to fill than an empty one would be below empty. Sums of fractions need some slack.
    const wait = fullAt - now - Math.max(1000, this.#tokenMs);
    if (wait > 1e-6) return wait;
    this.#fullAt.delete(whose);
    this.#fullAt.set(whose, fullAt);
    if (this.#fullAt.size > this.#max) this.#forgetOne();
    return 0;
  }

  /** The first of a map is the one put there longest ago. */
  #forgetOne(): void {
    for (const oldest of this.#fullAt.keys()) return void this.#fullAt.delete(oldest);
  }
}
