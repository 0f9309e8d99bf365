/** The fields that a destination asks for by `fields`, as columns: what each is called, and how it is written. */
import { isUtf8 } from "node:buffer";
import { cookieIn, type ListedName } from "../config/format.ts";
import { objectIn, objectValue, oneLine, quoted, submittedValue, toBase64 } from "./json_text.ts";
import type { Fields, Message } from "./message.ts";

/** What a message has of a field, or nothing. */
type Value = (message: Message, id: string) => string | undefined;

export interface Column {
  /** As it was written between the percent signs. */
  readonly name: ListedName;
  /** For plain lines. */
  readonly text: Value;
  /** As JSON. Of `data` nothing: its bytes are not to become a text. */
  readonly json: Value;
}

const fieldOf: Readonly<
  Record<Exclude<ListedName, `cookie_${string}` | "id" | "timestamp" | "time_stamp" | "data">, keyof Fields>
> = {
  submitted_timestamp: "submittedTimestamp",
  topic: "topic",
  env: "env",
  version: "version",
  type: "type",
  level: "level",
  ip: "ip",
  peer_ip: "peerIp",
  referrer: "referrer",
  user_agent: "userAgent",
  "user-agent": "userAgent",
  cookies: "cookies",
  cookie: "cookies",
  key: "key",
  traceparent: "traceparent",
  tracestate: "tracestate",
  attributes: "attributes",
  schema: "schema",
};

export function columnsOf(names: readonly ListedName[]): Column[] {
  return names.map((name) => {
    const text = textOf(name);
    const written = writtenAs(name);
    const json: Value = (message, id) => {
      const value = text(message, id);
      return value === undefined ? undefined : written(value);
    };
    return { name, text, json: name === "data" ? () => undefined : json };
  });
}

function textOf(name: ListedName): Value {
  const cookie = cookieIn(name);
  if (cookie !== undefined) return ({ cookies }) => cookies === undefined ? undefined : cookieOf(cookies, cookie);
  if (name === "id") return (_, id) => id;
  if (name === "timestamp" || name === "time_stamp") return ({ timestamp }) => String(timestamp);
  if (name === "data") return payloadText;
  const field = fieldOf[name as keyof typeof fieldOf];
  return (message) => message[field];
}

/** Their values are JSON already. */
const objects: readonly ListedName[] = ["cookies", "cookie", "attributes"];

/** How a value of that field is JSON. */
function writtenAs(name: ListedName): (value: string) => string {
  if (name === "timestamp" || name === "time_stamp") return (value) => value;
  if (name === "submitted_timestamp") return submittedValue;
  return objects.includes(name) ? objectValue : quoted;
}

/** Of the cookies that were kept. */
function cookieOf(cookies: string, name: string): string | undefined {
  const value = objectIn(cookies)[name];
  return typeof value === "string" ? value : undefined;
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const base64Mark = "base64:";

/** The payload as a text: what is no UTF-8, or looks as if it were written so, is base64 behind a mark. */
function payloadText({ data, dataIsJson }: Message): string {
  if (dataIsJson) return decoder.decode(oneLine(data));
  const text = isUtf8(data) ? decoder.decode(data) : undefined;
  return text === undefined || text.startsWith(base64Mark) ? base64Mark + toBase64(data) : text;
}
