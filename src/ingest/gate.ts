/**
 * Who may send what, and how much: keys, rates, quotas. Where none of these is configured there is no gate, and no request is looked
 * at for it.
 */
import { Buckets } from "../access/bucket.ts";
import { isDenial, keyOf, lacking, unreadable } from "../access/door.ts";
import { type AckLevel, type Key, mayRead, writableTopics } from "../access/key.ts";
import { KeyRing } from "../access/key_ring.ts";
import { Usage } from "../access/usage.ts";
import type { Clock, Files } from "../os/world.ts";
import type { HttpRequest, Span } from "./http.ts";
import { networkOf } from "./ip.ts";
import type { Problem } from "./problem.ts";
import { openAddress } from "./sender.ts";

export interface GateSettings {
  readonly keys: boolean;
  readonly rate_per_address: number;
  readonly trusted_proxies: readonly string[];
  readonly ack: readonly string[];
}
export interface GateParts {
  readonly world: { readonly files: Files; readonly clock: Clock };
  /** The data directory. */
  readonly dir: string;
  /** Something an operator must know. */
  report(text: string): void;
}

/** Who sends a request, and what that one may do. */
export interface Caller {
  /** Whose requests its Idempotency-Keys tell apart; nobody's in particular where no key is shown. */
  readonly name?: string;
  /** Acknowledgements it may ask for. */
  readonly ack: readonly string[];
  /** What is wrong with a message of this topic from there. */
  admit(topic: string): Problem | undefined;
  /** What is wrong with so many messages. */
  over(count: number): Problem | undefined;
  /** So many were taken. */
  spend(count: number): void;
}

/** Whoever it is, where nobody shows a key. */
export function anybody(ack: readonly string[]): Caller {
  return { ack, admit: () => undefined, over: () => undefined, spend() {} };
}

/** Nothing where nothing is to be looked at. */
export function openGate(settings: GateSettings, parts: GateParts): Gate | undefined {
  return settings.keys || settings.rate_per_address > 0 ? new Gate(settings, parts) : undefined;
}

/** So many addresses are kept in mind: about 10 MB. */
const addressesMax = 65_536;

export class Gate {
  readonly #parts: GateParts;
  readonly #ring: KeyRing | undefined;
  readonly #usage: Usage | undefined;
  readonly #buckets: Buckets | undefined;
  readonly #addressOf: (request: HttpRequest) => string;
  readonly #ack: readonly string[];
  readonly #anybody: Caller;
  readonly #callers = new WeakMap<Key, KeyCaller>();

  constructor(settings: GateSettings, parts: GateParts) {
    const { keys, rate_per_address: rate, ack } = settings;
    this.#parts = parts;
    this.#ack = ack;
    this.#anybody = anybody(ack);
    this.#addressOf = openAddress(settings.trusted_proxies);
    if (rate > 0) this.#buckets = new Buckets({ rate, max: addressesMax });
    if (!keys) return;
    this.#ring = new KeyRing(parts);
    this.#usage = new Usage(parts);
    if (this.#ring.known && this.#ring.size === 0) parts.report(noKeys);
  }

  /** Keeps up with the keys, and what they have used, until `signal` aborts. */
  async keepUp(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#ring?.keepUp(signal), this.#usage?.keepUp(signal)]);
  }

  /** Why nobody gets in now, or nothing. */
  get closed(): Problem | undefined {
    return this.#ring === undefined || this.#ring.known ? undefined : unreadable;
  }

  /** Keeps what was used of the quotas. */
  close(): void {
    this.#usage?.keep();
  }

  /** Whoever sends messages, or why not. */
  writer(request: HttpRequest, search: Span, keyId: string | undefined): Caller | Problem {
    const caller = this.#caller(request, search, keyId);
    if ("code" in caller || caller === this.#anybody) return caller;
    return (caller as KeyCaller).writes ? caller.over(1) ?? caller : lacking((caller as KeyCaller).key, "write");
  }

  /** Why this one may not look at how we are, or nothing. */
  reader(request: HttpRequest, search: Span): Problem | undefined {
    const caller = this.#caller(request, search, undefined);
    if ("code" in caller) return caller;
    return caller instanceof KeyCaller && !mayRead(caller.key) ? lacking(caller.key, "read") : undefined;
  }

  #caller(request: HttpRequest, search: Span, keyId: string | undefined): Caller | Problem {
    const caller = this.#ring === undefined ? this.#anybody : this.#known(this.#ring, request, search, keyId);
    const own = caller instanceof KeyCaller ? caller : undefined;
    return (own?.countsAlone ? undefined : this.#limitOfAddress(request)) ?? own?.limit() ?? caller;
  }

  /** Whose key it is. */
  #known(ring: KeyRing, request: HttpRequest, search: Span, keyId: string | undefined): KeyCaller | Problem {
    const { bytes, from, to } = search;
    const query = bytes.subarray(from, to);
    const key = keyOf(ring, { authorization: request.header("authorization"), keyId, query });
    return isDenial(key) ? key : this.#callerOf(key);
  }

  #callerOf(key: Key): KeyCaller {
    let caller = this.#callers.get(key);
    if (caller === undefined) {
      const { clock } = this.#parts.world;
      caller = new KeyCaller(key, { ack: this.#ack, usage: this.#usage!, clock });
      this.#callers.set(key, caller);
    }
    return caller;
  }

  #limitOfAddress(request: HttpRequest): Problem | undefined {
    if (this.#buckets === undefined) return undefined;
    const { clock } = this.#parts.world;
    const wait = this.#buckets.take(networkOf(this.#addressOf(request), networkBits), clock.elapsed());
    return wait === 0 ? undefined : tooFast("address", this.#buckets.rate, wait);
  }
}

/** One household or server has a whole /64 to itself. */
const networkBits = { v4: 32, v6: 64 };

/** Somebody who has shown a key. */
class KeyCaller implements Caller {
  readonly key: Key;
  readonly ack: readonly string[];
  /** Nothing when it may not write at all. */
  readonly writes: ((topic: string) => boolean) | undefined;
  readonly #bucket: Buckets | undefined;
  readonly #usage: Usage;
  readonly #clock: Clock;

  constructor(key: Key, { ack, usage, clock }: { ack: readonly string[]; usage: Usage; clock: Clock }) {
    this.key = key;
    this.ack = [...ack, ...key.ack ?? [] as AckLevel[]];
    this.writes = writableTopics(key);
    this.#bucket = key.rate === undefined ? undefined : new Buckets({ rate: key.rate, max: 1 });
    this.#usage = usage;
    this.#clock = clock;
  }

  get name(): string {
    return this.key.id;
  }

  /** It goes by its own rate and not by that of its address; a pixel key is everybody's, so there both hold. */
  get countsAlone(): boolean {
    return this.#bucket !== undefined && this.key.digest !== undefined;
  }

  limit(): Problem | undefined {
    const wait = this.#bucket?.take("", this.#clock.elapsed()) ?? 0;
    return wait === 0 ? undefined : tooFast("key", this.key.rate!, wait);
  }

  admit(topic: string): Problem | undefined {
    return this.writes?.(topic) ? undefined : { ...lacking(this.key, `write:${topic}`), field: "topic" };
  }

  over(count: number): Problem | undefined {
    const { quota, id } = this.key;
    if (quota === undefined) return undefined;
    if (count > quota) return tooLarge(this.key, count);
    const left = quota - this.#usage.of(id);
    return count <= left ? undefined : usedUp(this.key, { left: Math.max(0, left), seconds: this.#usage.secondsLeft });
  }

  spend(count: number): void {
    if (this.key.quota !== undefined) this.#usage.add(this.key.id, count);
  }
}

const noKeys =
  "http.keys is true and there are no keys: all messages are refused until sparkngin key create has made one";

function tooFast(whose: "address" | "key", rate: number, waitMs: number): Problem {
  const policy = { name: whose, quota: rate, window: 1, left: 0, seconds: Math.ceil(waitMs / 1000) };
  return limited(policy, `More than ${rate} requests a second come from this ${whose}`);
}

function usedUp({ id, quota }: Key, { left, seconds }: { left: number; seconds: number }): Problem {
  const policy = { name: "day", quota: quota!, window: 86_400, left, seconds };
  return limited(policy, `Key ${id} may bring ${quota} messages a day, of which ${left} are left until midnight (UTC)`);
}

function tooLarge({ id, quota }: Key, count: number): Problem {
  const detail = `The request holds ${count} messages, and key ${id} may bring ${quota} a day: split it`;
  return { code: "too-large", detail };
}

interface Policy {
  readonly name: string;
  /** So much in a window of so many seconds. */
  readonly quota: number;
  readonly window: number;
  readonly left: number;
  /** Until there is more. */
  readonly seconds: number;
}

/** The fields of draft-ietf-httpapi-ratelimit-headers. */
function limited({ name, quota, window, left, seconds }: Policy, detail: string): Problem {
  const headers = {
    "retry-after": String(seconds),
    "ratelimit-policy": `"${name}";q=${quota};w=${window}`,
    "ratelimit": `"${name}";r=${left};t=${seconds}`,
  };
  return { code: "too-many-requests", detail, headers };
}
