/** Syslog over TCP and TLS. What was written last is kept, and written again when the connection breaks. */
import { Buffer } from "node:buffer";
import type { Adaptor, Delivery, Place, Result } from "../../src/deliver/adaptor.ts";
import { type Access, type Connection, openConnection } from "./connection.ts";
import { Tail } from "./tail.ts";
import { frame, type Framing } from "./wire.ts";

export interface StreamPlan {
  readonly access: Access;
  readonly framing: Framing;
  readonly resendMax: number;
  /** The message, or why it cannot be sent. */
  encode(delivery: Delivery): Uint8Array | string;
}

const chunkBytes = 65_536;
/** A node that stops waits 700 ms for its destinations. */
const finishMs = 400;
const reopenEveryMs = 5000;

/** By directory and name of the destination: the next adaptor of the same one goes on with it. */
const tails = new Map<string, { readonly tail: Tail; readonly generation: number }>();

export async function openStream(plan: StreamPlan, place: Place, signal: AbortSignal): Promise<Adaptor> {
  const stream = new Stream(plan, place, tailOf(place, plan.resendMax));
  await stream.open(signal);
  return stream;
}

function tailOf({ dir, destination, generation }: Place, bytesMax: number): Tail {
  const key = `${dir} ${destination}`;
  const known = tails.get(key);
  if (known?.generation === generation) return known.tail;
  const tail = new Tail(bytesMax);
  tails.set(key, { tail, generation });
  return tail;
}

class Stream implements Adaptor {
  readonly #plan: StreamPlan;
  readonly #place: Place;
  readonly #tail: Tail;
  #connection: Connection | undefined;
  #openedAt = 0;
  #closed = false;

  constructor(plan: StreamPlan, place: Place, tail: Tail) {
    this.#plan = plan;
    this.#place = place;
    this.#tail = tail;
  }

  /** What may not have been read over the last connection goes first. */
  async open(signal: AbortSignal): Promise<void> {
    const { clock } = this.#place.world;
    this.#openedAt = clock.elapsed();
    const connection = await openConnection(this.#plan.access, signal);
    try {
      const again = this.#tail.pieces();
      for (const piece of again) await connection.write(piece, signal);
      this.#connection = connection;
      if (again.length > 0) this.#noticeRepeat(again);
    } catch (problem) {
      connection.destroy();
      throw problem;
    }
  }

  async send(batch: readonly Delivery[], signal: AbortSignal): Promise<Result> {
    if (this.#closed) throw new Error("Cannot send to syslog: the connection is closed");
    signal.throwIfAborted();
    const connection = this.#standing();
    const refused: { delivery: Delivery; reason: string }[] = [];
    const frames: Uint8Array[] = [];
    for (const delivery of batch) {
      const message = this.#plan.encode(delivery);
      if (typeof message === "string") refused.push({ delivery, reason: message });
      else frames.push(frame(message, this.#plan.framing));
    }
    const chunks = gathered(frames);
    // The end of a connection that the system knows of is heard before anything more is written, and once more after.
    await this.#turn();
    for (const chunk of chunks) await connection.write(chunk, signal);
    await this.#turn();
    this.#standing();
    const now = this.#place.world.clock.elapsed();
    for (const chunk of chunks) this.#tail.add(chunk, now);
    return { refused, again: [] };
  }

  /** A connection that ended while there was nothing to send: what may have been lost with it does not wait for the next batch. */
  async idle(): Promise<void> {
    const { clock } = this.#place.world;
    if (this.#closed || !this.#connection?.ended || clock.elapsed() - this.#openedAt < reopenEveryMs) return;
    this.#settleTail();
    if (this.#tail.bytes === 0) return;
    this.#connection = undefined;
    await this.open(AbortSignal.timeout(reopenEveryMs));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const connection = this.#connection;
    if (connection === undefined) return;
    if (connection.ended) return this.#settleTail();
    if (await connection.finish(finishMs)) this.#tail.clear();
    else this.#settleTail();
  }

  /** The connection, unless it has ended: then what may not have been read stays in the tail, for the next one. */
  #standing(): Connection {
    const connection = this.#connection;
    if (connection && !connection.ended) return connection;
    this.#settleTail();
    throw new Error(`Cannot send to syslog: ${connection?.ended?.why ?? "there is no connection"}`);
  }

  #settleTail(): void {
    const ended = this.#connection?.ended;
    if (ended) this.#tail.end(ended.how, ended.at);
  }

  #noticeRepeat(pieces: readonly Uint8Array[]): void {
    const bytes = pieces.reduce((sum, { length }) => sum + length, 0);
    this.#place.notice(
      `the connection broke: the last ${bytes} bytes are sent again, as nobody says what of them was read`,
    );
  }

  /** Long enough for the runtime to tell what has happened to a socket. */
  async #turn(): Promise<void> {
    for (let turn = 0; turn < 2; turn++) {
      await new Promise<void>((resolve) => this.#place.world.clock.turn(resolve));
    }
  }
}

/** Frames put together, since each write costs a call. */
function gathered(frames: readonly Uint8Array[]): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  let from = 0;
  let bytes = 0;
  for (const [at, { length }] of frames.entries()) {
    bytes += length;
    if (bytes < chunkBytes && at < frames.length - 1) continue;
    chunks.push(Buffer.concat(frames.slice(from, at + 1)));
    from = at + 1;
    bytes = 0;
  }
  return chunks;
}
