/** A message as a document in a bulk request: into which index, under which id, with which fields. Pure. */
import { Buffer } from "node:buffer";
import { isIP } from "node:net";
import type { Delivery } from "../../src/deliver/adaptor.ts";
import { formatter } from "../../src/message/format.ts";
import { isOffTime, type Message } from "../../src/message/message.ts";

export interface DocumentPlan {
  readonly indexOf: (message: Message) => string;
  readonly ecs: boolean;
  /** A JSON payload as its text, so that no two can be at odds about the mapping. */
  readonly asText: boolean;
}
/** A message with its two lines. */
export interface Document {
  readonly delivery: Delivery;
  readonly index: string;
  readonly lines: Uint8Array;
}

const placeholders = ["topic", "env", "type", "level"] as const;

/** The index of a message by a template such as "logs-%topic%-%env%". Throws a `TypeError` when that can never be a name. */
export function indexTemplate(template: string): (message: Message) => string {
  const parts = template.split(/%([a-z]+)%/);
  const unknown = parts.find((part, at) => at % 2 === 1 && valueOf(part, noMessage) === undefined);
  const literals = parts.filter((_, at) => at % 2 === 0).join("");
  if (template === "" || unknown !== undefined || !/^[a-z0-9._+-]*$/.test(literals) || /^[-_+.]/.test(parts[0]!)) {
    throw new TypeError(
      'a name in lower case with %topic%, %env%, %type%, %level%, %date%, %month% in it, such as "logs-%topic%-%env%"',
    );
  }
  return (message) => parts.map((part, at) => at % 2 === 0 ? part : valueOf(part, message)).join("");
}

const noMessage: Message = { topic: "t", timestamp: 0, data: new Uint8Array(0), dataIsJson: false };

function valueOf(name: string, message: Message): string | undefined {
  if (name === "date") return dayOf(message.timestamp).replaceAll("-", ".");
  if (name === "month") return dayOf(message.timestamp).slice(0, 7).replace("-", ".");
  const field = placeholders.find((one) => one === name);
  return field && part(message[field] || "default");
}

/** By arrival, UTC. */
function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

/** In lower case, and nothing in it that an index cannot have. */
function part(value: string): string {
  return value.toLowerCase().replace(/[^a-z0-9._-]/g, "_");
}

/** Why no index can be called so, or nothing. */
export function badIndex(name: string): string | undefined {
  if (/^[-_+.]/.test(name)) return `"${name.slice(0, 100)}" is no name of an index: it begins with "${name[0]}"`;
  return name.length > 255 ? `"${name.slice(0, 100)}…" is no name of an index: it is longer than 255 bytes` : undefined;
}

/** Whatever the payload holds, there are two lines. */
export function documentOf(delivery: Delivery, index: string, plan: DocumentPlan): Document {
  const action = `{"create":{"_index":${JSON.stringify(index)},"_id":${JSON.stringify(delivery.id)}}}\n`;
  const source = plan.ecs ? ecsSource(delivery, plan.asText) : plainSource(delivery, plan.asText);
  const lines = Buffer.concat([Buffer.from(action), source, lineFeed]);
  return { delivery, index, lines };
}

const lineFeed = Buffer.from("\n");
const envelope = formatter("json");
const nothing = new Uint8Array(0);

/** The message in the destination's format, with its time in front. */
function plainSource({ message, id, body }: Delivery, asText: boolean): Uint8Array {
  const isPayload = body === message.data;
  const isObject = body.length > 1 && body[0] === 0x7b && body.at(-1) === 0x7d && (!isPayload || message.dataIsJson);
  if (isObject && !asText && message.dataIsJson) return isPayload ? stamped(body, message) : timed(body, message);
  const head = timed(envelope({ ...message, data: nothing, dataIsJson: true }, id), message);
  return withMembers(head, isPayload || message.dataIsJson || isObject ? payload(message, asText) : texts(body));
}

/** A payload that is the whole document; it may have a time of its own. */
function stamped(payload: Uint8Array, message: Message): Uint8Array {
  const line = oneLine(payload);
  return Buffer.from(line.buffer, line.byteOffset, line.length).includes('"@timestamp"') ? line : timed(line, message);
}

function timed(object: Uint8Array, { timestamp }: Message): Uint8Array {
  const empty = /^\{\s*\}$/.test(new TextDecoder().decode(object.subarray(0, 100)));
  const time = `{"@timestamp":"${new Date(timestamp).toISOString()}"${empty ? "" : ","}`;
  return Buffer.concat([Buffer.from(time), object.subarray(1)]);
}

/** The object with further members behind its others. */
function withMembers(object: Uint8Array, members: readonly Uint8Array[]): Uint8Array {
  const inside = members.flatMap((member) => [comma, member]);
  return Buffer.concat([object.subarray(0, -1), ...inside, brace]);
}

const comma = Buffer.from(",");
const brace = Buffer.from("}");

/** The payload as a member: JSON as it was received, text as a text, other bytes in base64. */
function payload({ data, dataIsJson }: Message, asText: boolean): Uint8Array[] {
  if (!dataIsJson) return texts(data);
  if (data.length === 0) return [];
  return [
    asText
      ? Buffer.from(`"data_text":${JSON.stringify(lenient.decode(data))}`)
      : Buffer.concat([Buffer.from('"data":'), oneLine(data)]),
  ];
}

function texts(bytes: Uint8Array): Uint8Array[] {
  const text = textOf(bytes);
  return [Buffer.from(text === undefined ? `"data_base64":"${base64(bytes)}"` : `"message":${JSON.stringify(text)}`)];
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64");
}

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const lenient = new TextDecoder("utf-8", { ignoreBOM: true });

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}

/** JSON has line ends only between its parts, where a space means the same. */
function oneLine(json: Uint8Array): Uint8Array {
  return json.some((byte) => byte === 10 || byte === 13)
    ? json.map((byte) => byte === 10 || byte === 13 ? 0x20 : byte)
    : json;
}

/** By the Elastic Common Schema; what it has no field for stands under `sparkngin`. */
function ecsSource({ message, id, position }: Delivery, asText: boolean): Uint8Array {
  const { topic, env, version, type, key, level, ip, peerIp, referrer, userAgent, schema } = message;
  const own = textsOnly({ cookies: undefined, schema });
  const head = textsOnly({
    "@timestamp": new Date(message.timestamp).toISOString(),
    ecs: { version: "8.11" },
    event: textsOnly({ kind: "event", id, sequence: position, created: createdOf(message) }),
    labels: textsOnly({ topic, env, version, type, key, peer_ip: peerIp }),
    log: level === undefined ? undefined : { level },
    source: ip === undefined ? undefined : isIP(ip) ? { ip, address: ip } : { address: ip },
    url: referrer === undefined ? undefined : { original: referrer },
    http: referrer === undefined ? undefined : { request: { referrer } },
    user_agent: userAgent === undefined ? undefined : { original: userAgent },
    ...traceOf(message),
  });
  const inOwn = payload(message, asText);
  const text = Buffer.from('"message"');
  const isMessage = inOwn.length > 0 && Buffer.from(inOwn[0]!).subarray(0, text.length).equals(text);
  const members = [
    ...(message.cookies === undefined ? [] : [Buffer.from(`"cookies":${message.cookies.replace(/[\r\n]/g, " ")}`)]),
    ...(message.attributes === undefined
      ? []
      : [Buffer.from(`"attributes":${message.attributes.replace(/[\r\n]/g, " ")}`)]),
    ...(isMessage ? [] : inOwn),
  ];
  const namespace = joinedObject(Buffer.from(JSON.stringify(own)), members);
  const outer = [...(isMessage ? inOwn : []), Buffer.concat([Buffer.from('"sparkngin":'), namespace])];
  return withMembers(Buffer.from(JSON.stringify(head)), outer);
}

function joinedObject(object: Uint8Array, members: readonly Uint8Array[]): Uint8Array {
  if (object.length > 2 || members.length === 0) return withMembers(object, members);
  const [first, ...rest] = members;
  return withMembers(Buffer.concat([Buffer.from("{"), first!, brace]), rest);
}

/** Without what is missing. */
function textsOnly(object: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}

/** The sender's time, where it can be believed. */
function createdOf({ submittedMs, timestamp }: Message): string | undefined {
  if (submittedMs === undefined || isOffTime(submittedMs, timestamp)) return undefined;
  return new Date(submittedMs).toISOString();
}

function traceOf({ traceparent }: Message): Record<string, unknown> {
  const match = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/.exec(traceparent ?? "");
  return match ? { trace: { id: match[1] }, span: { id: match[2] } } : {};
}
