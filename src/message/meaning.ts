/** What the fields of a message mean, in which unit, and where their values come from: for the manual and for the API's description. */
import type { outputNames } from "./message.ts";

export type FieldLabel = "id" | "timestamp" | (typeof outputNames)[number][1] | "data";

export interface Meaning {
  readonly what: string;
  /** Its unit or form. */
  readonly form: string;
  /** Where the value comes from, the first that has one. */
  readonly from: string;
}

export const meanings: Readonly<Record<FieldLabel, Meaning>> = {
  id: {
    what: "the name of the message, the same each time it is delivered, so that receivers can drop copies",
    form:
      "node-epoch-position, such as 9f3c01aa27de4410-3-102938; or 1 to 128 printable ASCII characters of the sender's",
    from: "the message; else made from the node and the place in its log",
  },
  timestamp: {
    what: "when the message was taken; what files and hours go by",
    form: "milliseconds since 1970-01-01T00:00Z, an integer",
    from: "the clock of this machine at arrival, never the sender",
  },
  submitted_timestamp: {
    what:
      "when the sender says it happened; as given in every format, and marked by submitted_off (late, early) when it is more " +
      "than 7 days before or 10 minutes after the arrival",
    form: "milliseconds since 1970 (13 digits), seconds (10 digits), or RFC 3339; other integers are milliseconds",
    from: "the message, else the query",
  },
  topic: {
    what: "what the message is about: where it goes to in Kafka and in files",
    form: '1 to 249 of A-Z a-z 0-9 . _ -, and not "." or ".."',
    from: "the message, else the query, else http.topic; without any it is refused",
  },
  env: {
    what: "the environment it comes from, such as prod or test",
    form: "text of at most 8192 characters, as all fields below",
    from: "the message, else the query",
  },
  version: { what: "the version of what the sender sends", form: "text", from: "the message, else the query" },
  type: { what: "the kind of message within its topic", form: "text", from: "the message, else the query" },
  level: {
    what: "how grave it is; warnning, as the original's manual wrote it, is kept as warning",
    form: "text, such as info, warning, error",
    from: "the message, else the query",
  },
  ip: {
    what: "the address that the message speaks of, which the sender may claim; kept as http.ip says",
    form: "an IPv4 or IPv6 address as text, whole, truncated to /24 and /48, or 32 hexadecimal digits of a daily hash",
    from: "the message, else the query, else the address of the client",
  },
  peer_ip: {
    what: "the address that we saw; kept as http.ip says",
    form: "as ip",
    from: "the connection, or X-Forwarded-For behind http.trusted_proxies; never the sender",
  },
  referrer: { what: "the page that led there", form: "text", from: "the message, else the query, else Referer" },
  user_agent: { what: "the program that sent it", form: "text", from: "the message, else the query, else User-Agent" },
  cookies: {
    what: "cookies; they are secrets, so of those of a request none are kept but what http.cookies asks for",
    form: "a JSON object of texts",
    from: "the message, else the query, else Cookie",
  },
  traceparent: {
    what: "the trace it belongs to; what is none is dropped",
    form: "as W3C Trace Context writes it",
    from: "the message, else the query, else the header of that name",
  },
  tracestate: { what: "what vendors add to the trace", form: "as W3C Trace Context writes it", from: "as traceparent" },
  attributes: {
    what: "what a CloudEvent says besides, such as source and subject",
    form: "a JSON object",
    from: "the CloudEvent",
  },
  key: {
    what: "what must stay in order: messages of one key go to one partition of Kafka",
    form: "text",
    from: "the message, else the query",
  },
  schema: {
    what: "what describes the payload",
    form: "text, such as a URI",
    from: "the header of a message in the V2 envelope",
  },
  data: {
    what: "the payload, byte for byte as it was received",
    form: "one JSON value; or any bytes, which are in data_base64 where the format is JSON",
    from: "the message; in a query, the parameters that are no fields, as a JSON object",
  },
};
