/**
 * What one subscriber wants: messages whose first frame begins with one of its prefixes (RFC 29). A prefix counts as often as it
 * was subscribed to, and has to be cancelled as often.
 */
import { type Refusal, refuse } from "./refusal.ts";

export interface SubscriptionLimits {
  readonly count: number;
  /** Of all prefixes together. */
  readonly bytes: number;
}

export const subscriptionLimits: SubscriptionLimits = { count: 10_000, bytes: 256 * 1024 };

export class Subscriptions {
  readonly #limits: SubscriptionLimits;
  /** How often each is wanted, by its bytes as characters. */
  readonly #counts = new Map<string, number>();
  #bytes = 0;
  /** In order, without those that begin with another one: at most one of them can be the beginning of a message. */
  #sorted: readonly Uint8Array[] | undefined = [];

  constructor(limits: SubscriptionLimits = subscriptionLimits) {
    this.#limits = limits;
  }

  get any(): boolean {
    return this.#counts.size > 0;
  }
  get all(): boolean {
    return this.#counts.has("");
  }

  add(prefix: Uint8Array): Refusal | undefined {
    const key = keyOf(prefix);
    const count = this.#counts.get(key);
    this.#counts.set(key, (count ?? 0) + 1);
    if (count !== undefined) return undefined;
    this.#bytes += prefix.length;
    this.#sorted = undefined;
    const { count: most, bytes } = this.#limits;
    return this.#counts.size > most || this.#bytes > bytes
      ? refuse("too-many", "it subscribes to too much")
      : undefined;
  }

  /** Nothing when there is no such subscription. */
  cancel(prefix: Uint8Array): void {
    const key = keyOf(prefix);
    const count = this.#counts.get(key);
    if (count === undefined) return;
    if (count > 1) return void this.#counts.set(key, count - 1);
    this.#counts.delete(key);
    this.#bytes -= prefix.length;
    this.#sorted = undefined;
  }

  wants(bytes: Uint8Array, from: number, to: number): boolean {
    const sorted = this.#sorted ??= prefixFree(this.#counts.keys());
    let [low, high] = [0, sorted.length];
    // The last that does not stand behind the message in the order: only that one can be its beginning.
    while (low < high) {
      const middle = (low + high) >> 1;
      if (isBehind(sorted[middle]!, bytes, from, to)) high = middle;
      else low = middle + 1;
    }
    return low > 0 && begins(bytes, from, to, sorted[low - 1]!);
  }
}

/** Beyond this an argument list is too long. */
const stepBytes = 8192;

function keyOf(bytes: Uint8Array): string {
  let key = "";
  for (let at = 0; at < bytes.length; at += stepBytes) {
    key += String.fromCharCode(...bytes.subarray(at, at + stepBytes));
  }
  return key;
}

function prefixFree(keys: Iterable<string>): Uint8Array[] {
  const kept: string[] = [];
  for (const key of [...keys].sort()) {
    const last = kept.at(-1);
    if (last === undefined || !key.startsWith(last)) kept.push(key);
  }
  return kept.map((key) => Uint8Array.from(key, (letter) => letter.charCodeAt(0)));
}

function isBehind(prefix: Uint8Array, bytes: Uint8Array, from: number, to: number): boolean {
  const length = Math.min(prefix.length, to - from);
  for (let i = 0; i < length; i++) {
    if (prefix[i] !== bytes[from + i]) return prefix[i]! > bytes[from + i]!;
  }
  return prefix.length > to - from;
}

function begins(bytes: Uint8Array, from: number, to: number, prefix: Uint8Array): boolean {
  if (prefix.length > to - from) return false;
  for (let i = 0; i < prefix.length; i++) if (prefix[i] !== bytes[from + i]) return false;
  return true;
}
