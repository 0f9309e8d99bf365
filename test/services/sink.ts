/** A server in the test itself that takes octet-counted frames over TCP, and can fall silent, reset or hang up. */
import { Buffer } from "node:buffer";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { eventually } from "../e2e/waiting.ts";

export async function startSink(port = 0): Promise<Sink> {
  const sink = new Sink();
  await sink.listen(port);
  return sink;
}

export class Sink implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** What came over each connection, by the order of their beginnings. */
  readonly received: Buffer[][] = [];
  /** Connections are taken and nothing is read from them. */
  silent = false;

  constructor() {
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#take(socket));
  }
  listen(port: number): Promise<void> {
    return new Promise((resolve) => this.#server.listen(port, "127.0.0.1", () => resolve()));
  }
  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }
  get connections(): number {
    return this.received.length;
  }
  /** All whole frames. */
  frames(): Buffer[] {
    return this.received.flatMap((pieces) => framesIn(Buffer.concat(pieces)));
  }
  /** Resolves when all connections are over: what came over them was read. */
  async alone(): Promise<void> {
    await eventually("the connections to end", () => this.#sockets.size === 0);
  }
  /** From now on nothing is read, also of the connections there are. */
  fallSilent(): void {
    this.silent = true;
    for (const socket of this.#sockets) socket.pause();
  }
  listenAgain(): void {
    this.silent = false;
    for (const socket of this.#sockets) socket.resume();
  }
  /** All connections end at once, whatever was under way. */
  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }
  /** All connections are closed in an orderly way. */
  hangUp(): void {
    for (const socket of this.#sockets) socket.end();
  }
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.reset();
    await closed;
  }

  #take(socket: Socket): void {
    const pieces: Buffer[] = [];
    this.received.push(pieces);
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("end", () => socket.end());
    socket.on("data", (piece: Buffer) => pieces.push(piece));
    if (this.silent) socket.pause();
  }
}

/** A frame that was cut off is left out. */
export function framesIn(bytes: Buffer): Buffer[] {
  const frames: Buffer[] = [];
  for (let at = 0;;) {
    const space = bytes.indexOf(0x20, at);
    const length = space < 0 ? NaN : Number(bytes.subarray(at, space).toString());
    if (space >= 0 && !Number.isSafeInteger(length)) throw new Error(`There is no frame at ${at}`);
    if (!(bytes.length >= space + 1 + length)) return frames;
    at = space + 1 + length;
    frames.push(bytes.subarray(space + 1, at));
  }
}
