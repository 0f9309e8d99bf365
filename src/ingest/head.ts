/**
 * The head of an HTTP/1.1 request, strictly: whoever frames a request so that two readers could disagree about its end gets a
 * refusal and a closed connection. Pure: bytes in; a head, a refusal, or "not all of it yet" out. RFC 9112, RFC 9110.
 */
import type { Buffer } from "node:buffer";

/** Limits of a head, in bytes and lines. */
export interface HeadLimits {
  readonly target: number;
  readonly head: number;
  readonly lines: number;
}
export const headLimits: HeadLimits = { target: 8192, head: 32_768, lines: 64 };

/** Why the connection has to end. */
export interface BadHead {
  readonly status: 400 | 414 | 417 | 431 | 501 | 505;
  readonly detail: string;
}

/** A buffer with the methods that every Node has and its types forget. */
export type Bytes = Buffer & {
  utf8Slice(from: number, to: number): string;
  latin1Slice(from: number, to: number): string;
};

/** Where the head that begins at `from` ends (behind its empty line), or undefined when the end is not there yet. */
export function headEnd(bytes: Bytes, from: number, to: number, lookFrom: number): number | undefined {
  for (let at = Math.max(from, lookFrom - 3) + 3; at < to;) {
    const byte = bytes[at]!;
    // Whatever is neither CR nor LF is none of the last four bytes: the next candidate ends four further on.
    if (byte !== lf) at += byte === cr ? 1 : 4;
    else if (bytes[at - 1] === cr && bytes[at - 2] === lf && bytes[at - 3] === cr) return at + 1;
    else at += 2;
  }
  return undefined;
}

// What a byte may be part of. RFC 9110 5.6.2 (token), 5.5 (field value), RFC 3986 (target; beyond ASCII taken as UTF-8).
const isToken = 1;
const isValue = 2;
const isTarget = 4;
const isHigh = 8;
const kinds = new Uint8Array(256);
for (let byte = 0x21; byte < 0x7f; byte++) kinds[byte] = isValue | isTarget;
for (let byte = 0x80; byte < 0x100; byte++) kinds[byte] = isValue | isTarget | isHigh;
for (const byte of [0x20, 0x09]) kinds[byte] = isValue;
for (const letter of "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") {
  kinds[letter.charCodeAt(0)]! |= isToken;
}

const [tab, lf, cr, space, colon] = [0x09, 0x0a, 0x0d, 0x20, 0x3a];

/** A request's head. Its strings are made when asked for; they are copies, so the buffer may move on once they were. */
export class Head {
  method = "";
  target = "";
  /** The version is HTTP/1.0. */
  old = false;
  /** The connection may serve another request. */
  keepAlive = true;
  /** Bytes of the body, or -1 for a chunked one. */
  length = 0;
  /** The client waits for a 100 before it sends the body. */
  expectsContinue = false;
  readonly #bytes: Bytes;
  /** Five numbers a field: name from, name to, value from, value to, whether the value has bytes beyond ASCII. */
  readonly #fields: number[] = [];

  constructor(bytes: Bytes) {
    this.#bytes = bytes;
  }
  add(nameFrom: number, nameTo: number, valueFrom: number, valueTo: number, high: number): void {
    this.#fields.push(nameFrom, nameTo, valueFrom, valueTo, high);
  }
  /** The value of a field by its lower-case name, one character a byte; several lines are joined by ", ". */
  header(name: string): string | null {
    const fields = this.#fields;
    let value: string | null = null;
    for (let i = 0; i < fields.length; i += 5) {
      if (fields[i + 1]! - fields[i]! !== name.length || !this.#isNamed(fields[i]!, name)) continue;
      const part = textOf(this.#bytes, fields[i + 2]!, fields[i + 3]!, fields[i + 4]!);
      value = value === null ? part : `${value}, ${part}`;
    }
    return value;
  }
  count(name: string): number {
    const fields = this.#fields;
    let found = 0;
    for (let i = 0; i < fields.length; i += 5) {
      if (fields[i + 1]! - fields[i]! === name.length && this.#isNamed(fields[i]!, name)) found++;
    }
    return found;
  }
  #isNamed(at: number, name: string): boolean {
    for (let i = 0; i < name.length; i++) {
      const byte = this.#bytes[at + i]!;
      const lower = byte >= 0x41 && byte <= 0x5a ? byte + 32 : byte;
      if (lower !== name.charCodeAt(i)) return false;
    }
    return true;
  }
}

/** One character a byte. What is all ASCII is the same in UTF-8, which is made faster. */
function textOf(bytes: Bytes, from: number, to: number, high: number): string {
  return high & isHigh ? bytes.latin1Slice(from, to) : bytes.utf8Slice(from, to);
}

/** Parses the head between `from` and `end` (as `headEnd` found it). */
export function parseHead(bytes: Bytes, from: number, end: number, limits: HeadLimits = headLimits): Head | BadHead {
  if (end - from > limits.head) return tooLarge;
  const head = new Head(bytes);
  const next = requestLine(head, bytes, from, limits);
  if (typeof next !== "number") return next;
  return fieldLines(head, bytes, next, limits) ?? frame(head) ?? head;
}

const tooLarge: BadHead = { status: 431, detail: "The head of the request is too large" };
const badLine: BadHead = { status: 400, detail: "The request line is not METHOD SP TARGET SP HTTP/1.1 (RFC 9112 3)" };
const badField: BadHead = { status: 400, detail: "A field line is not NAME: VALUE (RFC 9112 5)" };

/** RFC 9112 3: method SP request-target SP HTTP-version, single spaces. Returns where the fields begin. */
function requestLine(head: Head, bytes: Bytes, from: number, limits: HeadLimits): number | BadHead {
  let at = from;
  while (kinds[bytes[at]!]! & isToken) at++;
  if (at === from || bytes[at] !== space || at - from > 32) return badLine;
  head.method = methodOf(bytes, from, at);
  const targetFrom = ++at;
  while (kinds[bytes[at]!]! & isTarget) at++;
  if (at - targetFrom > limits.target) {
    return { status: 414, detail: `The target is longer than ${limits.target} bytes` };
  }
  if (at === targetFrom || bytes[at] !== space) return badLine;
  const origin = originForm(bytes.utf8Slice(targetFrom, at), head.method);
  if (origin === undefined) {
    return { status: 400, detail: "The target is neither a path nor an http URL (RFC 9112 3.2)" };
  }
  head.target = origin;
  return version(head, bytes, at + 1);
}

function methodOf(bytes: Bytes, from: number, to: number): string {
  if (to - from === 3 && bytes[from] === 0x47 && bytes[from + 1] === 0x45 && bytes[from + 2] === 0x54) return "GET";
  return bytes.utf8Slice(from, to);
}

/** RFC 9112 3.2: a path as it is; of an absolute URL the path; "*" for OPTIONS. */
function originForm(target: string, method: string): string | undefined {
  if (target.charCodeAt(0) === 0x2f) return target;
  if (target === "*" && method === "OPTIONS") return target;
  const match = /^https?:\/\/[A-Za-z0-9.\-_~%[\]:]+([/?].*)?$/i.exec(target);
  if (!match) return undefined;
  const path = match[1] ?? "/";
  return path.startsWith("?") ? `/${path}` : path;
}

function version(head: Head, bytes: Bytes, at: number): number | BadHead {
  const text = bytes.utf8Slice(at, at + 10);
  if (text === "HTTP/1.1\r\n") return at + 10;
  if (text === "HTTP/1.0\r\n") {
    head.old = true;
    head.keepAlive = false;
    return at + 10;
  }
  return /^HTTP\/\d\.\d\r\n$/.test(text)
    ? { status: 505, detail: "Only HTTP/1.1 and HTTP/1.0 are spoken here" }
    : badLine;
}

/** RFC 9112 5: name ":" OWS value OWS CRLF; no space before the colon, no folded lines (5.2), no bare CR or LF. */
function fieldLines(head: Head, bytes: Bytes, from: number, limits: HeadLimits): BadHead | undefined {
  let at = from;
  for (let lines = 0; bytes[at] !== cr; lines++) {
    if (lines >= limits.lines) return { status: 431, detail: `There are more than ${limits.lines} field lines` };
    const nameFrom = at;
    while (kinds[bytes[at]!]! & isToken) at++;
    if (at === nameFrom || bytes[at] !== colon) return badField;
    const nameTo = at++;
    while (bytes[at] === space || bytes[at] === tab) at++;
    const valueFrom = at;
    let seen = 0;
    for (let kind = kinds[bytes[at]!]!; kind & isValue; kind = kinds[bytes[++at]!]!) seen |= kind;
    if (bytes[at] !== cr || bytes[at + 1] !== lf) return badField;
    let valueTo = at;
    while (valueTo > valueFrom && (bytes[valueTo - 1] === space || bytes[valueTo - 1] === tab)) valueTo--;
    head.add(nameFrom, nameTo, valueFrom, valueTo, seen);
    at += 2;
  }
  return bytes[at + 1] === lf ? undefined : badField;
}

/** Where the body ends, and what the connection does then: any doubt is a refusal. RFC 9112 6, RFC 9110 7.2, 10.1.1. */
function frame(head: Head): BadHead | undefined {
  const host = head.header("host");
  if (head.count("host") > 1 || (host === null && !head.old)) {
    return { status: 400, detail: "There must be exactly one Host (RFC 9112 3.2)" };
  }
  if (host !== null && !/^[A-Za-z0-9.\-_~%!$&'()*+,;=:[\]]*$/.test(host)) {
    return { status: 400, detail: "Host is no host (RFC 9110 7.2)" };
  }
  return connection(head) ?? bodyLength(head) ?? expectation(head);
}

function connection(head: Head): undefined {
  const value = head.header("connection");
  if (value === null) return undefined;
  const words = value.toLowerCase().split(",").map((word) => word.trim());
  if (words.includes("close")) head.keepAlive = false;
  else if (head.old && words.includes("keep-alive")) head.keepAlive = true;
  return undefined;
}

function bodyLength(head: Head): BadHead | undefined {
  const coding = head.header("transfer-encoding");
  const length = head.header("content-length");
  if (coding !== null) {
    if (length !== null) {
      return { status: 400, detail: "Content-Length and Transfer-Encoding contradict (RFC 9112 6.1)" };
    }
    if (head.old) return { status: 400, detail: "HTTP/1.0 has no Transfer-Encoding (RFC 9112 6.1)" };
    if (coding.toLowerCase() !== "chunked") {
      return { status: 501, detail: 'The only Transfer-Encoding taken is "chunked" (RFC 9112 6.1)' };
    }
    head.length = -1;
    return undefined;
  }
  if (length === null) return undefined;
  if (!/^\d{1,15}$/.test(length)) return { status: 400, detail: "Content-Length is no number (RFC 9112 6.3)" };
  head.length = Number(length);
  return undefined;
}

function expectation(head: Head): BadHead | undefined {
  const value = head.header("expect");
  if (value === null || head.old) return undefined;
  if (value.toLowerCase() !== "100-continue") {
    return { status: 417, detail: 'The only expectation met is "100-continue" (RFC 9110 10.1.1)' };
  }
  head.expectsContinue = true;
  return undefined;
}
