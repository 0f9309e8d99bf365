/**
 * Messages that a destination refuses for good, kept in a log of their own (`dead/<destination>`, the same format) with the
 * reason. By position, so that a repeat after a crash is stored once.
 */
import { LocalWatermark, type Position, SegmentReader, SegmentWriter } from "../log/mod.ts";
import type { Message } from "../message/message.ts";
import { decodeEntry, encodeEntry } from "../message/wire.ts";
import { join, makeDurableDir, type World } from "../os/world.ts";
import type { Delivery } from "./adaptor.ts";

export interface DeadLetter {
  readonly position: Position;
  readonly id: string;
  readonly reason: string;
  readonly tries: number;
  /** When it was set aside, ms since 1970. */
  readonly time: number;
  readonly message: Message;
}
export interface Refused {
  readonly delivery: Delivery;
  readonly reason: string;
}

/** There is no room for another one: the destination pauses rather than lose it. */
export class DeadLettersFull extends Error {}

const segmentBytes = 4 << 20;
const readLimit = { count: 1000, bytes: 1 << 20 };

export class DeadLetters {
  readonly #world: World;
  readonly #dir: string;
  readonly #node: string;
  readonly #bytesMax: number;
  readonly #mark = new LocalWatermark();
  readonly #writer: SegmentWriter;
  /** Positions stored that may come again: those at or after the cursor when we opened. */
  readonly #stored = new Set<Position>();
  /** What is stored from here on is not in there yet. */
  #unread: Position | undefined;
  /** The log of the letters is open to its end: on a full disk its last commit may be uncertain for a while. */
  #whole: boolean;

  constructor(
    world: World,
    dir: string,
    options: { node: string; bytesMax: number; cursor: Position; report: (text: string) => void },
  ) {
    this.#world = world;
    this.#dir = dir;
    this.#node = options.node;
    this.#bytesMax = options.bytesMax;
    makeDurableDir(world.files, join(dir, "log"));
    this.#writer = new SegmentWriter(world, dir, options.node, this.#mark, {
      segmentBytes,
      reserveBytes: 0,
      recycle: false,
      destinations: () => new Map(),
      report: options.report,
    });
    this.#whole = this.#writer.facts().state === "ready";
    // Not read here: it may fail for want of handles, and a writer that nobody closes would go on beside the next one.
    this.#unread = options.cursor;
  }

  /** Messages from `cursor` on may come again: those that are stored are known then. */
  recall(cursor: Position): void {
    this.#unread = Math.min(cursor, this.#unread ?? cursor) as Position;
  }

  get bytes(): number {
    return this.#writer.facts().bytes;
  }

  /** Resolves when all of them would survive a power cut. */
  async keep(refused: readonly Refused[], tries: number): Promise<void> {
    this.#lookAgain();
    const fresh = refused.filter(({ delivery }) => !this.#stored.has(delivery.position));
    if (fresh.length === 0) return;
    const size = fresh.reduce((sum, { delivery }) => sum + delivery.message.data.length, 0);
    if (this.bytes + size > this.#bytesMax) {
      throw new DeadLettersFull(`the dead-letter store is full (${this.#bytesMax} bytes): raise dead_max or purge it`);
    }
    for (const { delivery, reason } of fresh) {
      this.#writer.append(encodeLetter(delivery, { reason, tries, time: this.#world.clock.now() }), 1);
    }
    await this.#writer.durable();
    for (const { delivery } of fresh) this.#stored.add(delivery.position);
  }

  #lookAgain(): void {
    if (!this.#whole && this.#writer.facts().state === "ready") {
      this.#whole = true;
      this.recall(0 as Position);
    }
    if (this.#unread === undefined) return;
    for (const { position } of this.letters()) if (position >= this.#unread) this.#stored.add(position);
    this.#unread = undefined;
  }

  /** All that is stored, oldest first. */
  *letters(): Generator<DeadLetter> {
    const reader = new SegmentReader(this.#world, this.#dir, this.#node, 0 as Position, this.#mark);
    try {
      for (let items = reader.next(readLimit); items.length > 0; items = reader.next(readLimit)) {
        for (const item of items) if ("bytes" in item) yield decodeLetter(item.bytes);
      }
    } finally {
      reader.close();
    }
  }

  close(): Promise<void> {
    return this.#writer.close();
  }
}

type LetterHead = Omit<DeadLetter, "message">;

/** u32 length of the head, the head as JSON, the message as an entry of its own. */
function encodeLetter(
  { position, id, message }: Delivery,
  about: { reason: string; tries: number; time: number },
): Uint8Array {
  const head = new TextEncoder().encode(JSON.stringify({ position, id, ...about } satisfies LetterHead));
  const { timestamp, submittedMs, data, dataIsJson, ...fields } = message;
  const entry = encodeEntry({ timestamp, shared: {} }, [{ fields, submittedMs, data, dataIsJson }]);
  const bytes = new Uint8Array(4 + head.length + entry.length);
  new DataView(bytes.buffer).setUint32(0, head.length, true);
  bytes.set(head, 4);
  bytes.set(entry, 4 + head.length);
  return bytes;
}

function decodeLetter(bytes: Uint8Array): DeadLetter {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length))) as LetterHead;
  return { ...head, message: decodeEntry(bytes.subarray(4 + length))[0]! };
}
