/**
 * The envelopes of `envelope.ts`, byte for byte the same, from the bytes of an entry to those of a line: no field becomes a text on
 * the way. Most have nothing in them that is written otherwise, and are copied; a message with anything else is left to the
 * other way.
 */
import { isUtf8 } from "node:buffer";
import { frames, isJson, steadyNames } from "./envelope.ts";
import { isOffTime } from "./message.ts";
import { Slab } from "./slab.ts";
import { dataTag, type EntryReader } from "./stored.ts";
import { tags } from "./tags.ts";

const encoder = new TextEncoder();
const nothing = new Uint8Array(0);
const [quote, backslash, brace, zero, minus, lineFeed, carriageReturn] = [
  0x22,
  0x5c,
  0x7d,
  0x30,
  0x2d,
  10,
  13,
] as const;

/** What stands in the way of copying: something that is written otherwise, or something that is no ASCII and may be no UTF-8. */
const [escaped, foreign] = [1, 2] as const;
function trouble(byte: number, isEscaped: boolean): number {
  return isEscaped ? escaped : byte > 0x7f ? foreign : 0;
}
const inText = Uint8Array.from(
  { length: 256 },
  (_, byte) => trouble(byte, byte < 0x20 || byte === quote || byte === backslash),
);
/** Where the bytes are JSON already. */
const inJson = Uint8Array.from(
  { length: 256 },
  (_, byte) => trouble(byte, byte === lineFeed || byte === carriageReturn),
);

interface Member {
  readonly tag: number;
  /** What stands in front of the value. */
  readonly label: Uint8Array;
  readonly isJson: boolean;
}

function memberOf(name: keyof typeof tags, label: string): Member {
  return { tag: tags[name], label: encoder.encode(`,"${label}":${isJson(name) ? "" : '"'}`), isJson: isJson(name) };
}

const steadyMembers: readonly Member[] = steadyNames.map(([name, label]) => memberOf(name, label));
const keyMember = memberOf("key", "key");
const submittedText = memberOf("submittedTimestamp", "submitted_timestamp");
const submittedNumber: Member = { ...submittedText, label: submittedText.label.subarray(0, -1), isJson: true };
const offTexts = {
  late: encoder.encode(',"submitted_off":"late"'),
  early: encoder.encode(',"submitted_off":"early"'),
} as const;
const dataLabel = encoder.encode(',"data":');
/** Up to here a loop copies sooner than a call. */
const loopMax = 64;
/** What else may stand around the values, numbers included. */
const aroundBytes = 1024;
/** An integer of so many digits is the same as a number. */
const safeDigits = 15;

let steadyMask = 0;
for (const { tag } of steadyMembers) steadyMask |= 1 << tag;

export class StoredEnvelope {
  readonly #slab = new Slab();
  readonly #idMember: Member;
  readonly #end: Uint8Array;
  /** What every line begins with whose id is ours, and what follows the id: the same for many. */
  #prefix = "";
  #begin: Uint8Array = nothing;
  #timestamp = NaN;
  #time: Uint8Array = nothing;
  /** The steady fields of the message before, as they stand in its line, and which they are. -1: there are none. */
  #steadyPresent = -1;
  #steadyIn: Uint8Array = nothing;
  #steadyFrom = 0;
  #steadyTo = 0;
  readonly #lengths = new Int32Array(steadyMembers.length);
  #steady: Uint8Array | undefined;
  /** Whether the steady fields of the line written last are those of the line before: all but times, id and key. */
  isSteady = false;
  /** Where the line stands that was written last. */
  bytes: Uint8Array = this.#slab.bytes;
  from = 0;
  to = 0;
  /** Where the next byte goes. */
  #at = 0;
  /** What was met so far. */
  #trouble = 0;

  constructor(version: keyof typeof frames) {
    const { begin, end } = frames[version];
    this.#idMember = { tag: tags.id, label: encoder.encode(`${begin}"id":"`), isJson: false };
    this.#end = encoder.encode(end);
  }

  /**
   * Writes the message that the reader has come to as one line, in which its id is `prefix` and `position` if it has none; false,
   * and nothing kept, when it cannot.
   */
  write(message: EntryReader, prefix: string, position: number): boolean {
    // Other bytes stand in base64.
    if (!message.dataIsJson) return false;
    this.#slab.need(aroundBytes + prefix.length + message.size);
    this.bytes = this.#slab.bytes;
    this.from = this.#at = this.#slab.at;
    this.#trouble = 0;
    this.#id(message, prefix, position);
    this.#times(message);
    this.#steadyFields(message);
    if (message.present & 1 << tags.key) this.#put(message, keyMember);
    this.#text(this.#end);
    this.#data(message);
    this.bytes[this.#at++] = brace;
    if (this.#trouble !== 0) {
      this.#steadyPresent = -1;
      return false;
    }
    this.to = this.#slab.at = this.#at;
    return true;
  }

  #id(message: EntryReader, prefix: string, position: number): void {
    if (message.present & 1 << tags.id) return void this.#put(message, this.#idMember);
    if (prefix !== this.#prefix) {
      this.#prefix = prefix;
      const { label } = this.#idMember;
      this.#begin = Uint8Array.of(...label, ...encoder.encode(prefix));
    }
    this.#text(this.#begin);
    this.#digits(position);
    this.bytes[this.#at++] = quote;
  }

  #times(message: EntryReader): void {
    const { timestamp } = message;
    if (timestamp !== this.#timestamp) {
      this.#timestamp = timestamp;
      this.#time = encoder.encode(`,"timestamp":${timestamp}`);
    }
    this.#text(this.#time);
    if ((message.present & 1 << tags.submittedTimestamp) === 0) return;
    const member = submittedMember(message);
    if (member === undefined) this.#trouble |= escaped;
    else this.#put(message, member);
    const { submittedMs } = message;
    const off = submittedMs === undefined ? undefined : isOffTime(submittedMs, timestamp);
    if (off !== undefined) this.#text(offTexts[off]);
  }

  #steadyFields(message: EntryReader): void {
    this.isSteady = this.#repeats(message);
    if (this.isSteady) {
      this.#steady ??= this.#steadyIn.subarray(this.#steadyFrom, this.#steadyTo);
      this.bytes.set(this.#steady, this.#at);
      this.#at += this.#steady.length;
      return;
    }
    this.#steady = undefined;
    this.#steadyPresent = message.present & steadyMask;
    this.#steadyIn = this.bytes;
    this.#steadyFrom = this.#at;
    for (let i = 0; i < steadyMembers.length; i++) {
      const member = steadyMembers[i]!;
      if (message.present & 1 << member.tag) this.#lengths[i] = this.#put(message, member);
    }
    this.#steadyTo = this.#at;
  }

  /** Whether they are all as they were in the message before. */
  #repeats(message: EntryReader): boolean {
    const { present, bytes } = message;
    if ((present & steadyMask) !== this.#steadyPresent) return false;
    const steady = this.#steadyIn;
    let at = this.#steadyFrom;
    for (let i = 0; i < steadyMembers.length; i++) {
      const { tag, label, isJson } = steadyMembers[i]!;
      if ((present & 1 << tag) === 0) continue;
      const spans = message.spansOf(tag);
      const [from, to] = [spans.from[tag]!, spans.to[tag]!];
      if (this.#lengths[i] !== to - from) return false;
      at += label.length;
      for (let j = from; j < to; j++) if (bytes[j] !== steady[at++]) return false;
      if (!isJson) at++;
    }
    return true;
  }

  #data(message: EntryReader): void {
    const { bytes } = message;
    const spans = message.spansOf(dataTag);
    const [from, to] = [spans.from[dataTag]!, spans.to[dataTag]!];
    if (from === to) return;
    this.#text(dataLabel);
    const out = this.bytes;
    let at = this.#at;
    if (to - from > loopMax) {
      for (let i = from; i < to; i++) {
        if (bytes[i] === lineFeed || bytes[i] === carriageReturn) this.#trouble |= escaped;
      }
      out.set(bytes.subarray(from, to), at);
      at += to - from;
    } else {
      for (let i = from; i < to; i++) {
        const byte = bytes[i]!;
        if (byte === lineFeed || byte === carriageReturn) this.#trouble |= escaped;
        out[at++] = byte;
      }
    }
    this.#at = at;
  }

  /** A member of the object; tells how long the value is. */
  #put(message: EntryReader, { tag, label, isJson }: Member): number {
    const { bytes } = message;
    const spans = message.spansOf(tag);
    const [from, to] = [spans.from[tag]!, spans.to[tag]!];
    const troubles = isJson ? inJson : inText;
    this.#text(label);
    const out = this.bytes;
    let at = this.#at;
    let found = 0;
    for (let i = from; i < to; i++) {
      const byte = bytes[i]!;
      found |= troubles[byte]!;
      out[at++] = byte;
    }
    if (found === foreign && isUtf8(bytes.subarray(from, to))) found = 0;
    this.#trouble |= found;
    if (!isJson) out[at++] = quote;
    this.#at = at;
    return to - from;
  }

  #text(text: Uint8Array): void {
    const out = this.bytes;
    let at = this.#at;
    for (let i = 0; i < text.length; i++) out[at++] = text[i]!;
    this.#at = at;
  }

  #digits(value: number): void {
    let end = this.#at + 1;
    for (let limit = 10; value >= limit; limit *= 10) end++;
    let rest = value;
    for (let at = end - 1; at >= this.#at; at--) {
      const tenth = Math.floor(rest / 10);
      this.bytes[at] = zero + (rest - 10 * tenth);
      rest = tenth;
    }
    this.#at = end;
  }
}

/** How the sender's time is written: as `submittedValue` does it, which has to be asked where this is undefined. */
function submittedMember(message: EntryReader): Member | undefined {
  const { bytes } = message;
  const spans = message.spansOf(tags.submittedTimestamp);
  const [from, to] = [spans.from[tags.submittedTimestamp]!, spans.to[tags.submittedTimestamp]!];
  const first = bytes[from]!;
  for (let i = first === minus ? from + 1 : from; i < to; i++) {
    if (bytes[i]! < zero || bytes[i]! > zero + 9) return submittedText;
  }
  const isPlain = to > from && to - from <= safeDigits && first > zero && first <= zero + 9;
  return isPlain ? submittedNumber : undefined;
}
