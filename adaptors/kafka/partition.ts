/** Which partition a message goes to, and how a batch is cut into requests that brokers take. Pure. */
import type { Outgoing } from "./wire.ts";

/** Where a message goes. */
export interface Placed extends Outgoing {
  readonly partition: number;
}

/** The messages of one request for one partition, in order: taken or refused together. */
export interface Group {
  readonly topic: string;
  readonly partition: number;
  readonly messages: readonly Placed[];
}

export interface Limits {
  /** Of one group: the brokers' `message.max.bytes`. */
  readonly groupBytes: number;
  /** Of all groups of a request together: far below the brokers' `socket.request.max.bytes`. */
  readonly requestBytes: number;
}

/** What a group costs besides its messages. */
export const groupOverheadBytes = 73;

export function groupName(topic: string, partition: number): string {
  return `${topic}:${partition}`;
}

/** The partition that Java's clients choose for this key. */
export function partitionOf(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions;
}

/** The hash of Kafka's Java client, as a signed number of 32 bits. */
export function murmur2(bytes: Uint8Array): number {
  const multiplier = 0x5bd1e995;
  const whole = bytes.length & ~3;
  let hash = 0x9747b28c ^ bytes.length;
  for (let at = 0; at < whole; at += 4) {
    const word = bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 | bytes[at + 3]! << 24;
    const mixed = Math.imul(word, multiplier);
    hash = Math.imul(hash, multiplier) ^ Math.imul(mixed ^ mixed >>> 24, multiplier);
  }
  for (let at = bytes.length - 1; at >= whole; at--) hash ^= bytes[at]! << 8 * (at - whole);
  if (whole < bytes.length) hash = Math.imul(hash, multiplier);
  hash = Math.imul(hash ^ hash >>> 13, multiplier);
  return hash ^ hash >>> 15;
}

/** Messages without a key that go to one partition before the next gets as many: enough for a group, few enough for all to have work. */
const runMessages = 64;

/**
 * Where a message without a key goes: by its position, in runs that take turns. A message sent again, in whatever batch, after
 * whatever restart, goes where it went before, so that order within a partition holds over repeats.
 */
export function turnOf(position: number, partitions: number): number {
  return Math.floor(position / runMessages) % partitions;
}

/**
 * Cuts messages into requests, each with one group a partition. What comes later for a partition is in the same group or
 * in a later request, so that sending the requests one after the other keeps the order of every partition.
 */
export function* requests(
  messages: Iterable<Outgoing>,
  partitions: ReadonlyMap<string, number>,
  limits: Limits,
): Generator<Group[]> {
  let open = new OpenRequest(limits);
  for (const message of messages) {
    const placed = place(message, partitions.get(message.topic)!);
    if (open.take(placed)) continue;
    yield open.groups();
    open = new OpenRequest(limits);
    open.take(placed);
  }
  if (open.bytes > 0) yield open.groups();
}

function place(message: Outgoing, partitions: number): Placed {
  // Field by field, which costs a fifth of copying all.
  const { delivery, topic, key, headers, value, timestamp, bytes } = message;
  const partition = key ? partitionOf(key, partitions) : turnOf(delivery.position, partitions);
  return { delivery, topic, key, headers, value, timestamp, bytes, partition };
}

interface OpenGroup extends Group {
  readonly messages: Placed[];
  bytes: number;
}

class OpenRequest {
  bytes = 0;
  readonly #limits: Limits;
  /** By topic and partition. */
  readonly #groups = new Map<string, OpenGroup[]>();

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** Unless there is no room. A single message always has some: whether it is too large is not decided here. */
  take(placed: Placed): boolean {
    const { bytes } = placed;
    const group = this.#groupFor(placed);
    const fits = group.messages.length === 0 || group.bytes + bytes <= this.#limits.groupBytes;
    if (this.bytes > 0 && !(fits && this.bytes + bytes <= this.#limits.requestBytes)) return false;
    group.messages.push(placed);
    group.bytes += bytes;
    this.bytes += bytes;
    return true;
  }

  groups(): Group[] {
    return [...this.#groups.values()].flatMap((groups) => groups.filter(({ messages }) => messages.length > 0));
  }

  #groupFor({ topic, partition }: Placed): OpenGroup {
    let groups = this.#groups.get(topic);
    if (groups === undefined) this.#groups.set(topic, groups = []);
    return groups[partition] ??= { topic, partition, messages: [], bytes: groupOverheadBytes };
  }
}
