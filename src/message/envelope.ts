/**
 * The envelopes, each one line of JSON that holds every field of a message and its payload as it was received. V1 is flat, V2
 * has the fields in a header:
 *
 *     {"id":…,"timestamp":…,"submitted_timestamp":…,"topic":…,…,"data":<the bytes received>}
 *     {"header":{"id":…,"timestamp":…,"submitted_timestamp":…,"topic":…,…},"data":<the bytes received>}
 *
 * Numbers, duplicate keys and key order inside `data` survive, because nobody parses it. Bytes that are no JSON are in
 * `data_base64` instead.
 */
import { objectValue, payloadBytes, payloadMember, quoted, submittedValue } from "./json_text.ts";
import { type Fields, isOffTime, type Message, outputNames } from "./message.ts";
import { Slab } from "./slab.ts";

/** Fields that many messages in a row have alike; time and key differ each time and are written each time. */
export const steadyNames = outputNames.filter(([name]) => name !== "submittedTimestamp" && name !== "key");

/** Where the fields begin and end. */
export const frames = { v1: { begin: "{", end: "" }, v2: { begin: '{"header":{', end: "}" } } as const;

/** Writes envelopes, many a second: what a message has like the one before it is not escaped again. */
export class Envelope {
  readonly #slab = new Slab();
  readonly #begin: string;
  readonly #end: string;
  /** The steady fields of the last message: their values, how each is written, and all of them together. */
  readonly #values: (string | undefined)[] = steadyNames.map(() => undefined);
  readonly #texts: string[] = steadyNames.map(() => "");
  #steady = "";
  /** The last message, whose steady fields these are. */
  #last: Fields | undefined;

  constructor(version: keyof typeof frames) {
    this.#begin = frames[version].begin;
    this.#end = frames[version].end;
  }

  /** The message as one line without its end. */
  line(message: Message, id: string): Uint8Array {
    this.#refresh(message);
    return this.#slab.object(
      this.#begin + headText(message, id) + this.#steady + tailText(message, this.#end),
      payloadBytes(message),
    );
  }

  #refresh(message: Message): void {
    if (this.#last !== undefined && isSteady(message, this.#last)) return;
    this.#last = message;
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
}

/** One by one, not by the names: the engine then knows where each stands, which is worth a quarter of writing one. */
function isSteady(message: Fields, last: Fields): boolean {
  return message.topic === last.topic && message.level === last.level && message.type === last.type &&
    message.env === last.env && message.version === last.version && message.ip === last.ip &&
    message.peerIp === last.peerIp && message.referrer === last.referrer && message.userAgent === last.userAgent &&
    message.cookies === last.cookies && message.traceparent === last.traceparent &&
    message.tracestate === last.tracestate && message.attributes === last.attributes && message.schema === last.schema;
}

function headText(message: Message, id: string): string {
  const { timestamp, submittedTimestamp } = message;
  const head = `"id":${quoted(id)},"timestamp":${timestamp}`;
  return submittedTimestamp === undefined ? head : head + submittedText(message, submittedTimestamp);
}

function submittedText(message: Message, given: string): string {
  const off = message.submittedMs === undefined ? undefined : isOffTime(message.submittedMs, message.timestamp);
  return `,"submitted_timestamp":${submittedValue(given)}${off ? `,"submitted_off":"${off}"` : ""}`;
}

/** The key, the end of the fields, and the name of the payload. */
function tailText(message: Message, end: string): string {
  const { key } = message;
  const head = key === undefined ? end : `,"key":${quoted(key)}${end}`;
  return head + payloadMember(message);
}

function member(name: keyof Fields, label: string, value: string | undefined): string {
  if (value === undefined) return "";
  return `,"${label}":${isJson(name) ? objectValue(value) : quoted(value)}`;
}

/** These are the text of a JSON object already. */
export function isJson(name: keyof Fields): boolean {
  return name === "cookies" || name === "attributes";
}
