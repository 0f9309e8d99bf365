/** Which partition a message goes to, and how a batch is cut into requests that brokers take. Pure. */
import type { Delivery } from "../../src/deliver/adaptor.ts";
import { batchHeadBytes, RecordBatch } from "./records.ts";
import { type Address, type Extras, writeRecord } from "./wire.ts";

/** The messages of one request for one partition, in order: taken or refused together. */
export interface Group {
  readonly topic: string;
  readonly partition: number;
  readonly deliveries: readonly Delivery[];
  /** The same, as the brokers get them. */
  readonly records: RecordBatch;
}

export interface Limits {
  /** Of one group: the brokers' `message.max.bytes`. */
  readonly groupBytes: number;
  /** Of all groups of a request together: far below the brokers' `socket.request.max.bytes`. */
  readonly requestBytes: number;
}

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

/** How messages become requests. */
export interface Layout {
  readonly addressOf: (delivery: Delivery) => Address;
  /** How many each topic has. */
  readonly partitions: ReadonlyMap<string, number>;
  readonly extras: Extras;
  readonly limits: Limits;
  /** Told of those that are in no request because they alone are larger than a group may be. */
  readonly refuse: (delivery: Delivery, bytes: number) => void;
}

/**
 * Cuts messages into requests, each with one group a partition. What comes later for a partition is in the same group or
 * in a later request, so that sending the requests one after the other keeps the order of every partition.
 */
export function* requests(deliveries: Iterable<Delivery>, layout: Layout): Generator<Group[]> {
  let open = new OpenRequest(layout);
  for (const delivery of deliveries) {
    if (open.take(delivery)) continue;
    yield open.groups();
    open = new OpenRequest(layout);
    open.take(delivery);
  }
  const last = open.groups();
  if (last.length > 0) yield last;
}

interface OpenGroup extends Group {
  readonly deliveries: Delivery[];
}

class OpenRequest {
  readonly #layout: Layout;
  #bytes = 0;
  /** By topic and partition. */
  readonly #groups = new Map<string, OpenGroup[]>();
  /** Where the message before went. */
  #address: Address | undefined;
  #topicGroups: OpenGroup[] = [];
  #partitions = 0;

  constructor(layout: Layout) {
    this.#layout = layout;
  }

  /** Unless there is no room. A request that holds nothing has some for every message. */
  take(delivery: Delivery): boolean {
    const { addressOf, extras, limits, refuse } = this.#layout;
    const address = addressOf(delivery);
    if (address !== this.#address) this.#turnTo(address);
    const { key } = address;
    const partition = key ? partitionOf(key, this.#partitions) : turnOf(delivery.position, this.#partitions);
    const group = this.#topicGroups[partition] ??= {
      ...{ topic: address.topic, partition, deliveries: [], records: new RecordBatch() },
    };
    const bytes = writeRecord(group.records, delivery, address, extras);
    const fits = group.records.bytes <= limits.groupBytes;
    if (fits && this.#bytes + bytes <= limits.requestBytes) {
      group.deliveries.push(delivery);
      this.#bytes += bytes;
      return true;
    }
    group.records.takeBack();
    if (this.#bytes > 0) return false;
    refuse(delivery, batchHeadBytes + bytes);
    return true;
  }

  groups(): Group[] {
    return [...this.#groups.values()].flatMap((groups) => groups.filter(({ deliveries }) => deliveries.length > 0));
  }

  #turnTo(address: Address): void {
    this.#address = address;
    const { topic } = address;
    let groups = this.#groups.get(topic);
    if (groups === undefined) this.#groups.set(topic, groups = []);
    this.#topicGroups = groups;
    this.#partitions = this.#layout.partitions.get(topic)!;
  }
}
