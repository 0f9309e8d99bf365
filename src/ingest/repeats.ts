/**
 * Requests that come again under their `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): within a window each is stored
 * once, and answered again as it was. The keys stand in the entries themselves, so a start finds them in the log: only when somebody
 * sends a key, so that nobody else waits for it.
 */
import { createHash } from "node:crypto";
import type { Position } from "../log/mod.ts";
import type { Idempotency } from "../message/wire.ts";
import type { Clock } from "../os/world.ts";
import type { Problem } from "./problem.ts";

/** Where the messages of a request are. */
export interface Kept {
  readonly first: Position;
  readonly epoch: number;
  /** How many: fewer than the request has when some of them came before under their ids. */
  readonly count: number;
}
/** A request with a key, found in the log. */
export interface Recalled extends Kept {
  readonly identity: Idempotency;
}
/** What was kept before this start, in the window before the last of it; ends soon when nothing was. */
export type History = (windowMs: number) => AsyncIterable<Recalled>;

export interface RepeatLimits {
  readonly windowMs: number;
  /** How many keys are kept in mind; beyond it the oldest are forgotten. */
  readonly keysMax: number;
}

/** `kept` is missing while the first request is under way. */
interface Known {
  readonly body: string;
  readonly time: number;
  readonly kept: Kept | undefined;
}

export class Repeats {
  readonly #clock: Clock;
  readonly #history: History;
  readonly #limits: RepeatLimits;
  /** Oldest first, by the key's 16 bytes. */
  readonly #known = new Map<string, Known>();
  #recalled: Promise<void> | undefined;

  constructor(clock: Clock, history: History, limits: RepeatLimits) {
    this.#clock = clock;
    this.#history = history;
    this.#limits = limits;
  }

  /** To be awaited before any key is asked for. Rejects when the log cannot be read; then the next call tries again. */
  ready(): Promise<void> {
    this.#recalled ??= this.#recall().catch((problem) => {
      this.#recalled = undefined;
      throw problem;
    });
    return this.#recalled;
  }

  /** Where the same request's messages are; a problem when it must not be taken now; nothing when it is the first. */
  find({ key, body }: Idempotency): Kept | Problem | undefined {
    this.#forgetOld();
    const known = this.#known.get(textOf(key));
    if (known === undefined) return undefined;
    if (known.body !== textOf(body)) return otherRequest;
    return known.kept ?? underWay;
  }

  /** The first request with this key is under way. */
  begin({ key, body }: Idempotency): void {
    this.#put(textOf(key), { body: textOf(body), time: this.#clock.now(), kept: undefined });
  }

  /** Its messages are safe there; without a place they are not, and the next one counts as the first. */
  settle({ key }: Idempotency, kept: Kept | undefined): void {
    const name = textOf(key);
    const known = this.#known.get(name);
    if (known === undefined) return;
    if (kept === undefined) this.#known.delete(name);
    else this.#known.set(name, { ...known, kept });
  }

  async #recall(): Promise<void> {
    // From now on, because whoever could not reach this node may have to ask again only now.
    const time = this.#clock.now();
    for await (const { identity: { key, body }, first, count, epoch } of this.#history(this.#limits.windowMs)) {
      this.#put(textOf(key), { body: textOf(body), time, kept: { first, count, epoch } });
    }
  }

  #put(name: string, known: Known): void {
    // Deleted first, so that it is the youngest in the order of the map.
    this.#known.delete(name);
    this.#known.set(name, known);
    this.#forgetOld();
  }

  #forgetOld(): void {
    const oldest = this.#clock.now() - this.#limits.windowMs;
    for (const [name, { time, kept }] of this.#known) {
      // A clock set back makes some look as if they came from the future: they go when there are too many.
      if (this.#known.size <= this.#limits.keysMax && (time >= oldest || kept === undefined)) return;
      this.#known.delete(name);
    }
  }
}

const keyBytesMax = 255;
const hashBytes = 16;

/** What the key and the rest of a request come to, 128 bits each; a problem when the key is none. `scope` is whose key it is. */
export function identityOf(
  given: string,
  scope: string,
  parts: readonly (string | Uint8Array)[],
): Idempotency | Problem {
  const key = /^"(.*)"$/.exec(given)?.[1] ?? given;
  if (!/^[\x20-\x7e]+$/.test(key) || key.length > keyBytesMax) return badKey;
  return { key: hashOf([scope, key]), body: hashOf(parts) };
}

/** Lengths stand in between, so that what belongs to one part cannot pass for another's. */
function hashOf(parts: readonly (string | Uint8Array)[]): Uint8Array {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return Uint8Array.from(hash.digest().subarray(0, hashBytes));
}

function textOf(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

const badKey: Problem = {
  code: "bad-request",
  detail: `Idempotency-Key must be 1 to ${keyBytesMax} printable ASCII characters`,
  field: "Idempotency-Key",
};
const otherRequest: Problem = {
  code: "key-reused",
  detail: "This Idempotency-Key came with another request: each request needs a key of its own",
};
const underWay: Problem = {
  code: "under-way",
  detail: "The first request with this Idempotency-Key is still under way: ask again in a moment",
};
