/** What Kafka keeps of a message: its topic, key, headers and value, from a delivery. Knows no sockets. */
import { type Delivery, type Heading, headingOf } from "../../src/deliver/adaptor.ts";
import { type Message, outputNames } from "../../src/message/message.ts";
import type { RecordBatch } from "./records.ts";

/** Which of a message's fields become headers, besides being in the value as the format has them. */
export type Headers = "all" | "id" | "none";

/** What is kept of a message besides key and value. */
export interface Extras {
  readonly headers: Headers;
  /** The media type of the value. */
  readonly contentTypeOf: (message: Message) => string;
}

/** Where a message goes. Those that follow each other mostly share one. */
export interface Address {
  readonly topic: string;
  readonly keyText: string | undefined;
  readonly key: Uint8Array | undefined;
}

/** What the options make of messages. */
export interface Addressing {
  readonly topicOf: (heading: Heading) => string;
  readonly keyOf: (heading: Heading) => string | undefined;
}

/** Kafka's rule for the names of topics. */
export function isTopicName(topic: string): boolean {
  return /^[A-Za-z0-9._-]{1,249}$/.test(topic) && topic !== "." && topic !== "..";
}

export class Addresses {
  readonly #addressing: Addressing;
  #heading: Heading | undefined;
  #address: Address | undefined;

  constructor(addressing: Addressing) {
    this.#addressing = addressing;
  }

  of(delivery: Delivery): Address {
    const heading = headingOf(delivery);
    if (this.#address !== undefined && heading === this.#heading) return this.#address;
    this.#heading = heading;
    const topic = this.#addressing.topicOf(heading);
    const keyText = this.#addressing.keyOf(heading);
    if (topic === this.#address?.topic && keyText === this.#address.keyText) return this.#address;
    return this.#address = { topic, keyText, key: keyText === undefined ? undefined : encoder.encode(keyText) };
  }
}

/** Adds the message to the batch; how many bytes it has there. */
export function writeRecord(batch: RecordBatch, delivery: Delivery, address: Address, extras: Extras): number {
  const { headers } = extras;
  const { timestamp } = headingOf(delivery);
  const { key } = address;
  if (headers === "all") return writeWithFields(batch, delivery, address, extras);
  batch.begin(timestamp, key, delivery.body, headers === "id" ? 1 : 0);
  if (headers === "id") batch.header(names.id, delivery.id);
  return batch.end();
}

function writeWithFields(batch: RecordBatch, delivery: Delivery, address: Address, { contentTypeOf }: Extras): number {
  const { message } = delivery;
  const fields = fieldHeaders.filter(({ field }) => {
    const value = message[field];
    // The topic and the key are headers only where the templates made others of them.
    if (field === "topic") return value !== address.topic;
    return value !== undefined && (field !== "key" || value !== address.keyText);
  });
  batch.begin(message.timestamp, address.key, delivery.body, 3 + fields.length);
  batch.header(names.id, delivery.id);
  batch.header(names.timestamp, String(message.timestamp));
  batch.header(names.contentType, contentTypeOf(message));
  for (const { field, name } of fields) batch.header(name, message[field]!);
  return batch.end();
}

const encoder = new TextEncoder();
const names = {
  id: encoder.encode("id"),
  timestamp: encoder.encode("timestamp"),
  // As CloudEvents' binding for Kafka has it.
  contentType: encoder.encode("content-type"),
};
const fieldHeaders = outputNames.map(([field, name]) => ({ field, name: encoder.encode(name) }));
