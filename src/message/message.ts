/** A message: the fields everybody can rely on, and what makes one valid. Knows nothing of HTTP, the log or any destination. */

/** What a sender gave. Everything but `topic` and `data` may be missing. */
export interface Fields {
  topic?: string;
  env?: string;
  version?: string;
  type?: string;
  level?: string;
  /** The client's own id; makes a repeat recognisable. */
  id?: string;
  key?: string;
  /** As the sender wrote it; `submittedMs` is the normalised copy. */
  submittedTimestamp?: string;
  /** The address the message claims, else the one we saw. */
  ip?: string;
  /** The address we saw. */
  peerIp?: string;
  referrer?: string;
  userAgent?: string;
  /** The cookies kept, as the text of a JSON object of strings. */
  cookies?: string;
  /** Which trace this belongs to, as W3C Trace Context writes it; the state only beside its parent. */
  traceparent?: string;
  tracestate?: string;
  /** What the envelope it came in says besides, as the text of a JSON object: of a CloudEvent, `specversion`, `source` and so on. */
  attributes?: string;
  /** What the sender says describes the payload: of the V2 envelope. */
  schema?: string;
}

/** A message as it was taken. */
export interface Message extends Readonly<Fields> {
  readonly topic: string;
  /** Our clock at arrival, ms since 1970. */
  readonly timestamp: number;
  readonly submittedMs?: number;
  /** The bytes received, verbatim: one JSON value when `dataIsJson`, any bytes otherwise. */
  readonly data: Uint8Array;
  readonly dataIsJson: boolean;
}

/** Why a message is refused: which field, and what it should be. */
export interface Refusal {
  readonly field: string;
  readonly reason: string;
}

/** The names of fields in JSON and in queries, with the spellings that are accepted for each. */
export const fieldNames: ReadonlyMap<string, keyof Fields> = new Map<string, keyof Fields>([
  ["id", "id"],
  ["topic", "topic"],
  ["env", "env"],
  ["version", "version"],
  ["ver", "version"],
  ["type", "type"],
  ["level", "level"],
  ["key", "key"],
  ["ip", "ip"],
  ["submitted_timestamp", "submittedTimestamp"],
  ["stimestamp", "submittedTimestamp"],
  ["time_stamp", "submittedTimestamp"],
  ["sts", "submittedTimestamp"],
  ["referrer", "referrer"],
  ["user_agent", "userAgent"],
  ["user-agent", "userAgent"],
  ["cookies", "cookies"],
  ["traceparent", "traceparent"],
  ["tracestate", "tracestate"],
]);

/** How each field is called on the way out, in the order of the V1 envelope. A schema, rare as it is, stands before the key. */
export const outputNames = [
  ["submittedTimestamp", "submitted_timestamp"],
  ["topic", "topic"],
  ["env", "env"],
  ["version", "version"],
  ["type", "type"],
  ["level", "level"],
  ["ip", "ip"],
  ["peerIp", "peer_ip"],
  ["referrer", "referrer"],
  ["userAgent", "user_agent"],
  ["cookies", "cookies"],
  ["traceparent", "traceparent"],
  ["tracestate", "tracestate"],
  ["attributes", "attributes"],
  ["key", "key"],
  ["schema", "schema"],
] as const;

export const fieldLengthMax = 8192;
/** Whoever passes CloudEvents on has to take them up to this (CloudEvents 1.0.2, Size Limits). */
export const attributesLengthMax = 65_536;

const topicShape = /^[A-Za-z0-9._-]{1,249}$/;
const idShape = /^[\x21-\x7e]{1,128}$/;

/** What is wrong with the fields of a message, or nothing. The topic may be missing here: a default may fill it. */
export function refusalOf(fields: Fields): Refusal | undefined {
  const { topic, id } = fields;
  if (topic !== undefined && (!topicShape.test(topic) || topic === "." || topic === "..")) {
    return { field: "topic", reason: 'must be 1 to 249 of A-Z a-z 0-9 . _ -, and not "." or ".."' };
  }
  if (id !== undefined && !idShape.test(id)) {
    return { field: "id", reason: "must be 1 to 128 printable ASCII characters without spaces" };
  }
  for (const name in fields) {
    const value = fields[name as keyof Fields];
    const most = name === "attributes" ? attributesLengthMax : fieldLengthMax;
    if (value !== undefined && value.length > most) {
      return { field: name, reason: `is longer than ${most} characters` };
    }
  }
  return undefined;
}

/** The 2013 readme's own slip of the pen, which its users copied. */
export function normaliseLevel(level: string): string {
  return level === "warnning" ? "warning" : level;
}

/**
 * The sender's time in ms: integer ms (13 digits), seconds (10 digits) or RFC 3339. Other integers are taken as ms, as the
 * original did. `undefined` when it is none of these.
 */
export function submittedMs(given: string): number | undefined {
  if (given.length === 13 && isDigits(given)) return Number(given);
  if (/^-?\d{1,16}$/.test(given)) return given.length === 10 ? Number(given) * 1000 : Number(given);
  if (!/^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:?\d\d)$/.test(given)) return undefined;
  const ms = Date.parse(given.replace(" ", "T"));
  return Number.isNaN(ms) ? undefined : ms;
}

/** A loop, because nearly every message asks and an expression costs twice as much. */
function isDigits(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) < 0x30 || text.charCodeAt(i) > 0x39) return false;
  return true;
}

const earliestMs = -7 * 86_400_000;
const latestMs = 10 * 60_000;

/** Whether the sender's time is too far from ours to partition by: outside 7 days before to 10 minutes after. */
export function isOffTime(submitted: number, arrival: number): "late" | "early" | undefined {
  if (submitted - arrival < earliestMs) return "late";
  if (submitted - arrival > latestMs) return "early";
  return undefined;
}
