/**
 * The head of an HTTP/1.1 request, strictly: whoever frames a request so that two readers could disagree about its end
 * gets a refusal and a closed connection. Pure: bytes in; a head, a refusal, or "not all of it yet" out.
 * RFC 9112, RFC 9110.
 */
import { Buffer } from "node:buffer";
import type { HeaderField, Span } from "./http.ts";
import type { Problem } from "./problem.ts";

/** In bytes and lines. */
export const headLimits = { method: 32, target: 8192, head: 32_768, lines: 64 };

/** A buffer with the methods that every Node has and its types forget. */
export type Bytes = Buffer & {
  utf8Slice(from: number, to: number): string;
  latin1Slice(from: number, to: number): string;
};

/** Where the head that begins at `from` ends (behind its empty line), or undefined when the end is not there yet. */
export function headEnd(bytes: Bytes, from: number, to: number, lookFrom: number): number | undefined {
  for (let at = Math.max(from + 3, lookFrom); at < to;) {
    const byte = bytes[at]!;
    // Whatever is neither CR nor LF is none of the last four bytes: the next candidate ends four further on.
    if (byte !== lf) at += byte === cr ? 1 : 4;
    else if (bytes[at - 1] === cr && bytes[at - 2] === lf && bytes[at - 3] === cr) return at + 1;
    else at += 2;
  }
  return undefined;
}

// What a byte may be part of: RFC 9110 5.6.2 (token), 5.5 (value), RFC 3986 (target; beyond ASCII taken as UTF-8).
const isToken = 1;
const isValue = 2;
const isTarget = 4;
const isHigh = 8;
const isPlainHost = 16;
const kinds = new Uint8Array(256);
for (let byte = 0x21; byte < 0x7f; byte++) kinds[byte] = isValue | isTarget;
for (let byte = 0x80; byte < 0x100; byte++) kinds[byte] = isValue | isTarget | isHigh;
for (const byte of [0x20, 0x09]) kinds[byte] = isValue;
for (const letter of "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") {
  kinds[letter.charCodeAt(0)]! |= isToken;
}

for (const letter of "-.0123456789abcdefghijklmnopqrstuvwxyz") kinds[letter.charCodeAt(0)]! |= isPlainHost;

const [tab, lf, cr, space, slash, colon] = [0x09, 0x0a, 0x0d, 0x20, 0x2f, 0x3a];

/** Whether the byte may be part of a method or of the name of a field. */
export function isTokenByte(byte: number): boolean {
  return (kinds[byte]! & isToken) !== 0;
}

/** Whether the byte may be part of the value of a field. */
export function isValueByte(byte: number): boolean {
  return (kinds[byte]! & isValue) !== 0;
}

const nothing: Span = { bytes: new Uint8Array(0), from: 0, to: 0 };

/** A request's head. Its strings are made when asked for; they are copies, so the buffer may move on once they were. */
export class Head {
  method = "";
  target: Span = nothing;
  /** The version is HTTP/1.0. */
  old = false;
  /** The connection may serve another request. */
  keepAlive = true;
  /** Bytes of the body, or -1 for a chunked one. */
  length = 0;
  /** The client waits for a 100 before it sends the body. */
  expectsContinue = false;
  readonly bytes: Bytes;
  /** Five numbers a field: name from, name to, value from, value to, whether the value has bytes beyond ASCII. */
  readonly #fields: number[] = [];
  /** A bit for each length that a name has: most names that are asked for are not there, which this tells at once. */
  #lengths = 0;

  constructor(bytes: Bytes) {
    this.bytes = bytes;
  }
  add(nameFrom: number, nameTo: number, valueFrom: number, valueTo: number, high: number): void {
    this.#fields.push(nameFrom, nameTo, valueFrom, valueTo, high);
    this.#lengths |= 1 << (nameTo - nameFrom);
  }
  /** The value of a field by its lower-case name, one character a byte; several lines are joined by ", ". */
  header(name: string): string | null {
    if ((this.#lengths & (1 << name.length)) === 0) return null;
    const fields = this.#fields;
    let value: string | null = null;
    for (let i = 0; i < fields.length; i += 5) {
      if (fields[i + 1]! - fields[i]! !== name.length || !this.#isNamed(fields[i]!, name)) continue;
      const part = textOf(this.bytes, fields[i + 2]!, fields[i + 3]!, fields[i + 4]!);
      value = value === null ? part : `${value}, ${part}`;
    }
    return value;
  }
  /** All lines whose names begin with `prefix`, in lower case and without it. */
  headersFrom(prefix: string): HeaderField[] {
    const found: HeaderField[] = [];
    const fields = this.#fields;
    for (let i = 0; i < fields.length; i += 5) {
      const [from, to] = [fields[i]!, fields[i + 1]!];
      if (to - from < prefix.length || !this.#isNamed(from, prefix)) continue;
      const name = this.bytes.latin1Slice(from + prefix.length, to).toLowerCase();
      found.push([name, textOf(this.bytes, fields[i + 2]!, fields[i + 3]!, fields[i + 4]!)]);
    }
    return found;
  }
  /** The same as bytes, if the field comes once and is ASCII. */
  span(name: string): Span | undefined {
    if ((this.#lengths & (1 << name.length)) === 0) return undefined;
    const fields = this.#fields;
    let found = -1;
    for (let i = 0; i < fields.length; i += 5) {
      if (fields[i + 1]! - fields[i]! !== name.length || !this.#isNamed(fields[i]!, name)) continue;
      if (found >= 0) return undefined;
      found = i;
    }
    if (found < 0 || (fields[found + 4]! & isHigh) !== 0) return undefined;
    return { bytes: this.bytes, from: fields[found + 2]!, to: fields[found + 3]! };
  }
  #isNamed(at: number, name: string): boolean {
    for (let i = 0; i < name.length; i++) {
      const byte = this.bytes[at + i]!;
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

function bad(detail: string): Problem {
  return { code: "bad-request", detail };
}

const badLine = bad("The request line is not METHOD SP TARGET SP HTTP/1.1 (RFC 9112 3)");
const badField = bad("A field line is not NAME: VALUE (RFC 9112 5)");
const tooLarge: Problem = {
  code: "too-large",
  status: 431,
  detail: `The head of the request has more than ${headLimits.head} bytes`,
};
const tooManyLines: Problem = {
  code: "too-large",
  status: 431,
  detail: `There are more than ${headLimits.lines} field lines`,
};

/** Parses the head between `from` and `end` (as `headEnd` found it). */
export function parseHead(bytes: Bytes, from: number, end: number): Head | Problem {
  const head = new Head(bytes);
  const problem = parseLines(head, from, end);
  if (problem !== undefined) return problem;
  return end - from > headLimits.head ? tooLarge : frame(head) ?? head;
}

/**
 * What is wrong already with a head whose end is not there yet; up to `looked` nothing was. Who speaks something else
 * hears it at once. Lines are judged as when all of them are there: it makes no difference in what pieces they come.
 */
export function earlyProblem(bytes: Bytes, from: number, to: number, looked: number): Problem | undefined {
  let lineEnd = to;
  while (lineEnd > looked && bytes[lineEnd - 1] !== lf) lineEnd--;
  const tooLong = to - from > headLimits.head;
  if (lineEnd > looked) return parseLines(new Head(bytes), from, lineEnd) ?? (tooLong ? tooLarge : undefined);
  // Half of an empty line, which may stand before a request.
  if (to - from === 1 && bytes[from] === cr) return undefined;
  if (!tooLong) return methodProblem(bytes, from, methodEnd(bytes, from, to), to);
  // A request line that alone is as long as that has something worse.
  return bytes.subarray(from, to).includes(lf) ? tooLarge : parseLines(new Head(bytes), from, to);
}

/** What is wrong with the first line up to `end` that is not as it must be. */
function parseLines(head: Head, from: number, end: number): Problem | undefined {
  const next = requestLine(head, from, end);
  if (typeof next !== "number") return next;
  const wrongAt = fieldLines(head, next, end);
  if (wrongAt === undefined) return undefined;
  if (wrongAt < 0) return tooManyLines;
  return head.bytes.indexOf(lf, wrongAt) - from < headLimits.head ? badField : tooLarge;
}

/** RFC 9112 3: method SP request-target SP HTTP-version, single spaces. Returns where the fields begin. */
function requestLine(head: Head, from: number, end: number): number | Problem {
  const { bytes } = head;
  let at = methodEnd(bytes, from, end);
  const problem = methodProblem(bytes, from, at, end);
  if (problem !== undefined) return problem;
  head.method = isAt(bytes, from, "GET ") ? "GET" : bytes.utf8Slice(from, at);
  const targetFrom = ++at;
  while (kinds[bytes[at]!]! & isTarget) at++;
  if (at - targetFrom > headLimits.target) return longTarget;
  if (at === targetFrom || bytes[at] !== space) return badLine;
  const origin = originForm(bytes, targetFrom, at, head.method);
  if (origin === undefined) return badTarget;
  head.target = origin;
  return version(head, at + 1);
}

const longMethod: Problem = { code: "bad-request", status: 501, detail: "There is no such method here (RFC 9112 3)" };
const badTarget = bad("The target is neither a path nor an http URL (RFC 9112 3.2)");
const longTarget: Problem = {
  code: "too-large",
  status: 414,
  detail: `The target has more than ${headLimits.target} bytes`,
};

function methodEnd(bytes: Bytes, from: number, to: number): number {
  let at = from;
  while (at < to && kinds[bytes[at]!]! & isToken) at++;
  return at;
}

/** Nothing is wrong with a method that may go on behind `to`. */
function methodProblem(bytes: Bytes, from: number, at: number, to: number): Problem | undefined {
  if (at - from > headLimits.method) return longMethod;
  return at === to || (at > from && bytes[at] === space) ? undefined : badLine;
}

/** RFC 9112 3.2: a path as it is; of an absolute URL the path; "*" for OPTIONS; nothing that asks for a tunnel. */
function originForm(bytes: Bytes, from: number, to: number, method: string): Span | undefined {
  if (method === "CONNECT") return undefined;
  if (bytes[from] === slash) return { bytes, from, to };
  const target = bytes.utf8Slice(from, to);
  const path = target === "*" && method === "OPTIONS" ? target : pathOf(target);
  return path === undefined ? undefined : { bytes: Buffer.from(path), from: 0, to: Buffer.byteLength(path) };
}

function pathOf(url: string): string | undefined {
  const match = /^https?:\/\/[A-Za-z0-9.\-_~%[\]:]+([/?].*)?$/is.exec(url);
  if (!match) return undefined;
  const path = match[1] ?? "/";
  return path.startsWith("?") ? `/${path}` : path;
}

function version(head: Head, at: number): number | Problem {
  const { bytes } = head;
  if (isAt(bytes, at, "HTTP/1.1\r\n")) return at + 10;
  if (isAt(bytes, at, "HTTP/1.0\r\n")) {
    head.old = true;
    head.keepAlive = false;
    return at + 10;
  }
  return /^HTTP\/\d\.\d\r\n$/.test(bytes.latin1Slice(at, at + 10)) ? otherVersion : badLine;
}

const otherVersion: Problem = {
  code: "bad-request",
  status: 505,
  detail: "Only HTTP/1.1 and HTTP/1.0 are spoken here",
};

function isAt(bytes: Bytes, at: number, text: string): boolean {
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text.charCodeAt(i)) return false;
  return true;
}

/** Where the first line begins that is no field line; -1 when there are too many. */
function fieldLines(head: Head, from: number, end: number): number | undefined {
  const { bytes } = head;
  let at = from;
  for (let lines = 0; at < end && !(bytes[at] === cr && bytes[at + 1] === lf); lines++) {
    if (lines >= headLimits.lines) return -1;
    const next = fieldLine(head, at);
    if (next < 0) return at;
    at = next;
  }
  return undefined;
}

/** RFC 9112 5: name ":" OWS value OWS CRLF; no blank before the colon, no fold (5.2), no bare CR or LF. Else -1. */
function fieldLine(head: Head, nameFrom: number): number {
  const { bytes } = head;
  let at = nameFrom;
  while (kinds[bytes[at]!]! & isToken) at++;
  if (at === nameFrom || bytes[at] !== colon) return -1;
  const nameTo = at++;
  while (bytes[at] === space || bytes[at] === tab) at++;
  const valueFrom = at;
  let seen = 0;
  for (let kind = kinds[bytes[at]!]!; kind & isValue; kind = kinds[bytes[++at]!]!) seen |= kind;
  if (bytes[at] !== cr || bytes[at + 1] !== lf) return -1;
  let valueTo = at;
  while (valueTo > valueFrom && (bytes[valueTo - 1] === space || bytes[valueTo - 1] === tab)) valueTo--;
  head.add(nameFrom, nameTo, valueFrom, valueTo, seen);
  return at + 2;
}

/** Where the body ends, and what the connection does then: any doubt is a refusal. RFC 9112 6, RFC 9110 7.2, 10.1.1. */
function frame(head: Head): Problem | undefined {
  keepAlive(head);
  return hostProblem(head) ?? bodyLength(head) ?? expectation(head);
}

/** RFC 9110 7.2. Of two hosts the joined value has a space, which no host has. */
const hostForm = /^(?:\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9.\-_~!$&'()*+,;=]|%[0-9A-Fa-f]{2})*)(?::\d*)?$/;
const badHost = bad("There must be one Host, and it must be a host (RFC 9112 3.2)");

function hostProblem(head: Head): Problem | undefined {
  const span = head.span("host");
  if (span !== undefined && isPlainName(span)) return undefined;
  const host = head.header("host");
  if (host === null) return head.old ? undefined : badHost;
  return hostForm.test(host) ? undefined : badHost;
}

/** Whether it is one of the hosts that nearly all are, with or without a port: those need no expression. */
function isPlainName({ bytes, from, to }: Span): boolean {
  let at = from;
  while (at < to && kinds[bytes[at]!]! & isPlainHost) at++;
  if (at === to) return true;
  if (bytes[at] !== colon) return false;
  for (at++; at < to; at++) if (bytes[at]! < 0x30 || bytes[at]! > 0x39) return false;
  return true;
}

/** RFC 9112 9.3. */
function keepAlive(head: Head): void {
  const options = head.header("connection");
  if (options === null) return;
  if (/(^|,)[ \t]*close[ \t]*(,|$)/i.test(options)) head.keepAlive = false;
  else if (head.old && /(^|,)[ \t]*keep-alive[ \t]*(,|$)/i.test(options)) head.keepAlive = true;
}

function bodyLength(head: Head): Problem | undefined {
  const codings = head.header("transfer-encoding");
  const length = head.header("content-length");
  if (codings !== null) return length === null ? chunkedBody(head, codings) : twoLengths;
  if (length === null) return undefined;
  if (!/^\d{1,15}$/.test(length)) return bad("Content-Length is no number (RFC 9112 6.3)");
  head.length = Number(length);
  return undefined;
}

const twoLengths = bad("Content-Length and Transfer-Encoding contradict (RFC 9112 6.1)");
const otherCoding: Problem = {
  code: "bad-request",
  status: 501,
  detail: 'The only Transfer-Encoding taken is "chunked" (RFC 9112 6.1)',
};

/** RFC 9112 6.1, 6.3: "chunked" comes last and once, and nothing else is taken. */
function chunkedBody(head: Head, codings: string): Problem | undefined {
  if (head.old) return bad("HTTP/1.0 has no Transfer-Encoding (RFC 9112 6.1)");
  const names = codings.toLowerCase().split(",").map(withoutBlanks);
  const isLast = names.indexOf("chunked") === names.length - 1;
  if (!isLast) return bad('Transfer-Encoding does not end with its only "chunked" (RFC 9112 6.3)');
  if (names.length > 1) return otherCoding;
  head.length = -1;
  return undefined;
}

/** Not `trim`, to which a hard space is blank, too; and no expression, which would take long for many blanks. */
function withoutBlanks(text: string): string {
  let [from, to] = [0, text.length];
  while (from < to && isBlank(text.charCodeAt(from))) from++;
  while (from < to && isBlank(text.charCodeAt(to - 1))) to--;
  return text.slice(from, to);
}

function isBlank(code: number): boolean {
  return code === space || code === tab;
}

function expectation(head: Head): Problem | undefined {
  const expect = head.header("expect");
  if (expect === null || head.old) return undefined;
  if (expect.toLowerCase() !== "100-continue") return otherExpectation;
  head.expectsContinue = true;
  return undefined;
}

const otherExpectation: Problem = {
  code: "bad-request",
  status: 417,
  detail: 'The only expectation met is "100-continue" (RFC 9110 10.1.1)',
};
