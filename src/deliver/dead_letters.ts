/**
 * Messages that a destination refuses for good, kept in a log of their own (`dead/<destination>`, the same format) with the
 * reason. By position, so that a repeat after a crash is stored once. What an operator purges, and what is taken after all when
 * it is sent again, is marked as gone by a further record, and its room is given back.
 */
import { type Cursor, LocalWatermark, type Position, SegmentReader, SegmentWriter } from "../log/mod.ts";
import { join, makeDurableDir, type World } from "../os/world.ts";
import type { Delivery } from "./adaptor.ts";
import { type DeadLetter, encodeAsked, encodeGone, encodeLetter, type Retaken } from "./letter.ts";
import { type Kept, LetterIndex, lettersAmong, records } from "./letter_index.ts";

export interface Refused {
  readonly delivery: Delivery;
  readonly reason: string;
}
type Wanted = (letter: DeadLetter) => boolean;

/** There is no room for another one: the destination pauses rather than lose it. */
export class DeadLettersFull extends Error {}

const segmentBytes = 4 << 20;
/** So many positions stand in one record, and so many letters are looked at before others have their turn. */
const atOnce = 1000;

export interface DeadLettersOptions {
  readonly node: string;
  readonly bytesMax: number;
  readonly report: (text: string) => void;
}

export class DeadLetters {
  readonly #world: World;
  readonly #dir: string;
  readonly #node: string;
  readonly #bytesMax: number;
  readonly #mark = new LocalWatermark();
  readonly #writer: SegmentWriter;
  readonly #report: (text: string) => void;
  /** Undefined until it is read. */
  #known: LetterIndex | undefined;
  /** The log of the letters is open to its end: on a full disk its last commit may be uncertain for a while. */
  #whole: boolean;
  /** A record that they are gone may stand there though it failed: what is known of them is not to be relied on. */
  readonly #doubtful = new Set<Position>();
  /** Positions of letters whose sync has failed: after a start they may stand there. */
  readonly #perhaps = new Set<Position>();
  /** Nobody changes anything while another one does. */
  #busy: Promise<unknown> = Promise.resolve();
  /** It has all that the records say of it: they may go. */
  #cursor: Cursor | undefined;

  constructor(world: World, dir: string, options: DeadLettersOptions) {
    this.#world = world;
    this.#dir = dir;
    this.#node = options.node;
    this.#bytesMax = options.bytesMax;
    this.#report = options.report;
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
  }

  /** What the letters take, without what is left of those that are gone; as far as they have been read. */
  get bytes(): number {
    return this.#known?.bytes ?? 0;
  }
  get count(): number {
    return this.#index.count;
  }
  /** How many are to be sent once more, as far as they have been read. */
  get asked(): number {
    return this.#known?.asked ?? 0;
  }
  has(position: Position): boolean {
    return this.#index.at(position) !== undefined || this.#perhaps.has(position);
  }
  /** There are none for certain. */
  get isEmpty(): boolean {
    return this.#index.count === 0 && this.#perhaps.size === 0;
  }

  /**
   * What was taken after all and is not in the cursor's counts yet is counted: a crash may have come in between. By the owner of
   * the cursor, before anything else.
   */
  settle(cursor: Cursor): void {
    const told = this.#index.retaken;
    if (told?.generation === cursor.generation && told.start === cursor.start && told.count > cursor.retaken) {
      cursor.retake(told.count - cursor.retaken);
    }
    this.#cursor = cursor;
  }

  /** Resolves when all of them would survive a power cut. `generation` is that in which they are counted as dead. */
  keep(refused: readonly Refused[], tries: number, generation: number): Promise<void> {
    return this.#alone(async () => {
      const fresh = refused.filter(({ delivery }) => {
        const place = this.#index.at(delivery.position);
        return place?.generation !== generation || this.#doubtful.has(delivery.position);
      });
      const time = this.#world.clock.now();
      await this.#store(fresh.map(({ delivery: { position, id, message }, reason }) => {
        return { position, id, reason, tries, time, generation, message };
      }));
    });
  }

  /** Sent once more and refused once more: they stay, with the new reason, and are not asked for any more. */
  keepAgain(refused: readonly { readonly letter: DeadLetter; readonly reason: string }[]): Promise<void> {
    return this.#alone(async () => {
      const time = this.#world.clock.now();
      const there = refused.filter(({ letter }) => this.has(letter.position));
      await this.#store(
        there.map(({ letter: { again: _, ...letter }, reason }) => {
          return { ...letter, reason, tries: letter.tries + 1, time };
        }),
        { beyond: true },
      );
    });
  }

  /** Sent once more and taken: they are gone, and the cursor counts them as taken. */
  take(letters: readonly DeadLetter[], cursor: Cursor): Promise<void> {
    return this.#alone(async () => {
      const there = letters.filter(({ position }) => this.has(position));
      const counted = there.filter((letter) => isCounted(letter, cursor)).length;
      const count = Math.min(counted, cursor.counts.dead);
      const { generation, start } = cursor;
      const retaken = { generation, start, count: cursor.retaken + count };
      await this.#drop(there.map(({ position }) => position), retaken);
      if (count > 0) cursor.retake(count);
      await this.#giveBack();
    });
  }

  /** Of positions that the destination has taken though there are letters of them, from before a crash or a rewind. */
  forget(positions: readonly Position[]): Promise<void> {
    return this.#alone(() => this.#drop(positions.filter((position) => this.has(position))));
  }

  /** Throws those away that are wanted so; how many. */
  purge(wanted: Wanted): Promise<number> {
    return this.#alone(async () => {
      const positions = await this.#positions(wanted);
      await this.#drop(positions);
      await this.#giveBack();
      return positions.length;
    });
  }

  /** Those that are wanted are to be sent once more; how many. Durable when it resolves. */
  ask(wanted: Wanted): Promise<number> {
    return this.#alone(async () => {
      const positions = await this.#positions(wanted);
      await this.#append(positions, encodeAsked, "asked");
      return positions.length;
    });
  }

  /** All that is stored, oldest first; from the letter with that number on. */
  *letters(from = 0 as Position): Generator<Kept> {
    const reader = this.#reader(Math.max(from, this.#index.lowest ?? 0) as Position);
    try {
      yield* lettersAmong(records(reader, (gap, why) => this.#lose(gap, why)), this.#index);
    } finally {
      reader.close();
    }
  }

  close(): Promise<void> {
    return this.#writer.close();
  }

  #reader(from: Position): SegmentReader {
    return new SegmentReader(this.#world, this.#dir, this.#node, from, this.#mark);
  }

  get #index(): LetterIndex {
    return this.#known ??= this.#read();
  }

  #read(): LetterIndex {
    const index = new LetterIndex();
    const reader = this.#reader((this.#writer.segments()[0]?.base ?? 0) as Position);
    try {
      const lose = (gap: { position: Position; count: number }, why: string) => this.#lose(gap, why);
      for (const { record, number, bytes } of records(reader, lose)) index.see(record, number, bytes);
    } finally {
      reader.close();
    }
    return index;
  }

  #lose({ position, count }: { readonly position: Position; readonly count: number }, why: string): void {
    this.#report(`${count} of them, from number ${position}, cannot be read: ${why}`);
  }

  #alone<T>(act: () => Promise<T>): Promise<T> {
    const done = this.#busy.then(() => {
      this.#lookAgain();
      return act();
    });
    this.#busy = done.catch(() => {});
    return done;
  }

  #lookAgain(): void {
    if (this.#whole || this.#writer.facts().state !== "ready") return;
    this.#whole = true;
    this.#known = undefined;
  }

  async #store(letters: readonly DeadLetter[], { beyond = false } = {}): Promise<void> {
    if (letters.length === 0) return;
    const encoded = letters.map(encodeLetter);
    const size = encoded.reduce((sum, { length }) => sum + length, 0);
    if (!beyond && this.#index.bytes + size > this.#bytesMax) {
      throw new DeadLettersFull(
        `the dead-letter store is full (${this.#bytesMax} bytes): raise dead_max, or see sparkngin dead replay and purge`,
      );
    }
    for (const { position } of letters) this.#perhaps.add(position);
    const numbers = encoded.map((bytes) => this.#writer.append(bytes, 1));
    await this.#writer.durable();
    for (const { position } of letters) this.#perhaps.delete(position);
    letters.forEach((letter, i) => this.#index.see({ kind: "letter", letter }, numbers[i]!, encoded[i]!.length));
  }

  #drop(positions: readonly Position[], retaken?: Retaken): Promise<void> {
    return this.#append(positions, (part) => encodeGone(part, retaken), "gone", retaken);
  }

  async #append(
    positions: readonly Position[],
    encode: (part: readonly Position[]) => Uint8Array,
    kind: "gone" | "asked",
    retaken?: Retaken,
  ): Promise<void> {
    for (let at = 0; at < positions.length; at += atOnce) {
      const part = positions.slice(at, at + atOnce);
      const bytes = encode(part);
      if (kind === "gone") { for (const position of part) this.#doubtful.add(position); }
      const number = this.#writer.append(bytes, 1);
      await this.#writer.durable();
      for (const position of part) this.#doubtful.delete(position);
      if (kind === "gone") { for (const position of part) this.#perhaps.delete(position); }
      this.#index.see({ kind, positions: part, retaken } as never, number, bytes.length);
    }
  }

  async #positions(wanted: Wanted): Promise<Position[]> {
    const positions: Position[] = [];
    let seen = 0;
    for (const { letter } of this.letters()) {
      if (wanted(letter)) positions.push(letter.position);
      if (++seen % atOnce === 0) await new Promise<void>((resolve) => this.#world.clock.turn(resolve));
    }
    return positions;
  }

  /** Whole segments go; where a few letters hold up many that are gone they are written anew behind them. */
  async #giveBack(): Promise<void> {
    if (this.#cursor === undefined) return;
    try {
      this.#trim();
      for (let moves = 0; this.#isSparse() && moves < 100; moves++) {
        await this.#moveOldest();
        this.#trim();
      }
    } catch (problem) {
      this.#report(`their room cannot be given back now: ${problem instanceof Error ? problem.message : problem}`);
    }
  }

  #trim(): void {
    this.#writer.trim(this.#index.lowest ?? this.#mark.position);
  }

  #isSparse(): boolean {
    return this.#writer.segments().length > 1 && this.#writer.facts().bytes > 2 * this.#index.bytes + 2 * segmentBytes;
  }

  async #moveOldest(): Promise<void> {
    const end = this.#writer.segments()[1]?.base ?? 0;
    const oldest: DeadLetter[] = [];
    for (const { number, letter } of this.letters()) {
      if (number >= end) break;
      oldest.push(letter);
    }
    await this.#store(oldest, { beyond: true });
  }
}

/** Whether the cursor has it among its dead. */
function isCounted({ position, generation, message }: DeadLetter, cursor: Cursor): boolean {
  if (position < cursor.start || position >= (cursor.sides.get(message.topic)?.from ?? cursor.ahead)) return false;
  return generation === undefined || generation === cursor.generation;
}
