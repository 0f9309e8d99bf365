/** Which dead letters there are, and where: what the records of their log come to, read from first to last. */
import type { Entry, Gap, LogReader, Position } from "../log/mod.ts";
import { type DeadLetter, decodeRecord, type LetterRecord, type Retaken } from "./letter.ts";

/** Where a letter stands. */
export interface Place {
  /** Its position in the log of the letters. */
  readonly number: Position;
  readonly bytes: number;
  readonly generation: number | undefined;
  readonly again: boolean;
}
/** A letter with its place. */
export interface Kept {
  readonly number: Position;
  readonly bytes: number;
  readonly letter: DeadLetter;
}

const readLimit = { count: 1000, bytes: 1 << 20 };

export class LetterIndex {
  /** By the position of their messages; in the order of their numbers. */
  readonly #places = new Map<Position, Place>();
  #asked = 0;
  #bytes = 0;
  #retaken: Retaken | undefined;

  /** How many letters there are. */
  get count(): number {
    return this.#places.size;
  }
  /** How many of them are to be sent once more. */
  get asked(): number {
    return this.#asked;
  }
  /** What they take, without what is left of those that are gone. */
  get bytes(): number {
    return this.#bytes;
  }
  get retaken(): Retaken | undefined {
    return this.#retaken;
  }
  /** The first number that still counts; undefined when there are no letters. */
  get lowest(): Position | undefined {
    return this.#places.values().next().value?.number;
  }
  at(position: Position): Place | undefined {
    return this.#places.get(position);
  }

  /** What stands at `number`. */
  see(record: LetterRecord, number: Position, bytes: number): void {
    if (record.kind === "letter") {
      const { position, generation, again } = record.letter;
      this.#remove(position);
      this.#add(position, { number, bytes, generation, again: again === true });
      return;
    }
    for (const position of record.positions) {
      const place = this.#places.get(position);
      if (record.kind === "gone") this.#remove(position);
      else if (place && !place.again) this.#ask(position, place);
    }
    if (record.kind === "gone" && record.retaken) this.#retaken = record.retaken;
  }

  #add(position: Position, place: Place): void {
    this.#places.set(position, place);
    this.#bytes += place.bytes;
    if (place.again) this.#asked++;
  }
  #remove(position: Position): void {
    const place = this.#places.get(position);
    if (place === undefined) return;
    this.#places.delete(position);
    this.#bytes -= place.bytes;
    if (place.again) this.#asked--;
  }
  #ask(position: Position, place: Place): void {
    // In its place: the order is that of the numbers.
    this.#places.set(position, { ...place, again: true });
    this.#asked++;
  }
}

/** The records from where the reader stands. `lose` is told of what cannot be read. */
export function* records(
  reader: LogReader,
  lose: (gap: Gap, why: string) => void,
): Generator<{ readonly record: LetterRecord; readonly number: Position; readonly bytes: number }> {
  for (let items = reader.next(readLimit); items.length > 0; items = reader.next(readLimit)) {
    for (const item of items) {
      const record = recordIn(item, lose);
      if (record) yield { record, number: item.position, bytes: (item as Entry).bytes.length };
    }
  }
}

function recordIn(item: Entry | Gap, lose: (gap: Gap, why: string) => void): LetterRecord | undefined {
  if ("why" in item) {
    if (item.why === "damaged") lose(item, "it is damaged");
    return undefined;
  }
  try {
    return decodeRecord(item.bytes);
  } catch (problem) {
    const { position, count } = item;
    lose({ position, count, why: "damaged" }, problem instanceof Error ? problem.message : String(problem));
    return undefined;
  }
}

/** The letters among the records: those that are not gone, each where it stands last. */
export function* lettersAmong(
  found: Iterable<{ readonly record: LetterRecord; readonly number: Position; readonly bytes: number }>,
  index: LetterIndex,
): Generator<Kept> {
  for (const { record, number, bytes } of found) {
    if (record.kind !== "letter") continue;
    const place = index.at(record.letter.position);
    if (place?.number !== number) continue;
    const { again: _, ...letter } = record.letter;
    yield { number, bytes, letter: place.again ? { ...letter, again: true } : letter };
  }
}
