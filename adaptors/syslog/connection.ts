/** A stream to a syslog server, plain or TLS: takes bytes, and notices when the other side is gone. */
import { Buffer } from "node:buffer";
import { connect, type Socket } from "node:net";
import { connect as connectTLS } from "node:tls";
import type { Clock } from "../../src/os/world.ts";
import { distrustOf, inWords } from "../reason.ts";
import type { Ending } from "./tail.ts";

export interface Access {
  readonly host: string;
  readonly port: number;
  readonly tls: TLSAccess | undefined;
  /** To connect, and for a write while the peer reads nothing. */
  readonly timeoutMs: number;
  readonly clock: Clock;
}
export interface TLSAccess {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
}

const keepAliveMs = 30_000;

/** Rejects, saying what is wrong, when nobody is there or it is somebody else. */
export async function openConnection(access: Access, signal: AbortSignal): Promise<Connection> {
  signal.throwIfAborted();
  const { host, port, tls } = access;
  const name = tls?.servername ?? (host.includes(":") || /^[\d.]+$/.test(host) ? undefined : host);
  const named = name === undefined ? {} : { servername: name };
  const socket = tls ? connectTLS({ host, port, ...tls, ...named }) : connect({ host, port });
  const connection = new Connection(socket, access);
  try {
    await connection.settled(signal, `connect to ${host}:${port}`, (done) => {
      socket.once(tls ? "secureConnect" : "connect", () => done());
    });
    socket.setKeepAlive(true, keepAliveMs);
    return connection;
  } catch (problem) {
    connection.destroy();
    const server = () => ({ host, port, name: name ?? host, ...(tls?.ca !== undefined && { ca: tls.ca }) });
    const distrust = await distrustOf((problem as Error).cause, server, access.clock);
    if (distrust === undefined) throw problem;
    throw new Error(`Cannot connect to ${host}:${port}: ${distrust}`, { cause: problem });
  }
}

export class Connection {
  readonly #socket: Socket;
  readonly #access: Access;
  /** How it ended, why, and when (monotonic ms); undefined while it stands. */
  ended: { readonly how: Ending; readonly why: string; readonly at: number } | undefined;
  /** Told once, at the end. */
  #onEnd: (() => void)[] = [];

  constructor(socket: Socket, access: Access) {
    this.#socket = socket;
    this.#access = access;
    // A syslog server says nothing. Who does is not listened to, and its end is heard all the same.
    socket.on("data", () => {});
    socket.on("error", (problem) => this.#end("broken", problem.message));
    socket.on("end", () => this.#end("closed", "the server closed the connection"));
    socket.on("close", () => this.#end("broken", "the connection was lost"));
  }

  /** Resolves when the system has taken the bytes: they are on their way, which is all that is known. */
  write(bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    const { host, port } = this.#access;
    return this.settled(signal, `send to ${host}:${port}`, (done) => {
      this.#socket.write(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), done);
    });
  }

  /** Rejects when the connection has ended or ends meanwhile, when time is up, or when told to stop: it is of no use then. */
  async settled(
    signal: AbortSignal,
    what: string,
    work: (done: (problem?: Error | null) => void) => void,
  ): Promise<void> {
    const { clock, timeoutMs } = this.#access;
    const over = new AbortController();
    const limit = AbortSignal.any([signal, over.signal]);
    try {
      await new Promise<void>((resolve, reject) => {
        if (this.ended) return reject(new Error(this.ended.why));
        this.#onEnd.push(() => reject(new Error(this.ended?.why)));
        void clock.sleep(timeoutMs, limit).then(() => {
          if (!over.signal.aborted) {
            reject(new Error(signal.aborted ? "told to stop" : `no progress in ${timeoutMs} ms`));
          }
        });
        work((problem) => problem ? reject(problem) : resolve());
      });
    } catch (problem) {
      const ended = this.ended;
      this.destroy();
      throw new Error(`Cannot ${what}: ${inWords(ended?.why ?? (problem as Error).message)}`, { cause: problem });
    } finally {
      over.abort();
      this.#onEnd = [];
    }
  }

  /** Says that no more comes, and waits for the other side to hang up: true when it has, so it has read everything. */
  async finish(ms: number): Promise<boolean> {
    const over = new AbortController();
    if (!this.ended) {
      this.#socket.end();
      await Promise.race([
        new Promise<void>((resolve) => this.#onEnd.push(resolve)),
        this.#access.clock.sleep(ms, over.signal),
      ]);
      over.abort();
    }
    const isRead = this.ended?.how === "closed";
    this.destroy();
    return isRead;
  }

  destroy(): void {
    this.#end("broken", "the connection was given up");
    this.#socket.destroy();
  }

  #end(how: Ending, why: string): void {
    if (this.ended) return;
    const at = this.#access.clock.elapsed();
    this.ended = { how, why: why.replace(/[^\x20-\x7e]/g, "?").slice(0, 300), at };
    for (const tell of this.#onEnd) tell();
    this.#onEnd = [];
  }
}
