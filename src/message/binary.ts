/**
 * The binary format, version 1: a message as bytes that need no parser of JSON. Numbers are big-endian and unsigned.
 *
 * | bytes | what |
 * |---|---|
 * | 2 | "SN" |
 * | 1 | version = 1 |
 * | 1 | flags: bit 0 = the payload is one JSON value |
 * | 4 | how many bytes follow |
 * | 8 | arrival, ms since 1970 |
 * | per field: 1, 4, n | its number, its length, its value as UTF-8 |
 * | 1, 4, n | 0, the payload's length, the payload as it was received; always last |
 *
 * Numbers of fields are for ever; a reader passes over those it does not know. Clients read it by `decodeBinary`.
 */
import type { Fields, Message } from "./message.ts";
import { Slab } from "./slab.ts";

const magic = 0x534e;
const version = 1;
const headBytes = 16;
const partBytes = 5;
const isJsonFlag = 1;
const payloadNumber = 0;
const idNumber = 1;

export const binaryNumbers = {
  id: idNumber,
  topic: 2,
  env: 3,
  version: 4,
  type: 5,
  level: 6,
  ip: 7,
  peerIp: 8,
  referrer: 9,
  userAgent: 10,
  cookies: 11,
  key: 12,
  submittedTimestamp: 13,
  schema: 14,
  traceparent: 15,
  tracestate: 16,
  attributes: 17,
} as const satisfies Record<keyof Fields, number>;

const names = Object.keys(binaryNumbers) as (keyof Fields)[];
const nameOf = new Map<number, keyof Fields>(names.map((name) => [binaryNumbers[name], name]));
const otherNames = names.filter((name) => name !== "id");

export function binaryFormatter(): (message: Message, id: string) => Uint8Array {
  const slab = new Slab();
  return (message, id) => {
    const writer = new Writer(slab.room(roomFor(message, id)));
    writer.text(idNumber, id);
    for (const name of otherNames) {
      const value = message[name];
      if (value !== undefined) writer.text(binaryNumbers[name], value);
    }
    writer.part(payloadNumber, message.data);
    return slab.used(writer.finish(message));
  };
}

/** Enough for it, at three bytes a character. */
function roomFor(message: Message, id: string): number {
  let count = headBytes + 2 * partBytes + 3 * id.length + message.data.length;
  for (const name of otherNames) count += partBytes + 3 * (message[name]?.length ?? 0);
  return count;
}

const encoder = new TextEncoder();

class Writer {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = headBytes;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
  }
  text(number: number, value: string): void {
    const { written } = encoder.encodeInto(value, this.#bytes.subarray(this.#at + partBytes));
    this.#begin(number, written);
    this.#at += written;
  }
  part(number: number, bytes: Uint8Array): void {
    this.#begin(number, bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }
  /** Writes the head; tells how many bytes it all has. */
  finish({ timestamp, dataIsJson }: Message): number {
    this.#view.setUint16(0, magic);
    this.#view.setUint8(2, version);
    this.#view.setUint8(3, dataIsJson ? isJsonFlag : 0);
    this.#view.setUint32(4, this.#at - 8);
    this.#view.setBigUint64(8, BigInt(Math.max(Math.trunc(timestamp), 0)));
    return this.#at;
  }
  #begin(number: number, length: number): void {
    this.#view.setUint8(this.#at, number);
    this.#view.setUint32(this.#at + 1, length);
    this.#at += partBytes;
  }
}

/** What `decodeBinary` finds: a message whose sender gave its id, or got one. */
export type DecodedMessage = Omit<Message, "submittedMs"> & { readonly id: string };

/**
 * The message that begins at `at`, and where it ends. Its payload shares the bytes. Throws a `TypeError` when there is none, or one of
 * a later version.
 */
export function decodeBinary(bytes: Uint8Array, at = 0): { readonly message: DecodedMessage; readonly end: number } {
  const view = viewOf(bytes.subarray(at));
  if (view.byteLength < headBytes) throw new TypeError("Cannot read message: it ends too early");
  if (view.getUint16(0) !== magic) throw new TypeError('Cannot read message: it does not begin with "SN"');
  if (view.getUint8(2) !== version) throw new TypeError(`Cannot read message: its version is ${view.getUint8(2)}`);
  const end = view.getUint32(4) + 8;
  if (end > view.byteLength) throw new TypeError("Cannot read message: it ends too early");
  const fields: Record<string, string> = {};
  let data: Uint8Array | undefined;
  for (let part = headBytes; part < end;) {
    if (part + partBytes > end || data !== undefined) throw new TypeError("Cannot read message: its parts do not fit");
    const length = view.getUint32(part + 1);
    const start = part + partBytes;
    if (start + length > end) throw new TypeError("Cannot read message: its parts do not fit");
    const value = bytes.subarray(at + start, at + start + length);
    const number = view.getUint8(part);
    if (number === payloadNumber) data = value;
    else if (nameOf.has(number)) fields[nameOf.get(number)!] = decoder.decode(value);
    part = start + length;
  }
  const { id, topic, ...others } = fields;
  if (id === undefined || topic === undefined || data === undefined) {
    throw new TypeError("Cannot read message: it lacks its id, its topic or its payload");
  }
  const timestamp = Number(view.getBigUint64(8));
  const dataIsJson = (view.getUint8(3) & isJsonFlag) !== 0;
  return { message: { ...others, id, topic, timestamp, data, dataIsJson }, end: at + end };
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
