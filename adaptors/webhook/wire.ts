/** What a request holds: its body, and the headers that say what is in it and who it is from. Pure, but for the time it is given. */
import { Buffer } from "node:buffer";
import { createHash, createHmac } from "node:crypto";
import type { Delivery } from "../../src/deliver/adaptor.ts";
import { compress, type Compression } from "../../src/message/compression.ts";

/** How messages become bodies: a line each, elements of an array (of CloudEvents), or a request each. */
export type Shape = "ndjson" | "array" | "cloudevents" | "message";

export interface Request {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}
export interface RequestPlan {
  readonly shape: Shape;
  readonly compression: Compression;
  /** Those of the configuration, credentials included. */
  readonly headers: Readonly<Record<string, string>>;
  /** The present one, and the one before while receivers change over. */
  readonly secrets: readonly string[];
  /** In front of what a batch is known by: the same positions sent again on purpose are another batch. */
  readonly generation: number;
}

/** `nowMs`: wall time, for the signature. */
export function requestOf(batch: readonly Delivery[], plan: RequestPlan, nowMs: number): Request {
  const plain = bodyOf(batch, plan.shape);
  const body = compress(plain, plan.compression);
  const headers = {
    ...plan.headers,
    "Content-Type": contentType(batch, plan.shape),
    ...(plan.compression === "none" ? {} : { "Content-Encoding": plan.compression }),
    "Content-Length": String(body.length),
    "Idempotency-Key": batchKey(batch, plan.generation),
    ...namesOf(batch, plan.shape),
    ...(plan.secrets.length > 0 ? { "Sparkngin-Signature": signature(body, plan.secrets, nowMs) } : {}),
  };
  return { headers, body };
}

export function bodyOf(batch: readonly Delivery[], shape: Shape): Uint8Array {
  if (shape === "message") return batch[0]!.body;
  const lines = shape === "ndjson";
  const pieces: Uint8Array[] = lines ? [] : [open];
  for (const [at, delivery] of batch.entries()) {
    if (!lines && at > 0) pieces.push(comma);
    pieces.push(jsonOf(delivery));
    if (lines) pieces.push(lineEnd);
  }
  if (!lines) pieces.push(close);
  return Buffer.concat(pieces);
}

const [open, close, comma, lineEnd] = ["[", "]", ",", "\n"].map((text) => Buffer.from(text)) as [
  Buffer,
  Buffer,
  Buffer,
  Buffer,
];

/** A message in one line of JSON. What is none by itself is wrapped, so that no payload can break a line or the array. */
function jsonOf({ id, message, body }: Delivery): Uint8Array {
  const isPayload = body === message.data;
  if (isPayload ? message.dataIsJson : isObject(body)) return inOneLine(body);
  const wrapped = { id, topic: message.topic, data_base64: Buffer.from(body).toString("base64") };
  return Buffer.from(JSON.stringify(wrapped));
}

/** JSON has line ends between its tokens only: a space says the same. */
function inOneLine(json: Uint8Array): Uint8Array {
  if (!json.includes(lf) && !json.includes(cr)) return json;
  return json.map((byte) => byte === lf || byte === cr ? space : byte);
}
const [lf, cr, space] = [10, 13, 32];

function isObject(body: Uint8Array): boolean {
  return body[0] === 0x7b && body.at(-1) === 0x7d;
}

function contentType([first]: readonly Delivery[], shape: Shape): string {
  if (shape === "ndjson") return "application/x-ndjson";
  if (shape === "array") return "application/json";
  if (shape === "cloudevents") return "application/cloudevents-batch+json";
  const { message, body } = first!;
  const isJson = body === message.data ? message.dataIsJson : isObject(body);
  return isJson ? "application/json" : "application/octet-stream";
}

/** By which a receiver knows messages it has had, without looking into the body. Ids and topics are plain ASCII. */
function namesOf(batch: readonly Delivery[], shape: Shape): Record<string, string> {
  const [first, last] = [batch[0]!, batch.at(-1)!];
  if (shape === "message") return { "Sparkngin-Id": first.id, "Sparkngin-Topic": first.message.topic };
  return { "Sparkngin-First-Id": first.id, "Sparkngin-Last-Id": last.id, "Sparkngin-Count": String(batch.length) };
}

/** The same for the same messages sent again, and only then: the hash is of every id, since another node counts positions too. */
function batchKey(batch: readonly Delivery[], generation: number): string {
  const hash = createHash("sha256");
  for (const { id } of batch) hash.update(`${id}\n`);
  const [from, to] = [batch[0]!.position, batch.at(-1)!.position];
  return `${generation}-${from}-${to}-${hash.digest("hex").slice(0, 32)}`;
}

/** `t=<unix seconds>,v1=<hex>`, with a further v1 for each further secret: HMAC-SHA256 of `<t>.<body as it is sent>`. */
export function signature(body: Uint8Array, secrets: readonly string[], nowMs: number): string {
  const time = Math.floor(nowMs / 1000);
  const signed = secrets.map((secret) => createHmac("sha256", secret).update(`${time}.`).update(body).digest("hex"));
  return [`t=${time}`, ...signed.map((hex) => `v1=${hex}`)].join(",");
}

const ours = /^(host|content-.*|transfer-encoding|connection|te|trailer|upgrade|expect|idempotency-key|sparkngin-.*)$/i;

/** Throws a `TypeError` that says what headers must be. */
export function assertHeaders(headers: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(headers)) {
    if (!/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(name)) {
      throw new TypeError(`names of headers, not ${JSON.stringify(name)}`);
    }
    if (ours.test(name)) throw new TypeError(`headers that are not made here; "${name}" is`);
    if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) {
      throw new TypeError(`values without control characters, in "${name}"`);
    }
  }
}
