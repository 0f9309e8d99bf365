/**
 * One connection: a stream of bytes and what is said on it. Reads in large pieces, writes what one turn brought at once. Time
 * limits are watched from outside, by `look`.
 */
import { codeOf } from "../os/world.ts";
import { pingCommand } from "./command.ts";
import { type Refusal, refuse } from "./refusal.ts";
import { type FrameLimits, type Parts, type Peer, Session } from "./session.ts";
import type { OwnType } from "./socket_type.ts";

/** The two directions of a connection. */
export interface Stream {
  /** The address of the other side; empty on this machine's own sockets. */
  readonly peer: string;
  /** How many bytes came, or null at the end. */
  read(into: Uint8Array): Promise<number | null>;
  /** How many of them went, at least one. */
  write(bytes: Uint8Array): Promise<number>;
  close(): void;
}

/** Whom a connection belongs to. */
export interface Owner {
  ready?(peer: Peer): void;
  message?(parts: Parts): void;
  /** All that one read brought was told; nothing more is read before the promise is settled. */
  taken?(): Promise<void> | undefined;
  subscribe?(prefix: Uint8Array, wanted: boolean): Refusal | undefined;
  /** Some of what waits was written. */
  wrote?(): void;
  /** It is over; `refusal` says why if we ended it. */
  closed?(refusal?: Refusal): void;
}

export interface ConnectionSettings {
  readonly type: OwnType;
  readonly frames: FrameLimits;
  /** For greeting and handshake. */
  readonly handshakeMs: number;
  /** Silence after which the peer is asked; after as long again it is gone. 0 asks nobody. */
  readonly heartbeatMs: number;
  /** Monotonic ms, as of the last look. */
  readonly elapsed: () => number;
}

const firstBytes = 4096;
const stepBytes = 128 * 1024;
/** Smaller pieces are written together, up to so much. */
const gatheredBytes = 64 * 1024;
/** A peer that does not read what we answer is not read either. */
const answersMax = 1024 * 1024;
/** Who takes nothing for so many heartbeats is gone, or as good as that. */
const stalledBeats = 4;

export class Connection {
  readonly #stream: Stream;
  readonly #settings: ConnectionSettings;
  readonly #session: Session;
  #owner: Owner = {};
  #buffer = new Uint8Array(firstBytes);
  /** What was read and not used yet stands between these. */
  #from = 0;
  #to = 0;
  /** The last read took all the room there was. */
  #filled = false;
  #queue: Uint8Array[] = [];
  /** Bytes that wait to be written, and those that were. */
  #queued = 0;
  #written = 0;
  #writing = false;
  #progress = Promise.withResolvers<void>();
  readonly #began: number;
  #heardAt: number;
  #wroteAt: number;
  #askedAt: number | undefined;
  /** What came is being worked on, so that nothing is heard. */
  #busy = false;
  #closed = false;

  constructor(stream: Stream, settings: ConnectionSettings) {
    this.#stream = stream;
    this.#settings = settings;
    this.#began = this.#heardAt = this.#wroteAt = settings.elapsed();
    this.#session = new Session(settings.type, settings.frames, {
      send: (bytes) => this.#reply(bytes),
      ready: (peer) => this.#owner.ready?.(peer),
      message: (parts) => this.#owner.message?.(parts),
      subscribe: (prefix, wanted) => this.#owner.subscribe?.(prefix, wanted),
    });
  }

  get peer(): string {
    return this.#stream.peer;
  }
  get ready(): boolean {
    return this.#session.peer !== undefined && !this.#closed;
  }
  /** Bytes that wait to be written. */
  get queued(): number {
    return this.#queued;
  }
  /** Bytes that the system has taken, since the beginning. */
  get written(): number {
    return this.#written;
  }
  get closed(): boolean {
    return this.#closed;
  }

  /** Serves until one side is done. Never rejects for what the other side does. */
  async run(owner: Owner): Promise<void> {
    this.#owner = owner;
    let refusal: Refusal | undefined;
    try {
      this.#session.begin();
      refusal = await this.#serve();
    } catch (problem) {
      if (!this.#closed && !isLost(problem)) throw problem;
    } finally {
      this.close(refusal);
    }
  }

  /** Takes the bytes as they are: they may not change until they are written. */
  send(bytes: Uint8Array): void {
    if (this.#closed || bytes.length === 0) return;
    this.#queue.push(bytes);
    this.#queued += bytes.length;
    if (this.#writing) return;
    this.#writing = true;
    // What is sent in one go goes in one piece.
    queueMicrotask(() => void this.#write());
  }

  /** To what the peer asks. While so much waits for it, that is a sign of life enough. */
  #reply(bytes: Uint8Array): void {
    if (this.#queued <= answersMax) this.send(bytes);
  }

  /** Now and then: ends it when the handshake takes too long or nothing has been heard, asks whether somebody is there. */
  look(): void {
    const { elapsed, handshakeMs, heartbeatMs } = this.#settings;
    const now = elapsed();
    const peer = this.#session.peer;
    if (peer === undefined) {
      if (now - this.#began >= handshakeMs) this.close(refuse("too-slow", "its handshake takes too long"));
      return;
    }
    if (heartbeatMs === 0 || this.#busy) return;
    const silentMs = now - Math.max(this.#heardAt, this.#wroteAt);
    if (this.#queued > 0 && silentMs >= stalledBeats * heartbeatMs) {
      this.close(refuse("too-slow", "it takes nothing"));
    } else if (this.#askedAt !== undefined) {
      if (now - this.#askedAt >= heartbeatMs) this.close(refuse("too-slow", "it is silent"));
    } else if (now - this.#heardAt >= heartbeatMs && this.#queued === 0 && peer.minor >= 1) {
      this.#askedAt = now;
      this.send(pingCommand(2 * heartbeatMs));
    }
  }

  close(refusal?: Refusal): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stream.close();
    this.#buffer = new Uint8Array(0);
    this.#queue = [];
    this.#moved();
    this.#owner.closed?.(refusal);
  }

  async #serve(): Promise<Refusal | undefined> {
    const session = this.#session;
    while (!this.#closed) {
      const room = this.#room();
      const count = await this.#stream.read(room);
      if (count === null || this.#closed) return undefined;
      this.#filled = count === room.length;
      this.#heardAt = this.#settings.elapsed();
      this.#askedAt = undefined;
      this.#to += count;
      const at = session.take(this.#buffer, this.#from, this.#to);
      if (typeof at === "number") this.#from = at;
      // What came before something that is wrong counts.
      await this.#settle();
      if (typeof at !== "number") return await this.#parting(at);
    }
    return undefined;
  }

  /** Until what came is taken, and what we answered is, too. */
  async #settle(): Promise<void> {
    const taken = this.#owner.taken?.();
    if (taken === undefined && this.#queued <= answersMax) return;
    this.#busy = true;
    await taken;
    if (this.#owner.message !== undefined) {
      while (this.#queued > answersMax && !this.#closed) await this.#progress.promise;
    }
    this.#busy = false;
    this.#heardAt = this.#settings.elapsed();
  }

  /** Who comes with something wrong hears why before it is ended. */
  async #parting(refusal: Refusal): Promise<Refusal> {
    if (this.#session.peer === undefined && this.#queued > 0) await this.#progress.promise;
    return refusal;
  }

  /** Where the next bytes go. It grows with what comes, never with what is only announced. */
  #room(): Uint8Array {
    const { length } = this.#buffer;
    const waiting = this.#to - this.#from;
    // Whoever filled it may have more to say.
    const grows = waiting > length / 2 || (this.#filled && length < stepBytes);
    const next = grows ? new Uint8Array(length * 2) : this.#buffer;
    if (waiting > 0 && (grows || waiting <= length / 4 || this.#to === length)) {
      next.set(this.#buffer.subarray(this.#from, this.#to));
      this.#from = 0;
    } else if (waiting === 0) this.#from = 0;
    this.#to = this.#from + waiting;
    this.#buffer = next;
    return next.subarray(this.#to);
  }

  async #write(): Promise<void> {
    try {
      while (this.#queue.length > 0 && !this.#closed) {
        let left = this.#next();
        while (left.length > 0) {
          const count = await this.#stream.write(left);
          this.#written += count;
          this.#queued -= count;
          this.#wroteAt = this.#settings.elapsed();
          left = left.subarray(count);
          this.#moved();
          this.#owner.wrote?.();
        }
      }
    } catch (problem) {
      this.close();
      if (!isLost(problem)) throw problem;
    }
    this.#writing = false;
  }

  #next(): Uint8Array {
    const first = this.#queue.shift()!;
    if (this.#queue.length === 0 || first.length + this.#queue[0]!.length > gatheredBytes) return first;
    const pieces = [first];
    let length = first.length;
    while (this.#queue.length > 0 && length + this.#queue[0]!.length <= gatheredBytes) {
      length += this.#queue[0]!.length;
      pieces.push(this.#queue.shift()!);
    }
    const bytes = new Uint8Array(length);
    let at = 0;
    for (const piece of pieces) {
      bytes.set(piece, at);
      at += piece.length;
    }
    return bytes;
  }

  #moved(): void {
    const { resolve } = this.#progress;
    this.#progress = Promise.withResolvers<void>();
    resolve();
  }
}

/** Whether the connection is the trouble, and not a mistake of ours. */
function isLost(problem: unknown): boolean {
  const name = problem instanceof Error ? problem.name : "";
  return codeOf(problem) !== "" || ["BadResource", "Interrupted", "UnexpectedEof"].includes(name);
}
