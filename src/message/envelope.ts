/**
 * The V1 envelope: one line of JSON that holds every field of a message and its payload as it was received.
 *
 *     {"id":…,"timestamp":…,"submitted_timestamp":…,"topic":…,…,"data":<the bytes received>}
 *
 * Numbers, duplicate keys and key order inside `data` survive, because nobody parses it. Bytes that are no JSON are in
 * `data_base64` instead.
 */
import { type Fields, isOffTime, type Message, outputNames } from "./message.ts";

const slabBytes = 1 << 18;
const lineFeed = 10;
const carriageReturn = 13;
const space = 32;
const brace = 0x7d;

/** Fields that many messages in a row have alike; time and key differ each time and are written each time. */
const steadyNames = outputNames.filter(([name]) => name !== "submittedTimestamp" && name !== "key");

/**
 * Writes envelopes, many a second: what a message has like the one before it is not escaped again. The bytes of many messages
 * share a buffer, so they must not be transferred to another thread.
 */
export class EnvelopeV1 {
  #slab = new Uint8Array(slabBytes);
  #at = 0;
  /** The steady fields of the last message: their values, how each is written, and all of them together. */
  readonly #values: (string | undefined)[] = steadyNames.map(() => undefined);
  readonly #texts: string[] = steadyNames.map(() => "");
  #steady = "";

  /** The message as one line without its end. */
  line(message: Message, id: string): Uint8Array {
    this.#refresh(message);
    const data = message.dataIsJson ? oneLine(message.data) : nothing;
    // In one piece: what a call of the encoder costs does not depend on the length.
    const text = headText(message, id) + this.#steady + tailText(message);
    // A character takes at most three bytes.
    this.#need(3 * text.length + data.length + 1);
    const start = this.#at;
    this.#at += encoder.encodeInto(text, this.#slab.subarray(start)).written;
    this.#slab.set(data, this.#at);
    this.#at += data.length;
    this.#slab[this.#at++] = brace;
    return this.#slab.subarray(start, this.#at);
  }

  #refresh(message: Message): void {
    let changed = false;
    for (let i = 0; i < steadyNames.length; i++) {
      const [name, label] = steadyNames[i]!;
      const value = message[name];
      if (value === this.#values[i]) continue;
      this.#values[i] = value;
      this.#texts[i] = member(name, label, value);
      changed = true;
    }
    if (!changed) return;
    this.#steady = "";
    for (const text of this.#texts) this.#steady += text;
  }
  #need(count: number): void {
    if (this.#at + count <= this.#slab.length) return;
    this.#slab = new Uint8Array(Math.max(slabBytes, count));
    this.#at = 0;
  }
}

const encoder = new TextEncoder();
const nothing = new Uint8Array(0);
const harmless = /^[ !#-[\]-~]*$/;
const integer = /^(?:0|-?[1-9]\d{0,15})$/;

function headText(message: Message, id: string): string {
  const { timestamp, submittedTimestamp } = message;
  const head = `{"id":${quoted(id)},"timestamp":${timestamp}`;
  return submittedTimestamp === undefined ? head : head + submittedText(message, submittedTimestamp);
}

function submittedText(message: Message, given: string): string {
  const off = message.submittedMs === undefined ? undefined : isOffTime(message.submittedMs, message.timestamp);
  const value = integer.test(given) && Number.isSafeInteger(Number(given)) ? given : quoted(given);
  return `,"submitted_timestamp":${value}${off ? `,"submitted_off":"${off}"` : ""}`;
}

function member(name: keyof Fields, label: string, value: string | undefined): string {
  if (value === undefined) return "";
  return `,"${label}":${isJson(name) ? value.replace(/[\r\n]/g, " ") : quoted(value)}`;
}

/** These are the text of a JSON object already. */
function isJson(name: keyof Fields): boolean {
  return name === "cookies" || name === "attributes";
}

/** The key and the name of the data; the data too when it is no JSON. */
function tailText({ key, data, dataIsJson }: Message): string {
  const head = key === undefined ? "" : `,"key":${quoted(key)}`;
  if (!dataIsJson) return `${head},"data_base64":"${toBase64(data)}"`;
  return data.length === 0 ? head : `${head},"data":`;
}

function quoted(text: string): string {
  return harmless.test(text) ? `"${text}"` : JSON.stringify(text);
}

/** JSON has line ends only between its parts, where a space means the same. */
function oneLine(json: Uint8Array): Uint8Array {
  for (let i = 0; i < json.length; i++) {
    if (json[i] === lineFeed || json[i] === carriageReturn) return json.map(spaceForLineEnd);
  }
  return json;
}

function spaceForLineEnd(byte: number): number {
  return byte === lineFeed || byte === carriageReturn ? space : byte;
}

function toBase64(bytes: Uint8Array): string {
  return (bytes as Uint8Array & { toBase64(): string }).toBase64();
}
