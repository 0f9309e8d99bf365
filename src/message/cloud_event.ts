/**
 * CloudEvents 1.0, structured as JSON: one event a line. What has no attribute in CloudEvents is in extensions of that field's
 * name without its underscore; `partitionkey` and `recordedtime` are known extensions. What came as a CloudEvent goes on with the
 * attributes it had. The payload is as it was received.
 */
import { objectIn, objectValue, payloadBytes, payloadMember, quoted } from "./json_text.ts";
import type { Fields, Message } from "./message.ts";
import { Slab } from "./slab.ts";

/** By field, as events that come in have them too (`ingest/cloud_event.ts`). */
const extensions: readonly (readonly [keyof Fields, string])[] = [
  ["topic", "topic"],
  ["env", "env"],
  ["version", "version"],
  ["level", "level"],
  ["ip", "ip"],
  ["peerIp", "peerip"],
  ["referrer", "referrer"],
  ["userAgent", "useragent"],
  ["cookies", "cookies"],
  ["traceparent", "traceparent"],
  ["tracestate", "tracestate"],
  ["key", "partitionkey"],
];

export function cloudEventFormatter(): (message: Message, id: string) => Uint8Array {
  const slab = new Slab();
  return (message, id) => {
    const own = ownAttributes(message);
    const members = attributesOf(message, id)
      .filter(([name, value]) => value !== "" && own[name] === undefined)
      .map(([name, value]) => `"${name}":${attribute(value)}`);
    if (message.attributes !== undefined && own !== none) members.push(objectValue(message.attributes).slice(1, -1));
    return slab.object(`{${members.join(",")}${payloadMember(message)}`, payloadBytes(message));
  };
}

const none: Readonly<Record<string, unknown>> = Object.freeze(Object.create(null));

/** What stood in the CloudEvent that this was, besides fields. */
function ownAttributes({ attributes }: Message): Readonly<Record<string, unknown>> {
  if (attributes === undefined) return none;
  const own = objectIn(attributes);
  return own.specversion === "1.0" ? own : none;
}

function attributesOf(message: Message, id: string): (readonly [name: string, value: string])[] {
  const { topic, type, schema = "", timestamp, dataIsJson, data } = message;
  const hasNothing = dataIsJson && data.length === 0;
  const contentType = dataIsJson ? "application/json" : "application/octet-stream";
  return [
    ["specversion", "1.0"],
    ["id", id],
    ["source", `/${topic}`],
    ["type", type || topic],
    ["time", timeOf(message)],
    ["recordedtime", rfc3339(timestamp)],
    ...extensions.map(([field, name]) => [name, message[field] ?? ""] as const),
    ["dataschema", URL.canParse(schema) ? schema : ""],
    ["datacontenttype", hasNothing ? "" : contentType],
  ];
}

/** Control characters and halves of characters are not allowed in attributes. */
function attribute(value: string): string {
  // deno-lint-ignore no-control-regex
  return quoted(value.toWellFormed().replace(/[\x00-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff]/g, "\ufffd"));
}

const lastMs = Date.UTC(10_000, 0) - 1;
const strict = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

/** When it happened, as far as anybody said. */
function timeOf({ submittedTimestamp, submittedMs, timestamp }: Message): string {
  if (submittedMs === undefined || !isDate(submittedMs)) return rfc3339(timestamp);
  return submittedTimestamp !== undefined && strict.test(submittedTimestamp)
    ? submittedTimestamp
    : rfc3339(submittedMs);
}

/** Times of RFC 3339 end with the year 9999. */
function isDate(ms: number): boolean {
  return ms >= 0 && ms <= lastMs;
}

function rfc3339(ms: number): string {
  return new Date(isDate(ms) ? ms : 0).toISOString();
}
