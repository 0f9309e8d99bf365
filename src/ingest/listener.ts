/** [shell] Where connections come in: TCP as it is. `tls.ts` is the other way in; nobody else knows which it was. */
import { type Clock, isTransient } from "../os/world.ts";
import type { ByteStream } from "./connection.ts";

/** What comes, and what goes wrong. */
export interface Arrivals {
  readonly clock: Clock;
  /** Owns the stream from here on. */
  take(stream: ByteStream): void;
  /** The system gives no handle for a connection. */
  lacking(): void;
  /** Something an operator must know. */
  report(text: string): void;
}
export interface Listener {
  readonly port: number;
  /** Takes no further connections. May be called twice. */
  close(): void;
}

/** Who finds no room here tries again after a whole second. The system may have less. */
export const backlog = 4096;
const acceptAgainMs = 100;

/** Rejects with the system's `code`, EADDRINUSE for a port that another has. */
export async function listenTcp(hostname: string, port: number, arrivals: Arrivals): Promise<Listener> {
  const listener = new TcpListener(Deno.listen({ hostname, port, tcpBacklog: backlog }), arrivals);
  void listener.accept();
  return listener;
}

class TcpListener implements Listener {
  readonly #listener: Deno.TcpListener;
  readonly #arrivals: Arrivals;
  readonly #closing = new AbortController();

  constructor(listener: Deno.TcpListener, arrivals: Arrivals) {
    this.#listener = listener;
    this.#arrivals = arrivals;
  }
  get port(): number {
    return this.#listener.addr.port;
  }

  close(): void {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    this.#listener.close();
  }

  async accept(): Promise<void> {
    const { clock, report } = this.#arrivals;
    const { signal } = this.#closing;
    for (let failed = false; !signal.aborted;) {
      try {
        const conn = await this.#listener.accept();
        if (signal.aborted) return conn.close();
        this.#arrivals.take(new TcpStream(conn));
        failed = false;
      } catch (problem) {
        if (signal.aborted) return;
        if (isTransient(problem)) this.#arrivals.lacking();
        // No more handles, or the client was gone before it was taken: neither is the end. Said once.
        if (!failed) report(`a connection could not be taken: ${problem instanceof Error ? problem.message : problem}`);
        failed = true;
        await clock.sleep(acceptAgainMs, signal);
      }
    }
  }
}

class TcpStream implements ByteStream {
  readonly peer: string;
  readonly secure = false;
  readonly #conn: Deno.TcpConn;

  constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
    this.peer = conn.remoteAddr.hostname;
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
