/** Gives each connection its loop. Bounded in all and per address; whoever is too slow is closed; a stop answers what is under way. */
import { formatAddress, parseAddress } from "../config/address.ts";
import type { Clock } from "../os/world.ts";
import { BodyRoom } from "./body_room.ts";
import { Bound } from "./bound.ts";
import { type ByteStream, Connection, type ConnectionParts } from "./connection.ts";
import { listenTcp } from "./listener.ts";
import type { Handle } from "./routes.ts";
import { listenTls, type TlsSettings } from "./tls.ts";

export interface ServerOptions {
  /** `host:port` or `[v6]:port`; port 0 lets the system choose. */
  readonly listen: string;
  /** Without it, connections are plain TCP. */
  readonly tls?: TlsSettings;
  readonly handle: Handle;
  readonly clock: Clock;
  readonly connectionsMax: number;
  readonly connectionsPerAddress: number;
  /** Bytes that all bodies together may take. */
  readonly bodiesMax: number;
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
  const { host, port } = address;
  const server = new ConnectionServer(options);
  const arrivals = {
    clock: options.clock,
    report: options.report,
    take: (stream: ByteStream) => server.take(stream),
    lacking: () => server.makeRoom(),
  };
  const listening = options.tls === undefined
    ? listenTcp(host, port, arrivals)
    : listenTls(host, port, options.tls, arrivals);
  const listener = await listening.catch((problem) => {
    server.abort();
    throw problem;
  });
  return {
    address: formatAddress({ host, port: listener.port }),
    port: listener.port,
    shutdown() {
      listener.close();
      return server.shutdown();
    },
    abort: () => server.abort(),
  };
}

const sweepMs = 250;
/** An answer and a close each: more at once would hold up everybody else by milliseconds. */
const expiredPerTurn = 8;

class ConnectionServer {
  readonly #options: ServerOptions;
  readonly #parts: ConnectionParts;
  readonly #open = new Set<Connection>();
  readonly #perAddress = new Map<string, number>();
  /** How many there may be. */
  readonly #bound: Bound;
  /** Those that are told so: each has a handle until then. */
  #leaving = 0;
  readonly #sweeping = new AbortController();
  readonly #emptied = Promise.withResolvers<void>();
  #isStopping = false;
  /** Looked at by every request, so kept by the sweep rather than asked for. */
  #now = 0;
  #date = "";

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#bound = new Bound(options.connectionsMax);
    this.#parts = {
      handle: options.handle,
      elapsed: () => this.#now,
      date: () => this.#date,
      room: new BodyRoom(options.bodiesMax),
      ended: (connection) => this.#forget(connection),
      report: (problem) => options.report(`a request failed: ${problem instanceof Error ? problem.stack : problem}`),
    };
    this.#lookAtClock();
    void this.#sweep();
  }

  async shutdown(): Promise<void> {
    for (const connection of this.#open) connection.drain();
    this.#isStopping = true;
    if (this.#open.size > 0) await this.#emptied.promise;
    this.#sweeping.abort();
  }

  abort(): void {
    this.#sweeping.abort();
    for (const connection of this.#open) connection.close();
  }

  take(stream: ByteStream): void {
    const { peer } = stream;
    const fromThere = this.#perAddress.get(peer) ?? 0;
    const { connectionsPerAddress } = this.#options;
    if (this.#open.size >= this.#bound.most || fromThere >= connectionsPerAddress) return void this.#turnAway(stream);
    this.#perAddress.set(peer, fromThere + 1);
    const connection = new Connection(stream, this.#parts);
    this.#open.add(connection);
    void connection.run();
  }

  /**
   * The system gives no more handles. Connections took them, and the log and the operator need some, too: so many are closed, idle
   * ones first, the youngest first, and there may be as many again only when a while has passed without that.
   */
  makeRoom(): void {
    const open = [...this.#open].reverse();
    if (!this.#bound.lower(open.length + this.#leaving, this.#options.clock.elapsed())) return;
    const { most } = this.#bound;
    this.#options.report(
      `only ${most} connections at once from now on: the system allows no more handles; raise its limit (ulimit -n), ` +
        "or lower http.connections_max; there may be more again as time goes by without that",
    );
    const idle = open.filter((connection) => !connection.busy);
    for (const connection of idle.slice(0, Math.max(0, open.length - most))) connection.close();
  }

  async #turnAway(stream: ByteStream): Promise<void> {
    this.#leaving++;
    try {
      await stream.write(busy);
    } catch {
      // It is gone already.
    }
    this.#leaving--;
    stream.close();
  }

  #forget(connection: Connection): void {
    const { peer } = connection;
    this.#open.delete(connection);
    if (this.#open.size === 0 && this.#isStopping) this.#emptied.resolve();
    const left = this.#perAddress.get(peer)! - 1;
    if (left > 0) this.#perAddress.set(peer, left);
    else this.#perAddress.delete(peer);
  }

  async #sweep(): Promise<void> {
    while (!this.#sweeping.signal.aborted) {
      await this.#options.clock.sleep(sweepMs, this.#sweeping.signal);
      this.#lookAtClock();
      if (this.#bound.rise(this.#now)) {
        this.#options.report(`${this.#bound.most} connections at once again, as http.connections_max says`);
      }
      await this.#expire();
    }
  }

  /** Ends those whose time is over, a few a turn, and waits for a timer between: what others sent is not looked at before one. */
  async #expire(): Promise<void> {
    let left = expiredPerTurn;
    for (const connection of this.#open) {
      if (!connection.overdue) continue;
      connection.expire();
      if (--left > 0) continue;
      await this.#options.clock.sleep(0);
      this.#lookAtClock();
      left = expiredPerTurn;
    }
  }

  #lookAtClock(): void {
    const { clock } = this.#options;
    this.#now = clock.elapsed();
    this.#date = new Date(clock.now()).toUTCString();
  }
}

const busy = new TextEncoder().encode(
  "HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
);
