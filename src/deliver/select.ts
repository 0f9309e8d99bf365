/** From what the log gives to what a destination gets: the messages it wants, in its format, and verdicts on the rest. */
import type { Counts, Entry, Gap, Position, Verdict } from "../log/mod.ts";
import type { Message } from "../message/message.ts";
import { decodeEntry } from "../message/wire.ts";
import type { Delivery } from "./adaptor.ts";

export interface Selection {
  readonly batch: readonly Delivery[];
  /** The position after the last item. */
  readonly end: Position;
  /** Messages and bytes read for it, whatever became of them. */
  readonly count: number;
  readonly bytes: number;
  readonly verdicts: Counts;
  /** When the first of them was committed, ms since 1970; 0 when none can be read. For the lag. */
  readonly since: number;
  /** Ranges that cannot be delivered, for the operator. */
  readonly lost: readonly string[];
}
export interface Selector {
  readonly node: string;
  readonly wants: (message: Message) => boolean;
  /** Of those that are wanted, by their ids; all of them where this is left out. */
  readonly samples?: ((id: string) => boolean) | undefined;
  readonly format: (message: Message, id: string) => Uint8Array;
}

/** From where, and up to where if not to the end of what was read. */
export interface Range {
  readonly from: Position;
  readonly to?: Position;
}

/** `from` is the cursor: an entry that begins before it comes whole, and what it had is skipped; so is what comes after `to`. */
export function select(items: readonly (Entry | Gap)[], { from, to }: Range, selector: Selector): Selection {
  const out = new Selecting(from, to ?? Infinity, selector);
  for (const item of items) {
    if (out.end >= out.to) break;
    if ("why" in item) out.gap(item);
    else out.entry(item);
  }
  return out;
}

class Selecting implements Selection {
  readonly batch: Delivery[] = [];
  readonly lost: string[] = [];
  readonly verdicts: Record<Verdict, number> = {
    taken: 0,
    filtered: 0,
    sampled: 0,
    dead: 0,
    skipped: 0,
    expired: 0,
    overwritten: 0,
    damaged: 0,
  };
  end: Position;
  count = 0;
  bytes = 0;
  since = 0;
  readonly to: number;
  readonly #selector: Selector;

  constructor(from: Position, to: number, selector: Selector) {
    this.end = from;
    this.to = to;
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
    let messages: Message[];
    try {
      messages = decodeEntry(entry.bytes);
    } catch (problem) {
      return this.#giveUp(upTo, "damaged", problem instanceof Error ? problem.message : String(problem));
    }
    if (messages.length !== entry.count) {
      return this.#giveUp(upTo, "damaged", `an entry of ${entry.count} messages holds ${messages.length}`);
    }
    for (let i = this.end - entry.position; i < upTo - entry.position; i++) this.#message(entry, i, messages[i]!);
    this.end = upTo;
  }

  #within(end: number): Position {
    return Math.min(end, this.to) as Position;
  }

  #message(entry: Entry, index: number, message: Message): void {
    const { wants, samples, node, format } = this.#selector;
    if (!wants(message)) return void this.verdicts.filtered++;
    const position = entry.position + index as Position;
    const id = message.id ?? `${node}-${entry.epoch}-${position}`;
    if (samples?.(id) === false) return void this.verdicts.sampled++;
    this.batch.push({ id, position, message, body: format(message, id) });
  }

  #giveUp(upTo: Position, verdict: Verdict, why: string): void {
    if (upTo <= this.end) return;
    this.verdicts[verdict] += upTo - this.end;
    this.lost.push(`messages ${this.end} to ${upTo - 1} cannot be delivered (${verdict}): ${why}`);
    this.end = upTo;
  }
}
