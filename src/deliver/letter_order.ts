/** What an operator asks of a destination's dead letters: to see them, to have them sent once more, to throw them away. */
import type { Position } from "../log/mod.ts";
import { formatter } from "../message/format.ts";
import type { Clock } from "../os/world.ts";
import type { Refusal } from "./control.ts";
import type { DeadLetters } from "./dead_letters.ts";
import type { DeadLetter } from "./letter.ts";
import { type LetterFilter, lettersThat } from "./letter_filter.ts";
import type { Kept } from "./letter_index.ts";

/** How letters are written: what is known of them, the same with their messages, or the messages alone as a destination gets them. */
export const letterForms = ["heads", "letters", "json", "raw"] as const;
export type LetterForm = (typeof letterForms)[number];

export type LetterOrder =
  | {
    readonly do: "list";
    readonly filter: LetterFilter;
    readonly form: LetterForm;
    /** Where the page before ended. */
    readonly from: number;
  }
  | { readonly do: "replay" | "purge"; readonly filter: LetterFilter };
export const letterOrderNames = ["replay", "purge"] as const;

/** Some of the letters, a line each. */
export interface LetterPage {
  readonly lines: Uint8Array;
  /** Where the next page begins; undefined at the end. */
  readonly next: number | undefined;
}
/** How many letters it was about, and how many there are now. */
export interface LettersMoved {
  readonly letters: number;
  readonly left: number;
}
export type LetterOutcome = LetterPage | LettersMoved | Refusal;

const pageBytes = 1 << 20;
/** So much is looked through for one page. */
const scanBytes = 8 << 20;

/** `look` opens the letters, or gives nothing where there are none. */
export async function carryOutOnLetters(
  order: LetterOrder,
  look: () => DeadLetters | undefined,
  clock: Clock,
): Promise<LetterOutcome> {
  let wanted: (letter: DeadLetter) => boolean;
  try {
    wanted = lettersThat(order.filter, clock.now());
  } catch (problem) {
    if (!(problem instanceof TypeError)) throw problem;
    return { refused: "bad", why: problem.message };
  }
  const letters = look();
  if (order.do === "list") return pageOf(letters?.letters(order.from as Position) ?? [], { wanted, form: order.form });
  if (letters === undefined) return { letters: 0, left: 0 };
  const count = order.do === "replay" ? await letters.ask(wanted) : await letters.purge(wanted);
  return { letters: count, left: letters.count };
}

/** Nothing of what is not looked at is read. */
export function pageOf(
  letters: Iterable<Kept>,
  { wanted, form }: { readonly wanted: (letter: DeadLetter) => boolean; readonly form: LetterForm },
): LetterPage {
  const write = letterWriter(form);
  const lines: Uint8Array[] = [];
  let [written, scanned] = [0, 0];
  for (const { number, bytes, letter } of letters) {
    if (written >= pageBytes || scanned >= scanBytes) return { lines: joined(lines, written), next: number };
    scanned += bytes;
    if (!wanted(letter)) continue;
    const line = write(letter);
    lines.push(line);
    written += line.length + 1;
  }
  return { lines: joined(lines, written), next: undefined };
}

function joined(lines: readonly Uint8Array[], bytes: number): Uint8Array {
  const all = new Uint8Array(bytes);
  let at = 0;
  for (const line of lines) {
    all.set(line, at);
    at += line.length;
    all[at++] = 10;
  }
  return all;
}

export function letterWriter(form: LetterForm): (letter: DeadLetter) => Uint8Array {
  const format = formatter(form === "raw" ? "raw" : "json");
  if (form === "json" || form === "raw") return ({ message, id }) => format(message, id);
  const utf8 = new TextEncoder();
  if (form === "heads") return (letter) => utf8.encode(`${headOf(letter)}}`);
  return (letter) => {
    const head = utf8.encode(`${headOf(letter)},"message":`);
    const body = format(letter.message, letter.id);
    const line = new Uint8Array(head.length + body.length + 1);
    line.set(head);
    line.set(body, head.length);
    line[line.length - 1] = 0x7d;
    return line;
  };
}

/** Without the brace at its end. */
function headOf({ position, id, reason, tries, time, again, message }: DeadLetter): string {
  const { topic } = message;
  return JSON.stringify({ position, id, topic, reason, tries, time, again: again === true }).slice(0, -1);
}
