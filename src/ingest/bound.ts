/** How many connections there may be: fewer when the system gives no more handles, and step by step as many as before again. */

/** For files of the log and the destinations, and for management. */
const handlesKept = 64;
/** So few connections do not take them: who lacks handles then lacks them for something else, which passes. */
const connectionsLeast = 16;
/** Without a lack for so long it rises by a quarter of the way. */
const riseAfterMs = 60_000;
/** Each lack after a rise doubles that, up to this: where handles stay few, it is not tried every minute. */
const riseAfterMsMax = 3_600_000;

/** Times are monotonic ms. */
export class Bound {
  readonly #max: number;
  #most: number;
  #since = 0;
  #riseAfterMs = riseAfterMs;
  #hasRisen = false;

  constructor(max: number) {
    this.#max = max;
    this.#most = max;
  }
  get most(): number {
    return this.#most;
  }

  /** The system gave no handle while connections had `handles`; whether there may be fewer now. */
  lower(handles: number, now: number): boolean {
    this.#since = now;
    const most = Math.max(connectionsLeast, Math.min(handles - handlesKept, Math.floor(this.#most * 0.75)));
    if (most >= this.#most) return false;
    if (this.#hasRisen) this.#riseAfterMs = Math.min(riseAfterMsMax, this.#riseAfterMs * 2);
    this.#hasRisen = false;
    this.#most = most;
    return true;
  }

  /** Asked now and then; whether there may be as many as ever, and might not before. */
  rise(now: number): boolean {
    if (this.#most >= this.#max || now - this.#since < this.#riseAfterMs) return false;
    this.#since = now;
    this.#hasRisen = true;
    this.#most += Math.ceil((this.#max - this.#most) / 4);
    return this.#most >= this.#max;
  }
}
