/** Messages of each kind, for the golden files: what they look like in each format stands there for ever. */
import { type Message, submittedMs } from "../../src/message/message.ts";

export const arrival = 1_772_366_400_000;

export function message(fields: Partial<Message>, data: string | Uint8Array = "{}"): Message {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  const given = fields.submittedTimestamp;
  const ms = given === undefined ? undefined : submittedMs(given);
  const submitted = ms === undefined ? {} : { submittedMs: ms };
  return { topic: "t", timestamp: arrival, data: bytes, dataIsJson: typeof data === "string", ...submitted, ...fields };
}

/** The id of the one with this number. */
export function idOf(number: number): string {
  return number === 1 ? 'own"id' : `9f3c01aa27de4410-3-${number}`;
}

export const kinds: readonly Message[] = [
  message({}, '{"a":1}'),
  message({
    topic: "web.clicks",
    env: "prod",
    version: "1.0",
    type: "http",
    level: "info",
    ip: "192.0.2.7",
    peerIp: "10.0.0.1",
    referrer: "https://example.com/?q=1",
    userAgent: 'Mozilla/5.0 "quoted" \\ back',
    cookies: '{"user_id":"7"}',
    key: "user 7",
    submittedTimestamp: "1772366399000",
  }, '{"n":12345678901234567890,"n":1.0,"z":"\\u00e4"}'),
  message({ submittedTimestamp: "2026-03-01T12:00:00Z", env: "Zoë ☃ \u{1f600}" }, '"text"'),
  message({ submittedTimestamp: "1772366400" }, "[1,\r\n 2,\n 3]"),
  message({ submittedTimestamp: "134545634345" }, "null"),
  message({ submittedTimestamp: "1772367400000" }, "1e999"),
  message({ submittedTimestamp: "0012" }, "true"),
  message({ type: "a\tb\nc\0d\u001b[31m" }, Uint8Array.of(0xff, 0, 0x0a, 0x22)),
  message({ type: "" }, new Uint8Array(0)),
];

/** What came later, too. */
export const allKinds: readonly Message[] = [
  ...kinds,
  message({
    schema: "https://example.com/schemas/cart-3.json",
    version: "2",
    ip: "2001:db8::7",
    level: "-",
    userAgent: "plain-agent",
    referrer: "two words",
    cookies: '{"user_id":"a b","__proto__":"\\u0000"}',
  }, '{\n"a":[ ]}'),
  message({ env: "\u0085\u2028\u007f" }, new TextEncoder().encode("plain text, no JSON")),
  message({
    id: "not asked for",
    type: "com.example.made",
    submittedTimestamp: "2026-03-01T12:00:00.123456+01:00",
    traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    tracestate: "a=b",
    attributes: '{"specversion":"1.0","source":"/own","subject":"s","n":7,\n"topic":"other"}',
  }, ""),
  message({ attributes: '{"source":"no event"}' }, "{}"),
  message({ submittedTimestamp: "99999999999999" }, new TextEncoder().encode("base64:not")),
];
