/** How often something took how long: counts in buckets that are at most 3 % wide, for any number of values. */

const exact = 64;
const perDouble = 32;

export class Histogram {
  /** By bucket, for values up to 2^40 microseconds. */
  readonly #counts = new Float64Array(exact + 35 * perDouble);
  count = 0;
  #sum = 0;
  #most = 0;

  add(ms: number): void {
    const micros = Math.max(0, Math.round(ms * 1000));
    this.#counts[Math.min(bucketOf(micros), this.#counts.length - 1)]!++;
    this.count++;
    this.#sum += ms;
    this.#most = Math.max(this.#most, ms);
  }

  get mean(): number {
    return this.count === 0 ? 0 : this.#sum / this.count;
  }

  get most(): number {
    return this.#most;
  }

  /** What `share` of the values do not exceed, in ms: 0.99 for the 99th percentile. */
  at(share: number): number {
    if (share >= 1) return this.#most;
    const wanted = Math.max(1, Math.ceil(this.count * share));
    let seen = 0;
    for (let bucket = 0; bucket < this.#counts.length; bucket++) {
      seen += this.#counts[bucket]!;
      if (seen >= wanted) return Math.min(this.#most, endOf(bucket) / 1000);
    }
    return this.#most;
  }

  /** How many took up to each power of two of ms, beginning where there are any. */
  doublings(): { readonly upToMs: number; readonly count: number }[] {
    const found = new Map<number, number>();
    for (const [bucket, count] of this.#counts.entries()) {
      if (count === 0) continue;
      const upToMs = 2 ** Math.ceil(Math.log2(endOf(bucket) / 1000));
      found.set(upToMs, (found.get(upToMs) ?? 0) + count);
    }
    return [...found].map(([upToMs, count]) => ({ upToMs, count }));
  }
}

function bucketOf(micros: number): number {
  if (micros < exact) return micros;
  const exponent = Math.floor(Math.log2(micros));
  const step = 2 ** (exponent - 5);
  return exact + (exponent - 6) * perDouble + Math.floor(micros / step) - perDouble;
}

/** The largest value of a bucket, in microseconds. */
function endOf(bucket: number): number {
  if (bucket < exact) return Math.max(1, bucket);
  const exponent = Math.floor((bucket - exact) / perDouble) + 6;
  const step = 2 ** (exponent - 5);
  return ((bucket - exact) % perDouble + perDouble + 1) * step - 1;
}
