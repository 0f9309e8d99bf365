/**
 * PUB (RFC 29): each message to everybody who subscribed to its beginning. The fastest subscriber sets the pace; for one that is
 * slower so much waits as the high-water mark allows, and what is beyond it is dropped for that one.
 */
import type { Connection, Owner } from "./connection.ts";
import type { Outgoing } from "./outgoing.ts";
import { Subscriptions } from "./subscriptions.ts";

interface Subscriber {
  readonly connection: Connection;
  readonly wanted: Subscriptions;
}

/** Below this the next batch is sent. */
const lowBytes = 256 * 1024;

export class Publisher {
  readonly #highBytes: number;
  readonly #dropped: (peer: string, count: number) => void;
  readonly #subscribers = new Set<Subscriber>();
  #changed = Promise.withResolvers<void>();

  /** `dropped` hears of messages that a slow subscriber does not get. */
  constructor(highBytes: number, dropped: (peer: string, count: number) => void) {
    this.#highBytes = highBytes;
    this.#dropped = dropped;
  }

  /** Whether anybody wants anything. */
  get subscribed(): boolean {
    for (const { wanted } of this.#subscribers) if (wanted.any) return true;
    return false;
  }

  own(connection: Connection): Owner {
    const subscriber: Subscriber = { connection, wanted: new Subscriptions() };
    return {
      ready: () => void this.#subscribers.add(subscriber),
      subscribe: (prefix, isWanted) => {
        if (!isWanted) subscriber.wanted.cancel(prefix);
        const refusal = isWanted ? subscriber.wanted.add(prefix) : undefined;
        this.#tell();
        return refusal;
      },
      wrote: () => this.#tell(),
      closed: () => {
        this.#subscribers.delete(subscriber);
        this.#tell();
      },
    };
  }

  /** Resolves when somebody wants something, or `signal` aborts. */
  async someone(signal: AbortSignal): Promise<void> {
    await this.#until(() => this.subscribed, signal);
  }

  /** Resolves when there is room for more at somebody's, or nobody is there, or `signal` aborts. */
  async publish(batch: Outgoing, signal: AbortSignal): Promise<void> {
    for (const subscriber of this.#subscribers) this.#send(subscriber, batch);
    await this.#until(() => this.#hasRoom(), signal);
  }

  /** Resolves when nothing waits for anybody, or `signal` aborts. */
  async drained(signal: AbortSignal): Promise<void> {
    await this.#until(() => [...this.#subscribers].every(({ connection }) => connection.queued === 0), signal);
  }

  #hasRoom(): boolean {
    let anybody = false;
    for (const { connection, wanted } of this.#subscribers) {
      if (!wanted.any) continue;
      if (connection.queued <= lowBytes) return true;
      anybody = true;
    }
    return !anybody;
  }

  #send({ connection, wanted }: Subscriber, batch: Outgoing): void {
    if (!wanted.any) return;
    const room = this.#highBytes - connection.queued;
    const { piece, dropped } = wanted.all ? upTo(batch, room) : chosen(batch, wanted, room);
    connection.send(piece);
    if (dropped > 0) this.#dropped(connection.peer, dropped);
  }

  async #until(isSo: () => boolean, signal: AbortSignal): Promise<void> {
    const stop = () => this.#tell();
    signal.addEventListener("abort", stop);
    while (!isSo() && !signal.aborted) await this.#changed.promise;
    signal.removeEventListener("abort", stop);
  }

  #tell(): void {
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers<void>();
    resolve();
  }
}

interface Piece {
  readonly piece: Uint8Array;
  readonly dropped: number;
}

/** As many of the first as there is room for. */
function upTo({ bytes, count, ends }: Outgoing, room: number): Piece {
  if (bytes.length <= room) return { piece: bytes, dropped: 0 };
  let fits = 0;
  while (fits < count && ends[fits]! <= room) fits++;
  return { piece: bytes.subarray(0, fits === 0 ? 0 : ends[fits - 1]!), dropped: count - fits };
}

/** Those that are wanted, in a piece of their own. */
function chosen({ bytes, count, ends, firsts, firstEnds }: Outgoing, wanted: Subscriptions, room: number): Piece {
  const piece = new Uint8Array(Math.max(0, Math.min(bytes.length, room)));
  let [at, dropped] = [0, 0];
  for (let i = 0; i < count; i++) {
    if (!wanted.wants(bytes, firsts[i]!, firstEnds[i]!)) continue;
    const [from, to] = [i === 0 ? 0 : ends[i - 1]!, ends[i]!];
    if (dropped > 0 || at + to - from > piece.length) dropped++;
    else {
      piece.set(bytes.subarray(from, to), at);
      at += to - from;
    }
  }
  return { piece: piece.subarray(0, at), dropped };
}
