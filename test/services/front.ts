/**
 * A server that talks TLS in front of a peer that does not, as people put one there: its certificate can be replaced. Connections
 * do not survive that, and nobody can resume a session of before.
 */
import type { Pair } from "./certificates.ts";

export async function startFront(peerPort: number, pair: Pair, port = 0): Promise<Front> {
  const front = new Front(peerPort, port);
  await front.show(pair);
  return front;
}

export class Front implements AsyncDisposable {
  readonly #peerPort: number;
  readonly #connections = new Set<Deno.Conn>();
  #listener: Deno.TlsListener | undefined;
  #taking: Promise<void> = Promise.resolve();
  port: number;

  constructor(peerPort: number, port: number) {
    this.#peerPort = peerPort;
    this.port = port;
  }
  async show({ cert, key }: Pair): Promise<void> {
    const pair = { cert: await Deno.readTextFile(cert), key: await Deno.readTextFile(key) };
    await this.#close();
    const listener = Deno.listenTls({ hostname: "127.0.0.1", port: this.port, ...pair });
    this.port = (listener.addr as Deno.NetAddr).port;
    this.#listener = listener;
    this.#taking = this.#takeAll(listener);
  }
  /** Ends all connections there are. */
  reset(): void {
    for (const connection of this.#connections) close(connection);
    this.#connections.clear();
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }

  async #close(): Promise<void> {
    this.#listener?.close();
    this.#listener = undefined;
    await this.#taking;
    this.reset();
  }
  async #takeAll(listener: Deno.TlsListener): Promise<void> {
    for await (const near of listener) void this.#take(near);
  }
  async #take(near: Deno.TlsConn): Promise<void> {
    this.#connections.add(near);
    try {
      await near.handshake();
      const far = await Deno.connect({ hostname: "127.0.0.1", port: this.#peerPort });
      this.#connections.add(far);
      await Promise.race([near.readable.pipeTo(far.writable), far.readable.pipeTo(near.writable)]);
      close(far);
    } catch {
      // Whoever does not like what is shown goes away, and so does whoever is reset.
    }
    close(near);
  }
}

function close(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch {
    // It has ended already.
  }
}
