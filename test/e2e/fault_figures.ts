/** What came of a fault, held against what is promised, and the table of it. */
import assert from "node:assert/strict";

/** What came of a cell. */
export interface Figures {
  readonly accepted: number;
  readonly delivered: number;
  readonly copies: number;
}
export interface Named extends Figures {
  readonly row: string;
  readonly cell: string;
}
/** What a destination promises under a fault, where it is less than everything, in order. */
export interface Promised {
  /** Of the messages that were accepted while the fault lasted, those that were handed over may be gone. */
  readonly mayLose?: boolean;
  /** What comes by a new connection may overtake what the old one still holds. */
  readonly anyOrder?: boolean;
  /** So many of them go nowhere but to the dead letters. */
  readonly dead?: number;
  /** All ways suffer from it. */
  readonly onAll?: boolean;
  /** A repeat is not only known by its id: there is none. */
  readonly once?: boolean;
}
/** Numbers of messages, from one on until before another, of which some may be missing. */
export interface Span {
  readonly from: number;
  readonly until: number;
  readonly most: number;
}

/** Of the messages that were accepted while a fault lasted. */
export function spanOf({ mayLose, dead = 0 }: Promised, from: number, until: number): Span {
  return { from, until, most: mayLose ? until - from : dead };
}

/** Whether everything that has to be there is. */
export function isThere(payloads: readonly string[], sent: readonly string[], spans: readonly Span[]): boolean {
  const there = new Set(payloads);
  const missing = [...sent.keys()].filter((n) => !there.has(sent[n]!));
  const within = ({ from, until }: Span) => missing.filter((n) => n >= from && n < until);
  return missing.length === new Set(spans.flatMap(within)).size &&
    spans.every((span) => within(span).length <= span.most);
}

/** What has come so far. */
export function countOf(payloads: readonly string[], accepted: number): Figures {
  const delivered = new Set(payloads).size;
  return { accepted, delivered, copies: payloads.length - delivered };
}

/** Without what had come before. */
export function since(before: Figures, { accepted, delivered, copies }: Figures): Figures {
  return {
    accepted: accepted - before.accepted,
    delivered: delivered - before.delivered,
    copies: copies - before.copies,
  };
}

/** Throws unless what came was sent, and came in order. */
export function figured(
  payloads: readonly string[],
  sent: readonly string[],
  { anyOrder, once }: Promised,
): Figures {
  const firsts = new Set(payloads);
  const expected = sent.filter((payload) => firsts.has(payload));
  if (anyOrder) assert.deepEqual(new Set(expected), firsts);
  else assert.deepEqual([...firsts], expected);
  const figures = countOf(payloads, sent.length);
  if (once) assert.equal(figures.copies, 0, "copies");
  return figures;
}

export interface Titled {
  readonly name: string;
  readonly cells: readonly { readonly name: string }[];
}

/** A line for each fault, a column for each row. */
export function table(rows: readonly Titled[], found: readonly Named[]): string {
  const columns = rows.map(({ name }) => name);
  const names = [...new Set(rows.flatMap(({ cells }) => cells.map(({ name }) => name)))];
  const cell = (name: string, row: string) => {
    const figures = found.find((one) => one.cell === name && one.row === row);
    return figures === undefined ? "—" : `${figures.accepted} / ${figures.delivered} / ${figures.copies}`;
  };
  const line = (words: readonly string[]) => `| ${words.join(" | ")} |\n`;
  const body = names.map((name) => line([name, ...columns.map((row) => cell(name, row))])).join("");
  return `${line(["fault", ...columns])}${line(["---", ...columns.map(() => "---")])}${body}`;
}
