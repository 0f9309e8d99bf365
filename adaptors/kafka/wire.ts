/** What Kafka keeps of a message: its topic, key, headers and value, from a delivery. Knows no sockets. */
import { Buffer } from "node:buffer";
import { type Delivery, headingOf } from "../../src/deliver/adaptor.ts";
import { outputNames } from "../../src/message/message.ts";

/** Which of a message's fields become headers, besides being in the value as the format has them. */
export type Headers = "all" | "id" | "none";

/** A delivery as Kafka will keep it. */
export interface Outgoing {
  readonly delivery: Delivery;
  readonly topic: string;
  readonly key: Buffer | undefined;
  readonly headers: Map<Buffer, Buffer>;
  readonly value: Buffer;
  readonly timestamp: bigint;
  /** At most this many before compression. */
  readonly bytes: number;
}

/** What the options make of a message. */
export interface Address {
  readonly topic: string;
  readonly key: string | undefined;
  readonly headers: Headers;
}

export function outgoing(delivery: Delivery, address: Address): Outgoing {
  const { body } = delivery;
  const { topic } = address;
  const fields = headersOf(delivery, address);
  const key = address.key === undefined ? undefined : Buffer.from(address.key);
  const value = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  return {
    delivery,
    topic,
    key,
    headers: fields,
    value,
    timestamp: BigInt(headingOf(delivery).timestamp),
    bytes: size(key, value, fields),
  };
}

/** Kafka's rule for the names of topics. */
export function isTopicName(topic: string): boolean {
  return /^[A-Za-z0-9._-]{1,249}$/.test(topic) && topic !== "." && topic !== "..";
}

function headersOf(delivery: Delivery, address: Address): Map<Buffer, Buffer> {
  const made = new Map<Buffer, Buffer>();
  if (address.headers === "none") return made;
  made.set(names.id, Buffer.from(delivery.id));
  if (address.headers === "id") return made;
  const { message } = delivery;
  made.set(names.timestamp, Buffer.from(String(message.timestamp)));
  for (const { field, name } of fieldHeaders) {
    const value = message[field];
    if (value === undefined || ((field === "topic" || field === "key") && value === address[field])) continue;
    made.set(name, Buffer.from(value));
  }
  return made;
}

const names = { id: Buffer.from("id"), timestamp: Buffer.from("timestamp") };

/** The topic and the key are headers only where the templates made others of them. */
const fieldHeaders = outputNames.map(([field, name]) => ({ field, name: Buffer.from(name) }));

/** Lengths are written in up to 5 bytes each, the time in up to 10. */
function size(key: Buffer | undefined, value: Buffer, headers: ReadonlyMap<Buffer, Buffer>): number {
  let bytes = 36 + (key?.length ?? 0) + value.length;
  for (const [name, content] of headers) bytes += 10 + name.length + content.length;
  return bytes;
}
