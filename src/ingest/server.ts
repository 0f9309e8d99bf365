/**
 * [shell] Listens, and gives each connection its loop. Bounded in all and per address; whoever is too slow is closed;
 * a stop answers what is under way. Nobody else knows that this is TCP.
 */
import { formatAddress, parseAddress } from "../config/address.ts";
import type { Clock } from "../os/world.ts";
import { type ByteStream, Connection, type ConnectionParts } from "./connection.ts";
import type { Handle } from "./routes.ts";

export interface ServerOptions {
  /** `host:port` or `[v6]:port`; port 0 lets the system choose. */
  readonly listen: string;
  readonly handle: Handle;
  readonly clock: Clock;
  readonly connectionsMax: number;
  readonly connectionsPerAddress: number;
  /** Something an operator must know. */
  readonly report: (text: string) => void;
}
export interface HttpServer {
  /** As `listen`, with the port in use. */
  readonly address: string;
  readonly port: number;
  /** Takes no further connections; resolves once those that are open have had their answers. */
  shutdown(): Promise<void>;
  /** Ends what is still open. */
  abort(): void;
}

/** Resolves once connections are taken; rejects with the system's `code`, EADDRINUSE for a port that another has. */
export async function serveHttp(options: ServerOptions): Promise<HttpServer> {
  const address = parseAddress(options.listen);
  if (address === undefined) throw new Error(`Cannot listen on "${options.listen}": it is no address and port`);
  const listener = Deno.listen({ hostname: address.host, port: address.port, tcpBacklog: backlog });
  const { port } = listener.addr;
  const server = new TcpServer(listener, options);
  return {
    address: formatAddress({ host: address.host, port }),
    port,
    shutdown: () => server.shutdown(),
    abort: () => server.abort(),
  };
}

/** Who finds no room here tries again after a whole second. The system may have less. */
const backlog = 4096;
const sweepMs = 250;
const acceptAgainMs = 100;

class TcpServer {
  readonly #listener: Deno.TcpListener;
  readonly #options: ServerOptions;
  readonly #parts: ConnectionParts;
  readonly #open = new Map<Connection, Promise<void>>();
  readonly #perAddress = new Map<string, number>();
  readonly #closing = new AbortController();
  readonly #sweeping = new AbortController();
  /** Looked at by every request, so kept by the sweep rather than asked for. */
  #now = 0;
  #date = "";

  constructor(listener: Deno.TcpListener, options: ServerOptions) {
    this.#listener = listener;
    this.#options = options;
    this.#parts = {
      handle: options.handle,
      elapsed: () => this.#now,
      date: () => this.#date,
      report: (problem) => options.report(`a request failed: ${problem instanceof Error ? problem.stack : problem}`),
    };
    this.#lookAtClock();
    void this.#accept();
    void this.#sweep();
  }

  async shutdown(): Promise<void> {
    this.#closing.abort();
    this.#listener.close();
    for (const connection of this.#open.keys()) connection.drain();
    await Promise.all(this.#open.values());
    this.#sweeping.abort();
  }

  abort(): void {
    this.#sweeping.abort();
    for (const connection of this.#open.keys()) connection.close();
  }

  async #accept(): Promise<void> {
    for (let failed = false; !this.#closing.signal.aborted;) {
      try {
        this.#take(await this.#listener.accept());
        failed = false;
      } catch (problem) {
        if (this.#closing.signal.aborted) return;
        // No more handles, or the client was gone before it was taken: neither is the end. Said once.
        if (!failed) this.#options.report(`a connection could not be taken: ${textOf(problem)}`);
        failed = true;
        await this.#options.clock.sleep(acceptAgainMs, this.#closing.signal);
      }
    }
  }

  #take(conn: Deno.TcpConn): void {
    if (this.#closing.signal.aborted) return conn.close();
    const peer = conn.remoteAddr.hostname;
    const fromThere = this.#perAddress.get(peer) ?? 0;
    const { connectionsMax, connectionsPerAddress } = this.#options;
    if (this.#open.size >= connectionsMax || fromThere >= connectionsPerAddress) return void turnAway(conn);
    this.#perAddress.set(peer, fromThere + 1);
    const connection = new Connection(new TcpStream(conn, peer), this.#parts);
    this.#open.set(connection, connection.run().then(() => this.#forget(connection, peer)));
  }

  #forget(connection: Connection, peer: string): void {
    this.#open.delete(connection);
    const left = this.#perAddress.get(peer)! - 1;
    if (left > 0) this.#perAddress.set(peer, left);
    else this.#perAddress.delete(peer);
  }

  async #sweep(): Promise<void> {
    while (!this.#sweeping.signal.aborted) {
      await this.#options.clock.sleep(sweepMs, this.#sweeping.signal);
      this.#lookAtClock();
      for (const connection of this.#open.keys()) if (connection.overdue) connection.close();
    }
  }

  #lookAtClock(): void {
    const { clock } = this.#options;
    this.#now = clock.elapsed();
    this.#date = new Date(clock.now()).toUTCString();
  }
}

class TcpStream implements ByteStream {
  readonly peer: string;
  readonly #conn: Deno.TcpConn;

  constructor(conn: Deno.TcpConn, peer: string) {
    this.#conn = conn;
    this.peer = peer;
    try {
      // An answer is written at once and whole: there is nothing to gather.
      conn.setNoDelay(true);
    } catch {
      // It is gone already, which the first read says again.
    }
  }
  read(into: Uint8Array): Promise<number | null> {
    return this.#conn.read(into);
  }
  write(bytes: Uint8Array): Promise<number> {
    return this.#conn.write(bytes);
  }
  closeWrite(): Promise<void> {
    return this.#conn.closeWrite();
  }
  close(): void {
    this.#conn.close();
  }
}

const busy = new TextEncoder().encode(
  "HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
);

async function turnAway(conn: Deno.TcpConn): Promise<void> {
  try {
    await conn.write(busy);
  } catch {
    // It is gone already.
  }
  conn.close();
}

function textOf(problem: unknown): string {
  return problem instanceof Error ? problem.message : String(problem);
}
