/**
 * The query of a request: known parameters are fields and go into the entry, `ack`, `receipt`, `on_bad` and `key_id` are for us, all others
 * are the message's data.
 */
import { fieldLengthMax } from "../message/message.ts";
import type { EntryWriter } from "../message/wire.ts";
import { FieldTaker, isCookies, type KnownName, KnownNames, reservedNames, traceBits } from "./fields.ts";
import type { Span } from "./http.ts";
import { badMessage, type Problem, quoted, shownName } from "./problem.ts";

export interface Query {
  readonly topic: string | undefined;
  readonly id?: string | undefined;
  /** The bits of the fields that came with a value. */
  readonly seen: number;
  /** Parameters that are no field, in the order they came; one that came several times has all its values. */
  readonly others: ReadonlyMap<string, string | string[]>;
  /** How safe the messages are to be before the answer. */
  readonly ack?: string;
  /** Whether the answer is to tell the ids. */
  readonly receipt: boolean;
  /** What is to become of bad lines. */
  readonly onBad?: string;
  /** A pixel key. */
  readonly keyId?: string;
}

interface Draft {
  topic: string | undefined;
  id?: string | undefined;
  seen: number;
  others: Map<string, string | string[]>;
  ack?: string;
  receipt: boolean;
  onBad?: string;
  keyId?: string;
}

const and = 0x26;
const equals = 0x3d;
const percent = 0x25;
const plus = 0x2b;
const lastAscii = 0x7e;
const none: Map<string, string | string[]> = new Map();
const names = new KnownNames(["ack", "receipt", "key_id", "on_bad"]);
const fields = new FieldTaker();

/** What stands behind the "?", percent-encoded as sent. The fields are put into the entry. */
export function parseQuery({ bytes, from, to }: Span, into: EntryWriter): Query | Problem {
  const query: Draft = { topic: undefined, seen: 0, others: none, receipt: false };
  fields.trace.forget();
  let start = from;
  let middle = -1;
  let plain = true;
  for (let at = from; at <= to; at++) {
    const code = at < to ? bytes[at]! : and;
    if (code === and) {
      if (at > start) {
        const pair = { bytes, start, middle: middle < 0 ? at : middle, end: at };
        const problem = plain ? takePlain(query, pair, into) : takeEncoded(query, pair, into);
        if (problem !== undefined) return problem;
      }
      start = at + 1;
      middle = -1;
      plain = true;
    } else if (code === equals) {
      if (middle < 0) middle = at;
    } else if (code === percent || code === plus || code > lastAscii) plain = false;
  }
  // One that is dropped leaves room for that of the request.
  if (fields.trace.isKnown) fields.trace.put(into, true);
  else query.seen &= ~traceBits;
  return query;
}

/** A parameter: its name, up to the first "=", and its value behind it. */
interface Pair {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly middle: number;
  readonly end: number;
}

/** As most are, without an escape: a field needs no text to be made. */
function takePlain(query: Draft, pair: Pair, into: EntryWriter): Problem | undefined {
  const { bytes, start, middle, end } = pair;
  const known = names.at(bytes, start, middle);
  if (known === undefined) return takeOther(query, nameIn(pair), valueIn(pair));
  if (known.kind === "own" || known.kind === "reserved" || known.field === "cookies") {
    return take(query, known, valueIn(pair), into);
  }
  if ((query.seen & known.bit) !== 0) return twice(known);
  const from = Math.min(middle + 1, end);
  return noted(query, known, from < end, fields.takeBytes(into, known, bytes, from, end));
}

function takeEncoded(query: Draft, pair: Pair, into: EntryWriter): Problem | undefined {
  const name = decoded(nameIn(pair));
  if (name === undefined) return badEscape(nameIn(pair));
  const value = decoded(valueIn(pair));
  if (value === undefined) return badEscape(name);
  const known = names.of(name);
  return known === undefined ? takeOther(query, name, value) : take(query, known, value, into);
}

function take(query: Draft, known: KnownName, value: string, into: EntryWriter): Problem | undefined {
  const { name, kind, field } = known;
  if (kind === "own") return takeControl(query, name, value);
  if (kind === "reserved") return badMessage(name, `Parameter "${name}" ${reservedNames.get(name)}`);
  if ((query.seen & known.bit) !== 0) return twice(known);
  if (field === "cookies" && value !== "" && value.length <= fieldLengthMax && !isCookies(value)) {
    return badMessage(name, 'Parameter "cookies" must be a JSON object of strings');
  }
  return noted(query, known, value !== "", fields.takeText(into, known, value));
}

function noted(
  query: Draft,
  { bit, kind, field }: KnownName,
  hasValue: boolean,
  problem?: Problem,
): Problem | undefined {
  if (hasValue) query.seen |= bit;
  if (kind === "topic") query.topic = fields.topic;
  if (kind === "checked" && field === "id" && hasValue) query.id = fields.id;
  return problem;
}

function twice({ name }: KnownName): Problem {
  return badMessage(name, `Parameter "${name}" comes twice`);
}

function nameIn({ bytes, start, middle }: Pair): string {
  return utf8.decode(bytes.subarray(start, middle));
}

function valueIn({ bytes, middle, end }: Pair): string {
  return utf8.decode(bytes.subarray(Math.min(middle + 1, end), end));
}

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** The other parameters as the text of a JSON object of strings. */
export function dataOf(others: Query["others"]): Uint8Array {
  if (others.size === 0) return emptyObject;
  let json = "";
  for (const [name, value] of others) {
    json += `${json === "" ? "{" : ","}${JSON.stringify(name)}:${JSON.stringify(value)}`;
  }
  return encoder.encode(json + "}");
}

const encoder = new TextEncoder();
const emptyObject = encoder.encode("{}");

/** Strict: `undefined` for a bad escape, and for bytes that are no UTF-8. */
function decoded(text: string): string | undefined {
  if (text.includes("\ufffd")) return undefined;
  try {
    return decodeURIComponent(text.includes("+") ? text.replaceAll("+", " ") : text);
  } catch {
    return undefined;
  }
}

function badEscape(name: string): Problem {
  return badMessage(
    shownName(name),
    `Parameter ${quoted(name)} holds a bad percent escape, or bytes that are no UTF-8`,
  );
}

function takeControl(query: Draft, name: string, value: string): Problem | undefined {
  if (name === "ack") {
    if (query.ack !== undefined) return badMessage(name, 'Parameter "ack" comes twice');
    query.ack = value;
    return undefined;
  }
  if (name === "key_id") {
    if (query.keyId !== undefined) return badMessage(name, 'Parameter "key_id" comes twice');
    query.keyId = value;
    return undefined;
  }
  if (name === "on_bad") {
    if (query.onBad !== undefined) return badMessage(name, 'Parameter "on_bad" comes twice');
    query.onBad = value;
    return undefined;
  }
  if (value !== "0" && value !== "1") return badMessage(name, 'Parameter "receipt" must be 0 or 1');
  query.receipt = value === "1";
  return undefined;
}

function takeOther(query: Draft, name: string, value: string): undefined {
  if (query.others === none) query.others = new Map();
  const before = query.others.get(name);
  if (before === undefined) query.others.set(name, value);
  else if (typeof before === "string") query.others.set(name, [before, value]);
  else before.push(value);
}
