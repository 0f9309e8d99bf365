/** An HTTP server that takes webhooks, remembers what it got, and misbehaves when told to. */
import { Buffer } from "node:buffer";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTLSServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { gunzipSync, zstdDecompressSync } from "node:zlib";

export interface Got {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  /** As it came. */
  readonly raw: Uint8Array;
  /** Without its compression. */
  readonly body: Uint8Array;
  readonly text: string;
}
export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly text?: string;
}
/** What is done instead of an answer. */
export type Misdeed = (request: IncomingMessage, response: ServerResponse) => void;

export interface ReceiverSetup {
  readonly port?: number;
  readonly tls?: { readonly cert: string; readonly key: string; readonly clientCA?: string };
}

export async function startReceiver(setup: ReceiverSetup = {}): Promise<Receiver> {
  const receiver = new Receiver(setup);
  await receiver.listen(setup.port ?? 0);
  return receiver;
}

export class Receiver implements AsyncDisposable {
  /** Requests that were answered 2xx, in order. */
  readonly taken: Got[] = [];
  readonly all: Got[] = [];
  answer: (got: Got) => Answer = () => ({ status: 204 });
  /** Done to all requests as long as it is there, before anything of a body is read. */
  misdeed: Misdeed | undefined;
  connections = 0;
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;
  readonly #scheme: string;

  constructor({ tls }: ReceiverSetup) {
    const answer = (request: IncomingMessage, response: ServerResponse) => void this.#take(request, response);
    this.#scheme = tls ? "https" : "http";
    this.#server = tls ? createTLSServer(tlsOptions(tls), answer) : createServer(answer);
    this.#server.on("connection", (socket: Socket) => {
      this.connections++;
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => this.#sockets.delete(socket));
    });
    this.#server.on("clientError", () => {});
  }

  listen(port: number): Promise<void> {
    return new Promise((resolve) => this.#server.listen(port, "127.0.0.1", () => resolve()));
  }
  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }
  get url(): string {
    return `${this.#scheme}://localhost:${this.port}/in`;
  }
  /** Lines of all bodies that were taken. */
  lines(): string[] {
    return this.taken.flatMap(({ text }) => text.split("\n").slice(0, -1));
  }
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.on("error", () => {});
    response.on("error", () => {});
    if (this.misdeed) return this.misdeed(request, response);
    const raw = await whole(request);
    if (raw === undefined) return;
    const got = gotFrom(request, raw);
    this.all.push(got);
    const { status, headers = {}, text = "" } = this.answer(got);
    if (status >= 200 && status < 300) this.taken.push(got);
    response.writeHead(status, headers);
    response.end(text);
  }
  /** Remembers the request, and answers nothing. */
  readonly loseAnswer: Misdeed = async (request, response) => {
    const raw = await whole(request);
    if (raw !== undefined) this.taken.push(gotFrom(request, raw));
    response.socket?.destroy();
  };
}

/** The connection ends when a part of the request is there. */
export const cut: Misdeed = (request) => void request.once("data", () => request.socket.destroy());
/** The request is read, and nothing is ever said. */
export const sayNothing: Misdeed = (request) => void request.resume();

/** Undefined when the connection breaks before the end. */
async function whole(request: IncomingMessage): Promise<Uint8Array | undefined> {
  const pieces: Uint8Array[] = [];
  try {
    for await (const piece of request) pieces.push(piece);
  } catch {
    return undefined;
  }
  return request.complete ? Buffer.concat(pieces) : undefined;
}

function gotFrom(request: IncomingMessage, raw: Uint8Array): Got {
  const encoding = request.headers["content-encoding"];
  const body = encoding === "gzip" ? gunzipSync(raw) : encoding === "zstd" ? zstdDecompressSync(raw) : raw;
  const { method = "", url: path = "", headers } = request;
  return { method, path, headers, raw, body, text: new TextDecoder().decode(body) };
}

function tlsOptions({ cert, key, clientCA }: NonNullable<ReceiverSetup["tls"]>) {
  const pair = { cert: Deno.readTextFileSync(cert), key: Deno.readTextFileSync(key) };
  if (clientCA === undefined) return pair;
  return { ...pair, ca: Deno.readTextFileSync(clientCA), requestCert: true, rejectUnauthorized: true };
}
