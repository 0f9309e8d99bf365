/** From what the log gives to what a destination gets: the messages it wants, in its format, and verdicts on the rest. */
import { type Counts, type Entry, type Gap, type Position, type Verdict, verdicts } from "../log/mod.ts";
import type { Formatter } from "../message/format.ts";
import type { Message } from "../message/message.ts";
import { EntryReader, UnreadableEntry } from "../message/stored.ts";
import type { StoredEnvelope } from "../message/stored_envelope.ts";
import type { Delivery, Heading } from "./adaptor.ts";
import { Logged } from "./logged.ts";

/** Messages in a row that are not sent, all for the same reason. */
export interface Passed {
  readonly position: Position;
  readonly count: number;
  readonly verdict: Verdict;
  /** Nothing where no message can be read. */
  readonly topic?: string | undefined;
}
export interface Selection {
  readonly batch: readonly Delivery[];
  /** What is not in the batch, in order. */
  readonly passed: readonly Passed[];
  /** The position after the last item. */
  readonly end: Position;
  /** Messages and bytes read for it, whatever became of them. */
  readonly count: number;
  readonly bytes: number;
  /** Of all bodies in the batch together. */
  readonly bodyBytes: number;
  /** When the first of them was committed, ms since 1970; 0 when none can be read. For the lag. */
  readonly since: number;
  /** Ranges that cannot be delivered, for the operator. */
  readonly lost: readonly string[];
}
export interface Selector {
  readonly node: string;
  /** The message is good for this call only. */
  readonly wants: (message: Message) => boolean;
  /** Of those that are wanted, by their ids; all of them where this is left out. */
  readonly samples?: ((id: string) => boolean) | undefined;
  readonly format: Formatter;
}

/** From where, up to where if not to the end of what was read, and of which topic if not of all. */
export interface Range {
  readonly from: Position;
  readonly to?: Position;
  readonly topic?: string;
}

/** `from` is the cursor: an entry that begins before it comes whole, and what it had is skipped; so is what comes after `to`. */
export function select(items: readonly (Entry | Gap)[], range: Range, selector: Selector): Selection {
  const out = new Selecting(range, selector);
  for (const item of items) {
    if (out.end >= out.to) break;
    if ("why" in item) out.gap(item);
    else out.entry(item);
  }
  return out;
}

/** How many there are of each verdict. */
export function countsOf(passed: readonly Passed[]): Counts {
  const counts = Object.fromEntries(verdicts.map((verdict) => [verdict, 0])) as Record<Verdict, number>;
  for (const { verdict, count } of passed) counts[verdict] += count;
  return counts;
}

/** One for all: nobody waits while it is used. */
const reader = new EntryReader();

class Selecting implements Selection {
  readonly batch: Delivery[] = [];
  readonly lost: string[] = [];
  readonly passed: (Passed & { count: number })[] = [];
  end: Position;
  count = 0;
  bytes = 0;
  bodyBytes = 0;
  since = 0;
  readonly to: number;
  readonly #topic: string | undefined;
  readonly #selector: Selector;
  /** What the ids of our own begin with that were made in this epoch. */
  #prefix = "";
  #epoch = -1;
  /** Of the message delivered last. */
  #heading: Heading | undefined;

  constructor({ from, to = Infinity as Position, topic }: Range, selector: Selector) {
    this.end = from;
    this.to = to;
    this.#topic = topic;
    this.#selector = selector;
  }

  gap({ position, count, why }: Gap): void {
    const upTo = this.#within(position + count);
    const verdict = why === "trimmed" ? "expired" : "damaged";
    this.#giveUp(upTo, verdict, why);
  }

  entry(entry: Entry): void {
    const upTo = this.#within(entry.position + entry.count);
    this.count += entry.count;
    this.bytes += entry.bytes.length;
    this.since ||= entry.time;
    const { bodyBytes, batch: { length }, passed } = this;
    const [runs, inLast] = [passed.length, passed.at(-1)?.count];
    try {
      this.#messages(entry, upTo);
      this.end = upTo;
    } catch (problem) {
      if (!(problem instanceof UnreadableEntry)) throw problem;
      // What of it seemed to be right is forgotten: it is delivered whole or not at all.
      passed.length = runs;
      if (inLast !== undefined) passed.at(-1)!.count = inLast;
      this.bodyBytes = bodyBytes;
      this.batch.length = length;
      this.#giveUp(upTo, "damaged", problem.message);
    }
  }

  #messages(entry: Entry, upTo: Position): void {
    if (entry.epoch !== this.#epoch) this.#prefix = `${this.#selector.node}-${entry.epoch}-`;
    this.#epoch = entry.epoch;
    let position: number = entry.position;
    for (reader.open(entry.bytes); reader.next(); position++) {
      if (position >= this.end && position < upTo) this.#message(position as Position);
    }
    const found = position - entry.position;
    if (found !== entry.count) throw new UnreadableEntry(`an entry of ${entry.count} messages holds ${found}`);
  }

  #within(end: number): Position {
    return Math.min(end, this.to) as Position;
  }

  #message(position: Position): void {
    const { wants, samples, format } = this.#selector;
    if (this.#topic !== undefined && reader.topic !== this.#topic) return;
    if (!wants(reader)) return this.#pass({ position, topic: reader.topic, count: 1, verdict: "filtered" });
    if (samples?.(reader.id ?? `${this.#prefix}${position}`) === false) {
      return this.#pass({ position, topic: reader.topic, count: 1, verdict: "sampled" });
    }
    if (format.stored?.write(reader, this.#prefix, position)) {
      const delivery = new Logged(reader, this.#prefix, position, this.#headingOf(format.stored), format.stored);
      this.bodyBytes += delivery.bodyBytes;
      this.batch.push(delivery);
      return;
    }
    const message = reader.message();
    const id = message.id ?? `${this.#prefix}${position}`;
    const body = format(message, id);
    this.bodyBytes += body.length;
    this.batch.push({ id, position, message, body });
  }

  #headingOf({ isSteady }: StoredEnvelope): Heading {
    const { timestamp, key } = reader;
    const last = this.#heading;
    if (isSteady && timestamp === last?.timestamp && key === last.key) return last;
    const { topic, env, type, level } = reader;
    const heading = { timestamp, topic, ...(env && { env }), ...(type && { type }), ...(level && { level }) };
    return this.#heading = key === undefined ? heading : { ...heading, key };
  }

  #pass(passed: Passed): void {
    const last = this.passed.at(-1);
    const goesOn = last?.verdict === passed.verdict && last.topic === passed.topic;
    if (goesOn && last.position + last.count === passed.position) last.count += passed.count;
    else this.passed.push(passed);
  }

  #giveUp(upTo: Position, verdict: Verdict, why: string): void {
    if (upTo <= this.end) return;
    this.#pass({ position: this.end, count: upTo - this.end, verdict });
    this.lost.push(`messages ${this.end} to ${upTo - 1} cannot be delivered (${verdict}): ${why}`);
    this.end = upTo;
  }
}
