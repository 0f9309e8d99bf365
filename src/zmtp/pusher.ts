/**
 * PUSH (RFC 30): each message to one peer, in turn among those that have room. A message counts as handed over when the system
 * has taken all of it for a peer; those that a lost connection left go to another one.
 */
import type { Connection, Owner } from "./connection.ts";
import type { Outgoing } from "./outgoing.ts";

/** Messages that were given to a peer and not taken by the system yet, in order. */
interface Given {
  readonly index: number;
  /** Bytes of the connection after which it is out. */
  readonly end: number;
}
interface Worker {
  readonly connection: Connection;
  given: Given[];
}

export class Pusher {
  readonly #highBytes: number;
  readonly #workers = new Set<Worker>();
  #changed = Promise.withResolvers<void>();
  /** Whose turn it is. */
  #turn = 0;
  /** Of the batch under way: what is to be given, the next one last, and how many are not out yet. */
  #left: number[] = [];
  #waiting = 0;

  /** `highBytes`: how much may wait for one peer. */
  constructor(highBytes: number) {
    this.#highBytes = highBytes;
  }

  get peers(): number {
    return this.#workers.size;
  }

  own(connection: Connection): Owner {
    const worker: Worker = { connection, given: [] };
    return {
      ready: () => {
        this.#workers.add(worker);
        this.#tell();
      },
      wrote: () => this.#settle(worker),
      closed: () => {
        this.#settle(worker);
        this.#workers.delete(worker);
        for (const { index } of worker.given.reverse()) this.#left.push(index);
        worker.given = [];
        this.#tell();
      },
    };
  }

  /** Resolves when there is a peer, or `signal` aborts. */
  async someone(signal: AbortSignal): Promise<void> {
    await this.#until(() => this.#workers.size > 0, signal);
  }

  /** Resolves with the numbers of messages that nobody took before `signal` aborted: none, mostly. One call at a time. */
  async push(batch: Outgoing, signal: AbortSignal): Promise<number[]> {
    this.#left = Array.from({ length: batch.count }, (_, i) => batch.count - 1 - i);
    this.#waiting = batch.count;
    while (this.#waiting > 0 && !signal.aborted) {
      this.#deal(batch);
      const [waiting, left] = [this.#waiting, this.#left.length];
      await this.#until(
        () => this.#waiting === 0 || this.#waiting < waiting || this.#left.length > left || this.#canDeal(),
        signal,
      );
    }
    // Whether a peer gets what is half out is not known: another one will.
    for (const { connection, given } of [...this.#workers]) if (given.length > 0) connection.close();
    const open = this.#left.sort((a, b) => a - b);
    this.#left = [];
    return open;
  }

  #canDeal(): boolean {
    return this.#left.length > 0 && this.#withRoom().length > 0;
  }

  #withRoom(): Worker[] {
    return [...this.#workers].filter(({ connection }) => !connection.closed && connection.queued < this.#highBytes);
  }

  /** Gives each of those with room a share of what is left, message by message in turn. */
  #deal(batch: Outgoing): void {
    for (let workers = this.#withRoom(); this.#left.length > 0 && workers.length > 0; workers = this.#withRoom()) {
      const hands = workers.map((worker) => new Hand(worker, this.#highBytes));
      for (let full = 0; this.#left.length > 0 && full < hands.length;) {
        const hand = hands[this.#turn++ % hands.length]!;
        if (hand.isFull) full++;
        else {
          full = 0;
          hand.take(this.#left.pop()!, batch);
        }
      }
      for (const hand of hands) hand.give(batch);
    }
  }

  #settle(worker: Worker): void {
    const { written } = worker.connection;
    let out = 0;
    while (out < worker.given.length && worker.given[out]!.end <= written) out++;
    if (out === 0) return;
    worker.given = worker.given.slice(out);
    this.#waiting -= out;
    this.#tell();
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

/** What one peer gets of a deal. */
class Hand {
  readonly #worker: Worker;
  readonly #most: number;
  readonly #indexes: number[] = [];
  #bytes = 0;

  constructor(worker: Worker, highBytes: number) {
    this.#worker = worker;
    this.#most = highBytes - worker.connection.queued;
  }

  get isFull(): boolean {
    return this.#bytes >= this.#most;
  }

  take(index: number, { ends }: Outgoing): void {
    this.#indexes.push(index);
    this.#bytes += ends[index]! - beginOf(ends, index);
  }

  give({ bytes, ends }: Outgoing): void {
    const { connection, given } = this.#worker;
    if (this.#indexes.length === 0) return;
    const piece = new Uint8Array(this.#bytes);
    let out = connection.written + connection.queued;
    let at = 0;
    for (const index of this.#indexes) {
      const [from, to] = [beginOf(ends, index), ends[index]!];
      piece.set(bytes.subarray(from, to), at);
      at += to - from;
      given.push({ index, end: out += to - from });
    }
    connection.send(piece);
  }
}

function beginOf(ends: Float64Array, index: number): number {
  return index === 0 ? 0 : ends[index - 1]!;
}
