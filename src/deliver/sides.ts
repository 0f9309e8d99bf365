/**
 * The topics that a destination cannot take now, while it takes others: each has a side cursor from where on its messages wait, and
 * is tried now and then. The main way goes on ahead of them; what it has delivered there is counted once the slowest is past it.
 */
import type { Cursor, LogReader, Position } from "../log/mod.ts";
import type { World } from "../os/world.ts";
import type { Delivery, Result } from "./adaptor.ts";
import { pauseAfter } from "./backoff.ts";
import { select, type Selection, type Selector } from "./select.ts";

export interface SidesParts {
  readonly world: World;
  readonly cursor: Cursor;
  readonly selector: Selector;
  readonly limit: { readonly count: number; readonly bytes: number };
  /** A second one on the same log, opened when it is needed. */
  readonly openReader: () => LogReader;
  /** Which of these became dead letters when they were sent. */
  readonly isDead: (position: Position) => boolean;
  /** One try; undefined when nothing is certain. */
  readonly send: (batch: readonly Delivery[], tries: number) => Promise<Result | undefined>;
}

/** One that waits. */
interface Side {
  /** What is under way of it, and where that ends: a try that went halfway is not begun anew. */
  left: readonly Delivery[];
  end: Position | undefined;
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
    const { position, ahead, sides } = this.#parts.cursor;
    if (sides.size === 0) return position < ahead ? -Infinity : Infinity;
    return [...sides.keys()].reduce((soonest, topic) => Math.min(soonest, this.#of(topic).dueAt), Infinity);
  }

  /** A batch of the topic that is due, if one is. */
  async step(): Promise<void> {
    const { world, cursor } = this.#parts;
    const now = world.clock.elapsed();
    const topic = [...cursor.sides.keys()].find((topic) => this.#of(topic).dueAt <= now);
    if (topic !== undefined) await this.#send(topic, this.#of(topic));
    this.#count();
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
    const fresh = { left: [], end: undefined, tries: 0, dueAt: world.clock.elapsed() + pauseAfter(0, world.random) };
    this.#sides.set(topic, fresh);
    return fresh;
  }

  async #send(topic: string, side: Side): Promise<void> {
    const { cursor, world, send } = this.#parts;
    if (side.end === undefined) {
      const { batch, end } = this.#read(cursor.sides.get(topic)!, cursor.ahead);
      side.left = batch.filter(({ message }) => message.topic === topic);
      side.end = end;
    }
    if (side.left.length > 0) {
      const result = await send(side.left, side.tries);
      if (result === undefined || result.again.length > 0) {
        side.left = result?.again ?? side.left;
        side.dueAt = world.clock.elapsed() + Math.max(pauseAfter(side.tries++, world.random), result?.waitMs ?? 0);
        return;
      }
    }
    this.#move(topic, side.end);
    Object.assign(side, { left: [], end: undefined, tries: 0 });
  }

  #move(topic: string, to: Position): void {
    const { cursor } = this.#parts;
    const sides = new Map(cursor.sides);
    if (to < cursor.ahead) sides.set(topic, to);
    else {
      sides.delete(topic);
      this.#sides.delete(topic);
    }
    cursor.goAhead(cursor.ahead, sides);
  }

  /** What no side cursor holds back any more gets its verdicts. */
  #count(): void {
    const { cursor, isDead } = this.#parts;
    const upTo = Math.min(cursor.ahead, ...cursor.sides.values()) as Position;
    while (cursor.position < upTo) {
      const { batch, end, verdicts } = this.#read(cursor.position, upTo);
      if (end === cursor.position) throw new Error(`Cannot count what was delivered from ${end} on: it is not there`);
      const dead = batch.filter(({ position }) => isDead(position)).length;
      cursor.advance(end, { ...verdicts, taken: batch.length - dead, dead });
    }
  }

  #read(from: Position, to: Position): Selection {
    const { selector, limit } = this.#parts;
    this.#reader ??= this.#parts.openReader();
    this.#reader.seek(from);
    return select(this.#reader.next(limit), { from, to }, selector);
  }
}
