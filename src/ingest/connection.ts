/**
 * One HTTP/1.1 connection: reads heads and bodies, hands requests to the routes, writes the answers in order. Knows a stream of
 * bytes, not where it comes from. Time limits are watched from outside, by `overdue`.
 */
import { Buffer } from "node:buffer";
import { BadChunk, ChunkedBody } from "./chunked.ts";
import { type BadHead, type Bytes, type Head, headEnd, headLimits, parseHead } from "./head.ts";
import { accepted, type Answer, BodyLost, type HttpRequest, TooLarge } from "./http.ts";
import { problemAnswer } from "./problem.ts";
import type { Handle } from "./routes.ts";

/** The two directions of a connection. */
export interface ByteStream {
  readonly peer: string;
  /** How many bytes came, or null at the end. */
  read(into: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  /** Says that nothing more will be written. */
  closeWrite(): Promise<void>;
  close(): void;
}
export interface ConnectionParts {
  readonly handle: Handle;
  /** Monotonic ms. */
  readonly elapsed: () => number;
  /** The value of the Date field, at most a second old. */
  readonly date: () => string;
  /** A mistake of ours. */
  readonly report: (problem: unknown) => void;
}

/** How long a client may take: for a head once it has begun, between requests, and at least so fast for a body. */
export const timeLimits = {
  headMs: 10_000,
  idleMs: 75_000,
  bodyStartMs: 5_000,
  bodyBytesPerSecond: 1024,
  writeMs: 30_000,
  lingerMs: 3000,
};
const firstBytes = 4096;
const bodyStepBytes = 1 << 16;
const lingerBytes = 16 << 20;

type Phase = "idle" | "head" | "body" | "answer" | "write" | "linger";

export class Connection {
  readonly #stream: ByteStream;
  readonly #parts: ConnectionParts;
  #buffer = Buffer.allocUnsafeSlow(firstBytes) as unknown as Bytes;
  /** What was read and not used yet stands between these. */
  #from = 0;
  #to = 0;
  #phase: Phase = "idle";
  #since: number;
  #bodyBytes = 0;
  #closed = false;
  #draining = false;
  /** The last request left bytes of its body with the client. */
  #unread = false;
  /** The answer under way to the other side. */
  #writing: Promise<void> | undefined;

  constructor(stream: ByteStream, parts: ConnectionParts) {
    this.#stream = stream;
    this.#parts = parts;
    this.#since = parts.elapsed();
  }

  get peer(): string {
    return this.#stream.peer;
  }
  /** Whether a request is being answered or read. */
  get busy(): boolean {
    return this.#phase !== "idle";
  }

  /** Serves until the other side is done or one of us has to end it. Never rejects. */
  async run(): Promise<void> {
    try {
      while (await this.#serveOne());
      await this.#writing;
      if (this.#unread) await this.#linger();
    } catch (problem) {
      if (!this.#closed && !isLost(problem)) this.#parts.report(problem);
    } finally {
      this.close();
    }
  }

  /** A body that nobody read: closing now would take the answer away from a client that still sends. RFC 9112 9.6. */
  async #linger(): Promise<void> {
    this.#enter("linger");
    await this.#stream.closeWrite();
    for (let left = lingerBytes; left > 0;) {
      const count = await this.#stream.read(this.#buffer);
      if (count === null) return;
      left -= count;
    }
  }

  /** The present request is the last one; without one the connection ends now. */
  drain(): void {
    this.#draining = true;
    if (!this.busy) this.close();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      this.#stream.close();
    } catch {
      // It is closed already.
    }
  }

  /** Whether the client has taken longer than it may. */
  overdue(): boolean {
    const took = this.#parts.elapsed() - this.#since;
    switch (this.#phase) {
      case "idle":
        return took > timeLimits.idleMs;
      case "head":
        return took > timeLimits.headMs;
      case "body":
        return took > timeLimits.bodyStartMs + (this.#bodyBytes / timeLimits.bodyBytesPerSecond) * 1000;
      case "write":
        return took > timeLimits.writeMs;
      case "linger":
        return took > timeLimits.lingerMs;
      case "answer":
        return false;
    }
  }

  /** One request and its answer; false when it was the last. */
  async #serveOne(): Promise<boolean> {
    const head = await this.#readHead();
    if (head === undefined) return false;
    if (!("method" in head)) return this.#turnAway(head);
    const request = new StreamRequest(this, head);
    this.#enter("answer");
    const given = this.#parts.handle(request);
    const answer = given instanceof Promise ? await given : given;
    if (head.length !== 0) this.#unread = !await request.drained();
    const last = !head.keepAlive || this.#draining || this.#unread;
    await this.#send(answer, head, last);
    if (last) return false;
    this.#enter(this.#from === this.#to ? "idle" : "head");
    return !this.#draining || this.#from < this.#to;
  }

  async #readHead(): Promise<Head | BadHead | undefined> {
    let looked = this.#from;
    for (;;) {
      this.#skipEmptyLine();
      const end = headEnd(this.#buffer, this.#from, this.#to, looked);
      if (end !== undefined) {
        const head = parseHead(this.#buffer, this.#from, end);
        this.#from = end;
        return head;
      }
      if (this.#to - this.#from > headLimits.head) {
        return { status: 431, detail: "The head of the request is too large" };
      }
      looked = this.#to;
      const before = this.#from;
      if (!await this.#readMore()) return undefined;
      looked -= before - this.#from;
      if (this.#phase === "idle") this.#enter("head");
    }
  }

  /** RFC 9112 2.2: an empty line before a request line is passed over. */
  #skipEmptyLine(): void {
    if (this.#to - this.#from >= 2 && this.#buffer[this.#from] === 0x0d && this.#buffer[this.#from + 1] === 0x0a) {
      this.#from += 2;
    }
  }

  /** Reads into free room, moving or enlarging the buffer where there is none. False at the end. */
  async #readMore(): Promise<boolean> {
    // While a body is read, the routes still look at its head.
    if (this.#from === this.#to && this.#phase !== "body") this.#from = this.#to = 0;
    if (this.#to === this.#buffer.length) this.#makeRoom();
    const count = await this.#stream.read(this.#buffer.subarray(this.#to));
    if (count === null) return false;
    this.#to += count;
    return true;
  }

  #makeRoom(): void {
    const held = this.#to - this.#from;
    // A new buffer, not a move within this one: a head or a body may still look at its bytes.
    const { length } = this.#buffer;
    const larger = Buffer.allocUnsafeSlow(held > length / 2 ? length * 2 : length);
    this.#buffer.copy(larger, 0, this.#from, this.#to);
    this.#buffer = larger as unknown as Bytes;
    this.#from = 0;
    this.#to = held;
  }

  /** The body of a request, whole. Rejects with `TooLarge` or `BodyLost`; then the connection cannot go on. */
  async readBody(head: Head, limit: number): Promise<Uint8Array> {
    if (head.length > limit) throw new TooLarge("Content-Length is beyond the limit");
    if (head.length === 0) return new Uint8Array(0);
    if (head.expectsContinue) await this.#writeAll(continueBytes);
    this.#bodyBytes = 0;
    this.#enter("body");
    const body = head.length < 0 ? await this.#chunked(limit) : await this.#counted(head.length);
    this.#enter("answer");
    return body;
  }

  async #counted(length: number): Promise<Uint8Array> {
    if (length <= this.#to - this.#from) {
      this.#from += length;
      return this.#buffer.subarray(this.#from - length, this.#from);
    }
    // Room for what comes, not for what is announced: an announcement costs the client nothing.
    let body = Buffer.allocUnsafeSlow(Math.min(length, bodyStepBytes));
    let have = this.#buffer.copy(body, 0, this.#from, this.#to);
    this.#from = this.#to = 0;
    while (have < length) {
      if (have === body.length) body = grown(body, Math.min(length, body.length * 4));
      const count = await this.#stream.read(body.subarray(have));
      if (count === null) throw new BodyLost("The connection ended within the body");
      have += count;
      this.#bodyBytes = have;
    }
    return body;
  }

  async #chunked(limit: number): Promise<Uint8Array> {
    const body = new ChunkedBody();
    for (;;) {
      try {
        this.#from += body.take(this.#buffer.subarray(this.#from, this.#to));
      } catch (problem) {
        if (problem instanceof BadChunk) throw new BodyLost(problem.message);
        throw problem;
      }
      if (body.length > limit) throw new TooLarge("The body is beyond the limit");
      if (body.done) return body.whole();
      this.#bodyBytes = body.length;
      if (!await this.#readMore()) throw new BodyLost("The connection ended within the body");
    }
  }

  async #turnAway({ status, detail }: BadHead): Promise<false> {
    const answer = problemAnswer({ code: status === 431 || status === 414 ? "too-large" : "bad-request", detail });
    await this.#send({ ...answer, status }, undefined, true);
    return false;
  }

  /** The write goes on while we read the next request; it is awaited before the next answer. */
  async #send(answer: Answer, head: Head | undefined, last: boolean): Promise<void> {
    this.#enter("write");
    if (this.#writing) await this.#writing;
    const usual = answer === accepted && !last && !head?.old;
    const bytes = usual ? acceptedBytes(this.#parts.date()) : this.#render(answer, head, last);
    const writing = this.#writeAll(bytes);
    if (last || bytes.length > 1024) return await writing;
    writing.catch(() => this.close());
    this.#writing = writing;
  }

  #render(answer: Answer, head: Head | undefined, last: boolean): Uint8Array {
    const { status, headers } = answer;
    const body = typeof answer.body === "string" ? encoder.encode(answer.body) : answer.body ?? noBytes;
    let text = `HTTP/1.1 ${status} ${reasons[status] ?? "Answer"}\r\ndate: ${this.#parts.date()}\r\n`;
    for (const name in headers) text += `${name}: ${headers[name]}\r\n`;
    if (status !== 204 && head?.method !== "HEAD") text += `content-length: ${body.length}\r\n`;
    if (last) text += "connection: close\r\n";
    else if (head?.old) text += "connection: keep-alive\r\n";
    const start = encoder.encode(`${text}\r\n`);
    return head?.method === "HEAD" || body.length === 0 ? start : Buffer.concat([start, body]);
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) at += await this.#stream.write(at === 0 ? bytes : bytes.subarray(at));
  }

  #enter(phase: Phase): void {
    this.#phase = phase;
    this.#since = this.#parts.elapsed();
  }
}

/** What the routes see of a request on this connection. */
class StreamRequest implements HttpRequest {
  readonly #connection: Connection;
  readonly #head: Head;
  #body: "unread" | "reading" | "read" | "lost" = "unread";

  constructor(connection: Connection, head: Head) {
    this.#connection = connection;
    this.#head = head;
  }
  get method(): string {
    return this.#head.method;
  }
  get target(): string {
    return this.#head.target;
  }
  get peer(): string {
    return this.#connection.peer;
  }
  header(name: string): string | null {
    return this.#head.header(name);
  }
  async body(limit: number): Promise<Uint8Array> {
    this.#body = "lost";
    const bytes = await this.#connection.readBody(this.#head, limit);
    this.#body = "read";
    return bytes;
  }
  /** Whether the next request can begin: the body is read, there was none, or it is small enough to be passed over. */
  async drained(): Promise<boolean> {
    if (this.#body === "read" || this.#head.length === 0) return true;
    if (this.#body === "lost" || this.#head.expectsContinue) return false;
    try {
      await this.#connection.readBody(this.#head, bodyStepBytes);
      return true;
    } catch (problem) {
      if (problem instanceof TooLarge || problem instanceof BodyLost) return false;
      throw problem;
    }
  }
}

const encoder = new TextEncoder();
const noBytes = new Uint8Array(0);
const continueBytes = encoder.encode("HTTP/1.1 100 Continue\r\n\r\n");

let acceptedFor = "";
let acceptedNow = noBytes;

/** The answer that is sent most, made once a second. */
function acceptedBytes(date: string): Uint8Array {
  if (acceptedFor !== date) {
    acceptedFor = date;
    const fields = Object.entries(accepted.headers).map(([name, value]) => `${name}: ${value}\r\n`).join("");
    acceptedNow = encoder.encode(`HTTP/1.1 204 No Content\r\ndate: ${date}\r\n${fields}\r\n`);
  }
  return acceptedNow;
}

const reasons: Readonly<Record<number, string>> = {
  200: "OK",
  202: "Accepted",
  204: "No Content",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  409: "Conflict",
  411: "Length Required",
  413: "Content Too Large",
  414: "URI Too Long",
  415: "Unsupported Media Type",
  417: "Expectation Failed",
  422: "Unprocessable Content",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  503: "Service Unavailable",
  505: "HTTP Version Not Supported",
};

function grown(bytes: Buffer<ArrayBuffer>, length: number): Buffer<ArrayBuffer> {
  const larger = Buffer.allocUnsafeSlow(length);
  bytes.copy(larger);
  return larger;
}

/** The other side went away, or we closed the stream under a read. */
function isLost(problem: unknown): boolean {
  if (problem instanceof BodyLost) return true;
  const { code, name } = problem as { code?: string; name?: string };
  return ["ECONNRESET", "EPIPE", "ECONNABORTED", "ETIMEDOUT", "ENOTCONN"].includes(code ?? "") ||
    [
      "BadResource",
      "Interrupted",
      "UnexpectedEof",
      "BrokenPipe",
      "ConnectionReset",
      "ConnectionAborted",
      "NotConnected",
    ]
      .includes(name ?? "");
}
