/** What every way in says about fields alike: their names, what becomes of their values, and refusals under senders' names. */
import {
  fieldLengthMax,
  fieldNames,
  type Fields,
  normaliseLevel,
  outputNames,
  type Refusal,
  refusalOf,
  submittedMs,
} from "../message/message.ts";
import { type EntryWriter, type FieldTag, tagOf } from "../message/wire.ts";
import { TextMemo } from "./memo.ts";
import { badMessage, type Problem } from "./problem.ts";
import { Trace, type TraceField } from "./trace.ts";

/** Fields of a message that only we fill, with what to do instead. */
export const reservedNames: ReadonlyMap<string, string> = new Map([
  ["timestamp", 'is ours, set at arrival: send "submitted_timestamp"'],
  ["peer_ip", 'is ours, the address that we see: send "ip"'],
]);

/** A name that means something: a field, or what `kind` says. */
export interface KnownName {
  readonly name: string;
  readonly letters: Uint8Array;
  /** "own" names belong to one way in; "reserved" ones to us; "plain" values are taken as they stand; "trace" ones are never refused. */
  readonly kind: "own" | "reserved" | "plain" | "level" | "topic" | "time" | "trace" | "checked";
  /** One for all spellings of a field, so that two of them are noticed. */
  readonly bit: number;
  readonly field: keyof Fields | undefined;
  /** Of the field; without one, never asked for. */
  readonly tag: FieldTag;
}

/** Whether a field is among those whose bits are set. */
export function bitOf(field: keyof Fields): number {
  return 1 << tagOf(field);
}
export const traceBits = bitOf("traceparent") | bitOf("tracestate");
/** Beyond those of all fields. */
const firstOwnBit = 24;

/** The names of one way in, by their length, so that most are told apart by one or two looks. */
export class KnownNames {
  readonly #byLength: KnownName[][] = [];

  /** `more` are fields that this way in alone knows. */
  constructor(own: readonly string[], more: readonly (keyof Fields)[] = []) {
    own.forEach((name, i) => this.#add(name, "own", 1 << (firstOwnBit + i)));
    for (const [name, field] of fieldNames) this.#add(name, kindOf(field), bitOf(field), field);
    for (const field of more) this.#add(field, kindOf(field), bitOf(field), field);
    for (const name of reservedNames.keys()) this.#add(name, "reserved", 0);
  }

  at(bytes: Uint8Array, from: number, to: number): KnownName | undefined {
    const candidates = this.#byLength[to - from];
    if (candidates === undefined) return undefined;
    for (let i = 0; i < candidates.length; i++) {
      if (isAt(bytes, from, candidates[i]!.letters)) return candidates[i];
    }
    return undefined;
  }

  of(name: string): KnownName | undefined {
    return this.#byLength[name.length]?.find((known) => known.name === name);
  }

  /** All of them, the shorter ones first. */
  *[Symbol.iterator](): Generator<KnownName> {
    for (const names of this.#byLength) yield* names ?? [];
  }

  #add(name: string, kind: KnownName["kind"], bit: number, field?: keyof Fields): void {
    const tag = tagOf(field ?? "topic");
    (this.#byLength[name.length] ??= []).push({ name, letters: encoder.encode(name), kind, bit, field, tag });
  }
}

const encoder = new TextEncoder();

function kindOf(field: keyof Fields): KnownName["kind"] {
  if (field === "topic" || field === "level") return field;
  if (field === "submittedTimestamp") return "time";
  if (field === "traceparent" || field === "tracestate") return "trace";
  return field === "id" || field === "cookies" ? "checked" : "plain";
}

function isAt(bytes: Uint8Array, from: number, letters: Uint8Array): boolean {
  for (let i = 0; i < letters.length; i++) if (bytes[from + i] !== letters[i]) return false;
  return true;
}

/** Levels as long as the one that is corrected are looked at. */
const correctedLength = "warnning".length;
const digitZero = 0x30;
const digitNine = 0x39;

/** Puts values of fields into an entry: as they stand where they can, as texts where they have to be looked at. */
export class FieldTaker {
  /** The last topic put. */
  topic: string | undefined;
  /** The last id put. */
  id: string | undefined;
  /** To be put once all of the message is known. */
  readonly trace = new Trace();
  readonly #topics = new TextMemo();
  #goodTopic: string | undefined;

  /** A value that stands there as UTF-8. An empty one counts as absent, unless it is the topic. */
  takeBytes(into: EntryWriter, known: KnownName, bytes: Uint8Array, from: number, to: number): Problem | undefined {
    const { kind, tag } = known;
    const length = to - from;
    if (kind === "topic") return this.#takeTopic(into, this.#topics.of(bytes, from, to));
    if (
      kind === "checked" || kind === "trace" || (kind === "level" && length === correctedLength) ||
      length > fieldLengthMax
    ) {
      return this.takeText(into, known, decoder.decode(bytes.subarray(from, to)));
    }
    if (length === 0) return undefined;
    into.span(tag, bytes, from, to);
    if (kind === "time") date(into, msAt(bytes, from, to));
    return undefined;
  }

  takeText(into: EntryWriter, { kind, tag, field }: KnownName, value: string): Problem | undefined {
    if (kind === "topic") return this.#takeTopic(into, value);
    if (value === "") return undefined;
    if (kind === "trace") return void this.trace.take(field as TraceField, value);
    const problem = problemOf({ [field!]: value });
    if (problem !== undefined) return problem;
    if (field === "id") this.id = value;
    into.text(tag, kind === "level" ? normaliseLevel(value) : value);
    if (kind === "time") date(into, submittedMs(value));
    return undefined;
  }

  #takeTopic(into: EntryWriter, topic: string): Problem | undefined {
    if (topic !== this.#goodTopic) {
      const problem = problemOf({ topic });
      if (problem !== undefined) return problem;
      this.#goodTopic = topic;
    }
    this.topic = topic;
    into.text(topicTag, topic);
    return undefined;
  }
}

const topicTag = tagOf("topic");
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

function date(into: EntryWriter, ms: number | undefined): void {
  if (ms !== undefined) into.submitted(ms);
}

/** Nearly always 13 digits: those are counted up without a text being made of them. */
function msAt(bytes: Uint8Array, from: number, to: number): number | undefined {
  let ms = 0;
  for (let at = from; at < to && to - from === 13; at++) {
    const digit = bytes[at]!;
    if (digit < digitZero || digit > digitNine) break;
    ms = ms * 10 + digit - digitZero;
    if (at === to - 1) return ms;
  }
  return submittedMs(decoder.decode(bytes.subarray(from, to)));
}

const publicNames = new Map<string, string>(outputNames);

/** What is wrong with the fields, as a problem that names the field as senders do. */
export function problemOf(fields: Fields): Problem | undefined {
  const refusal = refusalOf(fields);
  return refusal && refused(refusal);
}

function refused({ field, reason }: Refusal): Problem {
  const name = publicNames.get(field) ?? field;
  return badMessage(name, `Field "${name}" ${reason}`);
}

/** Whether the text is a JSON object of strings. */
export function isCookies(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
    return Object.values(value).every((part) => typeof part === "string");
  } catch {
    return false;
  }
}
