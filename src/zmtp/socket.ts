/**
 * A socket: listens, connects and connects again, gives each connection to its owner, and watches over the time they take.
 * What is done with messages is its owners' business: `publisher.ts`, `pusher.ts`, or intake.
 */
import { type Clock, codeOf, isTransient } from "../os/world.ts";
import { Connection, type ConnectionSettings, type Owner, type Stream } from "./connection.ts";
import { type Endpoint, formatEndpoint } from "../config/endpoint.ts";
import type { Refusal } from "./refusal.ts";
import { type FrameLimits, frameLimits } from "./session.ts";
import type { OwnType } from "./socket_type.ts";
import { denoTransport, type Listener, type Transport } from "./transport.ts";

export interface SocketSettings {
  readonly type: OwnType;
  readonly listen: readonly Endpoint[];
  readonly connect: readonly Endpoint[];
  readonly clock: Clock;
  readonly random: () => number;
  /** Whose each new connection is. */
  readonly own: (connection: Connection) => Owner;
  /** Something an operator must know: a peer that was refused, an address that nobody answers at. */
  readonly report: (text: string) => void;
  readonly refused?: (refusal: Refusal) => void;
  readonly connectionsMax?: number;
  readonly frames?: FrameLimits;
  readonly handshakeMs?: number;
  readonly heartbeatMs?: number;
  readonly transport?: Transport;
}

const usual = { connectionsMax: 1000, handshakeMs: 2000, heartbeatMs: 30_000 };
const lookMs = 250;
const acceptAgainMs = 100;
const firstPauseMs = 100;
const mostPauseMs = 30_000;
/** A peer that is refused again and again is told of once in so long. */
const reportEveryMs = 10_000;

/** Rejects, saying where, when an address cannot be listened on. */
export async function openSocket(settings: SocketSettings): Promise<Socket> {
  const socket = new Socket(settings);
  try {
    for (const endpoint of settings.listen) await socket.listen(endpoint);
  } catch (problem) {
    socket.close();
    throw problem;
  }
  for (const endpoint of settings.connect) void socket.connect(endpoint);
  return socket;
}

export class Socket {
  /** Where it listens, with the ports in use. */
  readonly endpoints: Endpoint[] = [];
  readonly #settings: SocketSettings;
  readonly #transport: Transport;
  readonly #perConnection: ConnectionSettings;
  readonly #listeners: Listener[] = [];
  readonly #connections = new Set<Connection>();
  readonly #closing = new AbortController();
  #now: number;
  #reportedAt = -Infinity;
  #watching = false;

  constructor(settings: SocketSettings) {
    this.#settings = settings;
    this.#transport = settings.transport ?? denoTransport;
    this.#now = settings.clock.elapsed();
    this.#perConnection = {
      type: settings.type,
      frames: settings.frames ?? frameLimits,
      handshakeMs: settings.handshakeMs ?? usual.handshakeMs,
      heartbeatMs: settings.heartbeatMs ?? usual.heartbeatMs,
      elapsed: () => this.#now,
    };
  }

  get connections(): ReadonlySet<Connection> {
    return this.#connections;
  }

  async listen(endpoint: Endpoint): Promise<void> {
    const listener = await this.#transport.listen(endpoint).catch((problem) => {
      const why = codeOf(problem) === "EADDRINUSE" ? "something else listens there" : textOf(problem);
      const text = `Cannot listen on ${formatEndpoint(endpoint)}: ${why}`;
      throw Object.assign(new Error(text, { cause: problem }), { code: codeOf(problem) });
    });
    this.#listeners.push(listener);
    this.endpoints.push(listener.endpoint);
    void this.#accept(listener);
  }

  /** Connects, and again whenever the connection is lost, until the socket is closed. */
  async connect(endpoint: Endpoint): Promise<void> {
    const { clock, random, report } = this.#settings;
    const { signal } = this.#closing;
    for (let tries = 0; !signal.aborted; tries++) {
      try {
        const stream = await this.#transport.dial(endpoint);
        if (signal.aborted) return stream.close();
        if (await this.#serve(stream)) tries = 0;
      } catch (problem) {
        if (tries === 0) report(`${formatEndpoint(endpoint)} does not answer and is tried again: ${textOf(problem)}`);
      }
      await clock.sleep(pauseBefore(tries, random), signal);
    }
  }

  /** Ends everything; what was not written yet is lost. May be called twice. */
  close(): void {
    this.#closing.abort();
    for (const listener of this.#listeners) listener.close();
    for (const connection of [...this.#connections]) connection.close();
  }

  async #accept(listener: Listener): Promise<void> {
    const { clock, report } = this.#settings;
    const { signal } = this.#closing;
    for (let failed = false; !signal.aborted;) {
      try {
        const stream = await listener.accept();
        if (signal.aborted) return stream.close();
        void this.#serve(stream).catch((problem) => report(`a connection failed: ${stackOf(problem)}`));
        failed = false;
      } catch (problem) {
        if (signal.aborted) return;
        if (!failed) report(`a connection could not be taken: ${textOf(problem)}`);
        failed = true;
        await clock.sleep(isTransient(problem) ? 10 * acceptAgainMs : acceptAgainMs, signal);
      }
    }
  }

  /** Whether the two came to shake hands. */
  async #serve(stream: Stream): Promise<boolean> {
    const { own, connectionsMax = usual.connectionsMax } = this.#settings;
    if (this.#connections.size >= connectionsMax) {
      this.#tell(stream, { code: "too-many", detail: "there are too many connections" });
      stream.close();
      return false;
    }
    this.#now = this.#settings.clock.elapsed();
    const connection = new Connection(stream, this.#perConnection);
    this.#connections.add(connection);
    void this.#watch();
    const owner = own(connection);
    let ready = false;
    try {
      await connection.run({
        ...owner,
        ready(peer) {
          ready = true;
          owner.ready?.(peer);
        },
        closed: (refusal) => {
          this.#connections.delete(connection);
          if (refusal !== undefined) this.#tell(stream, refusal);
          owner.closed?.(refusal);
        },
      });
    } finally {
      this.#connections.delete(connection);
    }
    return ready;
  }

  #tell({ peer }: Stream, refusal: Refusal): void {
    const { refused, report } = this.#settings;
    refused?.(refusal);
    if (this.#now - this.#reportedAt < reportEveryMs) return;
    this.#reportedAt = this.#now;
    report(`a connection${peer === "" ? "" : ` from ${peer}`} was closed: ${refusal.detail}`);
  }

  /** While there are connections. */
  async #watch(): Promise<void> {
    if (this.#watching) return;
    this.#watching = true;
    const { clock } = this.#settings;
    const { signal } = this.#closing;
    while (!signal.aborted && this.#connections.size > 0) {
      await clock.sleep(lookMs, signal);
      this.#now = clock.elapsed();
      for (const connection of [...this.#connections]) connection.look();
    }
    this.#watching = false;
  }
}

/** Doubling from 100 ms to 30 s, half of it by chance so that many do not come together. */
function pauseBefore(tries: number, random: () => number): number {
  const full = Math.min(mostPauseMs, firstPauseMs * 2 ** Math.min(tries, 20));
  return full / 2 + random() * full / 2;
}

function textOf(problem: unknown): string {
  return problem instanceof Error ? problem.message : String(problem);
}

function stackOf(problem: unknown): string {
  return problem instanceof Error ? problem.stack ?? problem.message : String(problem);
}
