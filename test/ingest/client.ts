/** The other end of a connection, in memory: sends bytes in chosen pieces, takes answers as it likes, keeps them. */
import { Buffer } from "node:buffer";
import type { ByteStream } from "../../src/ingest/connection.ts";
import { BodyRoom } from "../../src/ingest/body_room.ts";
import { Connection } from "../../src/ingest/connection.ts";
import type { Answer, HttpRequest } from "../../src/ingest/http.ts";
import type { Handle } from "../../src/ingest/routes.ts";
import { spanText } from "./fakes.ts";

/** One byte a character. */
export function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}

class BadResource extends Error {
  override readonly name = "BadResource";
}

export class Client implements ByteStream {
  readonly peer = "192.0.2.7";
  readonly secure = false;
  /** What the server wrote. */
  taken = "";
  /** Bytes of a write that are taken at once. */
  takesAtMost = Infinity;
  /** Takes nothing until this resolves. */
  blocked: Promise<void> | undefined;
  /** The server writes no more. */
  finished = false;
  closed = false;
  /** Bytes that the server has room for, in the read that waits or was last. */
  room = 0;
  /** Fails the next read. */
  trouble: Error | undefined;
  #pieces: Uint8Array[] = [];
  #ended = false;
  #arrived = Promise.withResolvers<void>();

  send(...pieces: (string | Uint8Array)[]): this {
    for (const piece of pieces) {
      if (piece.length > 0) this.#pieces.push(typeof piece === "string" ? bytesOf(piece) : piece);
    }
    if (this.#pieces.length > 0) this.#arrived.resolve();
    return this;
  }
  /** Goes away without a word. */
  reset(): this {
    this.trouble = Object.assign(new Error("Connection reset by peer"), { code: "ECONNRESET" });
    this.#arrived.resolve();
    return this;
  }
  /** Sends no more. */
  end(): this {
    this.#ended = true;
    this.#arrived.resolve();
    return this;
  }
  async read(into: Uint8Array): Promise<number | null> {
    this.room = into.length;
    while (this.#pieces.length === 0 && !this.#ended && !this.closed && !this.trouble) await this.#arrived.promise;
    if (this.closed) throw new BadResource();
    if (this.trouble) throw this.trouble;
    const piece = this.#pieces.shift();
    if (piece === undefined) return null;
    const count = Math.min(piece.length, into.length);
    into.set(piece.subarray(0, count));
    // What lies behind the bytes that came is anybody's: nobody may rely on it.
    Uint8Array.prototype.fill.call(into, 0x0a, count, count + 100);
    if (count < piece.length) this.#pieces.unshift(piece.subarray(count));
    if (this.#pieces.length === 0) this.#arrived = Promise.withResolvers();
    return count;
  }
  async write(bytes: Uint8Array): Promise<number> {
    if (this.blocked) await Promise.race([this.blocked, this.#whenClosed.promise]);
    if (this.closed) throw new BadResource();
    const count = Math.min(bytes.length, this.takesAtMost);
    this.taken += textOf(bytes.subarray(0, count));
    return count;
  }
  async closeWrite(): Promise<void> {
    if (this.closed) throw new BadResource();
    this.finished = true;
  }
  close(): void {
    this.closed = true;
    this.#whenClosed.resolve();
    this.#arrived.resolve();
  }
  readonly #whenClosed = Promise.withResolvers<void>();

  get replies(): Reply[] {
    return repliesIn(this.taken);
  }
}

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Throws when there is anything but whole responses. */
function repliesIn(taken: string): Reply[] {
  const replies: Reply[] = [];
  for (let at = 0; at < taken.length;) {
    const end = taken.indexOf("\r\n\r\n", at);
    const [first = "", ...lines] = taken.slice(at, end).split("\r\n");
    const match = /^HTTP\/1\.1 (\d{3}) [A-Za-z ]+$/.exec(first);
    if (end < 0 || !match) throw new Error(`This is no response: ${JSON.stringify(taken.slice(at, at + 200))}`);
    const headers = Object.fromEntries(lines.map((line) => line.split(": ", 2)));
    const length = Number(headers["content-length"] ?? 0);
    at = end + 4 + length;
    if (at > taken.length) throw new Error("The last response is cut");
    replies.push({ status: Number(match[1]), headers, body: taken.slice(at - length, at) });
  }
  return replies;
}

/** What the routes were asked, with the whole body or the reason why there is none. */
export interface Asked {
  readonly method: string;
  readonly target: string;
  readonly body: string;
}

/** Routes that read every body and say yes. */
export class Listener {
  readonly asked: Asked[] = [];
  readonly reports: unknown[] = [];
  now = 0;
  /** For the bodies of all connections. */
  room = new BodyRoom(1 << 30);
  readonly handle: Handle = async (request) => {
    try {
      const body = textOf(await request.body(65_536));
      this.asked.push({ method: request.method, target: spanText(request.target), body });
      return { status: 204, headers: {} };
    } catch (problem) {
      const { name, message } = problem as Error;
      if (name !== "BodyLost" && name !== "TooLarge") throw problem;
      return { status: name === "TooLarge" ? 413 : 400, headers: {}, body: message };
    }
  };

  connect(client: Client, handle: Handle = this.handle): Connection {
    return new Connection(client, {
      handle,
      elapsed: () => this.now,
      date: () => "Sun, 01 Mar 2026 12:00:00 GMT",
      report: (problem) => this.reports.push(problem),
      room: this.room,
      ended() {},
    });
  }
}

/** Says all of it to a new connection and waits for its end. */
export async function converse(pieces: readonly (string | Uint8Array)[], handle?: Handle) {
  const listener = new Listener();
  const client = new Client().send(...pieces).end();
  await listener.connect(client, handle).run();
  return { client, asked: listener.asked, reports: listener.reports };
}

/** Lets everything run that can. */
export async function quiet(): Promise<void> {
  for (let i = 0; i < 100; i++) await Promise.resolve();
}

/** Routes that answer at once, without a look at the body. */
export function answering(answer: Partial<Answer> = {}, see?: (request: HttpRequest) => void): Handle {
  return (request) => {
    see?.(request);
    return { status: 200, headers: {}, ...answer };
  };
}
