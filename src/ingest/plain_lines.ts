/**
 * Takes the lines of a body that need no second look, many at a time: the walk over their bytes is WebAssembly
 * (`wasm/plain_lines.ts`), which a script cannot keep up with. Whatever is not plain is left to whoever looks at each line.
 */
import type { EntryWriter } from "../message/wire.ts";
import { type KnownName, type KnownNames, problemOf } from "./fields.ts";
import type { Rules } from "./rules.ts";
import { TextMemo } from "./memo.ts";
import { admit, admitDefault, begin, memory, take } from "./wasm/plain_lines.wasm";

/** How far it went. */
export interface PlainRun {
  /** Behind the last line taken. */
  readonly end: number;
  /** Lines passed, empty ones too. */
  readonly lines: number;
}

/** Where what stands in its memory; `wasm/plain_lines.ts` says what. */
const lengthsAt = 64;
const namesAt = 128;
const nameBytes = 32;
const nameLengthMax = 24;
const topicsAt = 4096;
const topicBytes = 256;
const topicsMax = 8;
const inputAt = 8192;
const inputMax = 65_536;
/** A plain line takes at most twice its bytes in an entry. Behind input and output is room for what is read and put too much. */
const outputAt = inputAt + inputMax + 128;
/** Longer ones have lengths that only the entry's writer knows to write. */
const lineMax = 16_000;
/** Told as the end of a topic where a line names none. */
const noTopic = 1;
const newline = 0x0a;
/** After so many lines one after the other that were not plain, the rest of the body is not asked. */
const missesMax = 16;

const kinds: Partial<Record<KnownName["kind"], number>> = { plain: 1, level: 2, topic: 3, time: 4 };
const kindData = 5;

const bytes = new Uint8Array(memory.buffer);
const view = new DataView(memory.buffer);

/** There is one memory: from `begin` to the last `take` of a body nobody may wait for anything. */
export class PlainLines {
  readonly #texts = new TextMemo();
  #body: Uint8Array = bytes;
  #rules!: Rules;
  #into!: EntryWriter;
  /** Which bytes of the body are in the memory. */
  #from = 0;
  #to = 0;
  #topics = 0;
  #misses = 0;

  constructor(names: KnownNames) {
    putNames([...names]);
  }

  /** A body begins; false when there is no use in asking. */
  begin(body: Uint8Array, rules: Rules, into: EntryWriter, isUtf8: boolean): boolean {
    if (!isUtf8 || into.sharesTime) return false;
    this.#body = body;
    this.#rules = rules;
    this.#into = into;
    this.#from =
      this.#to =
      this.#topics =
      this.#misses =
        0;
    begin(rules.depthMax);
    return true;
  }

  /** From a line's begin on. */
  take(start: number): PlainRun | undefined {
    if (this.#misses >= missesMax) return undefined;
    const before = this.#into.count;
    let end = start;
    let lines = 0;
    while (this.#holds(end)) {
      lines += this.#takeHere(end);
      const stop = this.#from + resultAt(1) - inputAt;
      const isDone = stop >= this.#to;
      end = Math.min(stop, this.#body.length);
      if (!isDone && !this.#admits()) break;
    }
    this.#misses = this.#into.count > before ? 0 : this.#misses + 1;
    return end > start ? { end, lines } : undefined;
  }

  /** Lines passed of those in the memory. */
  #takeHere(start: number): number {
    const into = this.#into;
    const { messageMax, messagesMax } = this.#rules;
    const from = inputAt + start - this.#from;
    const end = inputAt + this.#to - this.#from;
    const count = take(from, end, outputAt, messagesMax - into.count, Math.min(messageMax, lineMax));
    if (count > 0) into.messages(bytes.subarray(outputAt, resultAt(2)), count);
    return resultAt(0);
  }

  /** Whether the line that begins there is in the memory, from now on. */
  #holds(start: number): boolean {
    if (start < this.#to) return true;
    const body = this.#body;
    if (start >= body.length) return false;
    const part = body.subarray(start, start + inputMax);
    const isLast = start + part.length === body.length;
    const length = isLast ? part.length : part.lastIndexOf(newline) + 1;
    if (length === 0) return false;
    bytes.set(length === part.length ? part : part.subarray(0, length), inputAt);
    this.#from = start;
    this.#to = start + length;
    // The last line need not have an end.
    if (isLast) bytes[inputAt + length] = newline;
    return true;
  }

  /** Whether it stopped for a topic only, which is admitted. */
  #admits(): boolean {
    const [from, to] = [resultAt(3), resultAt(4)];
    if (to === 0) return false;
    if (to === noTopic) return this.#admitsDefault();
    const topic = this.#texts.of(bytes, from, to);
    if (problemOf({ topic }) !== undefined || this.#rules.admit(topic) !== undefined) return false;
    const at = topicsAt + this.#topics++ % topicsMax * topicBytes;
    bytes[at] = to - from;
    bytes.copyWithin(at + 1, from, to);
    admit(Math.min(this.#topics, topicsMax));
    return true;
  }

  #admitsDefault(): boolean {
    const { topic } = this.#rules;
    if (topic === undefined || this.#rules.admit(topic) !== undefined) return false;
    admitDefault();
    return true;
  }
}

function resultAt(number: number): number {
  return view.getUint32(number * 4, true);
}

/** Shorter ones first. */
function putNames(names: readonly KnownName[]): void {
  names.forEach(({ letters, tag, bit, kind, name }, number) => {
    const at = namesAt + number * nameBytes;
    if (letters.length > nameLengthMax || at + nameBytes > topicsAt) throw new Error(`No room for the name ${name}`);
    bytes.set(letters, at);
    bytes[at + nameLengthMax] = tag;
    bytes[at + nameLengthMax + 1] = name === "data" ? kindData : kinds[kind] ?? 0;
    view.setUint32(at + nameLengthMax + 4, bit, true);
  });
  for (let length = 0; length <= nameLengthMax + 1; length++) {
    bytes[lengthsAt + length] = names.filter(({ letters }) => letters.length < length).length;
  }
}
