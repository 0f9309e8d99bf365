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
    if (!open.hasRoom(placed)) {
      yield open.groups();
      open = new OpenRequest(limits);
    }
    open.add(placed);
  }
  if (open.bytes > 0) yield open.groups();
}

function place(message: Outgoing, partitions: number): Placed {
  const { key, delivery } = message;
  return { ...message, partition: key ? partitionOf(key, partitions) : turnOf(delivery.position, partitions) };
}

class OpenRequest {
  bytes = 0;
  readonly #limits: Limits;
  readonly #groups = new Map<string, { topic: string; partition: number; messages: Placed[]; bytes: number }>();

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** A single message always has room: whether it is too large is not decided here. */
  hasRoom({ topic, partition, bytes }: Placed): boolean {
    if (this.bytes === 0) return true;
    const group = this.#groups.get(groupName(topic, partition))?.bytes ?? groupOverheadBytes;
    const fits = group === groupOverheadBytes || group + bytes <= this.#limits.groupBytes;
    return fits && this.bytes + bytes <= this.#limits.requestBytes;
  }

  add(placed: Placed): void {
    const { topic, partition, bytes } = placed;
    const name = groupName(topic, partition);
    const group = this.#groups.get(name) ?? { topic, partition, messages: [], bytes: groupOverheadBytes };
    group.messages.push(placed);
    group.bytes += bytes;
    this.bytes += bytes;
    this.#groups.set(name, group);
  }

  groups(): Group[] {
    return [...this.#groups.values()];
  }
}
