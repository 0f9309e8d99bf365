/**
 * The topics that a destination cannot take now, while it takes others: each has a side cursor from where on its messages wait, and
 * is tried now and then. The main way goes on ahead of them, and counts what it has delivered there; of a topic that waits nothing is
 * counted, whatever its filter says, before it is here that it is judged.
 */
import type { Cursor, LogReader, Position, Verdict } from "../log/mod.ts";
import type { World } from "../os/world.ts";
import type { Delivery, Result } from "./adaptor.ts";
import { pauseAfter } from "./backoff.ts";
import type { Pace } from "./pace.ts";
import { countsOf, select, type Selection, type Selector } from "./select.ts";

export interface SidesParts {
  readonly world: World;
  readonly cursor: Cursor;
  readonly selector: Selector;
  readonly pace: Pace;
  /** A second one on the same log, opened when it is needed. */
  readonly openReader: () => LogReader;
  /** Tells of messages that waited and cannot be read any more. */
  readonly lost: (text: string) => void;
  /** One try; undefined when nothing is certain. */
  readonly send: (batch: readonly Delivery[], tries: number) => Promise<Result | undefined>;
}

/** One that waits. */
interface Side {
  /** What is under way of it, and where that ends: a try that went halfway is not begun anew. */
  left: readonly Delivery[];
  end: Position | undefined;
  /** What is decided of it. */
  counts: Partial<Record<Verdict, number>>;
  /** What became of messages that could not be read: "expired" where the log did not wait for us. */
  gone?: Verdict;
  tries: number;
  /** Monotonic. */
  dueAt: number;
}

export class Sides {
  readonly #parts: SidesParts;
  readonly #sides = new Map<string, Side>();
  #reader: LogReader | undefined;

  constructor(parts: SidesParts) {
    this.#parts = parts;
  }

  /** Whether these can be left behind, too. */
  holds(topics: readonly string[]): boolean {
    const { cursor } = this.#parts;
    return cursor.holdsSides(new Set([...cursor.sides.keys(), ...topics]));
  }

  /** Whether messages of this topic wait, and so may not overtake. */
  has(topic: string): boolean {
    return this.#parts.cursor.sides.has(topic);
  }

  /** Monotonic, when the next is due; Infinity when none waits. */
  get dueAt(): number {
    const { sides } = this.#parts.cursor;
    return [...sides.keys()].reduce((soonest, topic) => Math.min(soonest, this.#of(topic).dueAt), Infinity);
  }

  /** A batch of the topic that is due, if one is. */
  async step(): Promise<void> {
    const { world, cursor } = this.#parts;
    const now = world.clock.elapsed();
    const topic = [...cursor.sides.keys()].find((topic) => this.#of(topic).dueAt <= now);
    if (topic !== undefined) await this.#send(topic, this.#of(topic));
  }

  /** What was under way is read anew. */
  forget(): void {
    this.#sides.clear();
  }

  close(): void {
    this.#reader?.close();
    this.#reader = undefined;
  }

  #of(topic: string): Side {
    const known = this.#sides.get(topic);
    if (known) return known;
    const { world } = this.#parts;
    const dueAt = world.clock.elapsed() + pauseAfter(0, world.random);
    const fresh: Side = { left: [], end: undefined, counts: {}, tries: 0, dueAt };
    this.#sides.set(topic, fresh);
    return fresh;
  }

  async #send(topic: string, side: Side): Promise<void> {
    const { cursor, world, send, pace } = this.#parts;
    if (side.end === undefined) {
      const { batch, passed, end } = this.#read(topic, cursor.sides.get(topic)!.from);
      Object.assign(side, { left: batch, end, counts: countsOf(passed.filter(({ topic }) => topic !== undefined)) });
      // Of which topics they were, nobody can tell: what is missing of ours in the end was among them.
      for (const { topic, verdict } of passed) if (topic === undefined && side.gone !== "damaged") side.gone = verdict;
    }
    if (side.left.length > 0) {
      const now = pace.cut(side.left);
      const result = await send(now, side.tries);
      const again = result?.again ?? now;
      side.left = [...again, ...side.left.slice(now.length)];
      const dead = result?.refused.length ?? 0;
      count(side.counts, { dead, taken: now.length - again.length - dead });
      if (result === undefined || result.again.length > 0) {
        side.dueAt = world.clock.elapsed() + Math.max(pauseAfter(side.tries++, world.random), result?.waitMs ?? 0);
        return;
      }
      if (side.left.length > 0) return;
    }
    this.#move(topic, side);
    Object.assign(side, { left: [], end: undefined, tries: 0 });
  }

  #move(topic: string, { end, counts: decided, gone = "damaged" }: Side): void {
    const { cursor, lost } = this.#parts;
    const to = end!;
    const { from, waits } = cursor.sides.get(topic)!;
    const counts = within(waits, decided);
    let left = waits - sum(counts);
    if (to >= cursor.ahead && left > 0) {
      lost(`${left} messages of topic "${topic}" from ${from} on cannot be delivered (${gone})`);
      count(counts, { [gone]: left });
      left = 0;
    }
    const sides = new Map(cursor.sides);
    if (left > 0) sides.set(topic, { from: to, waits: left });
    else {
      sides.delete(topic);
      this.#sides.delete(topic);
    }
    cursor.settle(cursor.ahead, sides, counts);
  }

  #read(topic: string, from: Position): Selection {
    const { selector, pace, cursor } = this.#parts;
    this.#reader ??= this.#parts.openReader();
    this.#reader.seek(from);
    return select(this.#reader.next(pace.limit), { from, to: cursor.ahead, topic }, selector);
  }
}

type Decided = Partial<Record<Verdict, number>>;

function count(counts: Decided, more: Decided): void {
  for (const [verdict, add] of Object.entries(more) as [Verdict, number][]) {
    counts[verdict] = (counts[verdict] ?? 0) + add;
  }
}

function sum(counts: Decided): number {
  return Object.values(counts).reduce((total, one) => total + one, 0);
}

/** What could not be read when it was passed has its verdict, though it can be read now. */
function within(most: number, decided: Decided): Decided {
  let room = most;
  const entries = Object.entries(decided).map(([verdict, count]) => {
    const fits = Math.min(room, count);
    room -= fits;
    return [verdict, fits];
  });
  return Object.fromEntries(entries);
}
