/** The query of a request: known parameters are fields, `ack` and `receipt` are for us, all others are the message's data. */
import { fieldLengthMax, fieldNames, type Fields, normaliseLevel } from "../message/message.ts";
import { isCookies, problemOf, reservedNames } from "./fields.ts";
import { badMessage, type Problem, quoted, shownName } from "./problem.ts";

export interface Query {
  readonly fields: Fields;
  /** Parameters that are no field, in the order they came; one that came several times has all its values. */
  readonly others: ReadonlyMap<string, string | string[]>;
  /** How safe the messages are to be before the answer. */
  readonly ack?: string;
  /** Whether the answer is to tell the ids. */
  readonly receipt: boolean;
}

interface Draft {
  fields: Fields;
  others: Map<string, string | string[]>;
  ack?: string;
  receipt: boolean;
}

const and = 0x26;
const equals = 0x3d;
const percent = 0x25;
const plus = 0x2b;
const lastAscii = 0x7e;
const none: Map<string, string | string[]> = new Map();

/** What stands behind the "?", percent-encoded as sent. */
export function parseQuery(search: string): Query | Problem {
  const query: Draft = { fields: {}, others: none, receipt: false };
  let start = 0;
  let middle = -1;
  let plain = true;
  for (let at = 0; at <= search.length; at++) {
    const code = at < search.length ? search.charCodeAt(at) : and;
    if (code === and) {
      if (at > start) {
        const nameEnd = middle < 0 ? at : middle;
        const name = search.slice(start, nameEnd);
        const value = middle < 0 ? "" : search.slice(middle + 1, at);
        const problem = plain ? take(query, name, value) : takeEncoded(query, name, value);
        if (problem !== undefined) return problem;
      }
      start = at + 1;
      middle = -1;
      plain = true;
    } else if (code === equals) {
      if (middle < 0) middle = at;
    } else if (code === percent || code === plus || code > lastAscii) plain = false;
  }
  return problemOf(query.fields) ?? query;
}

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

function takeEncoded(query: Draft, name: string, value: string): Problem | undefined {
  const plainName = decoded(name);
  if (plainName === undefined) return badEscape(name);
  const plainValue = decoded(value);
  if (plainValue === undefined) return badEscape(plainName);
  return take(query, plainName, plainValue);
}

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

function take(query: Draft, name: string, value: string): Problem | undefined {
  const field = fieldNames.get(name);
  if (field !== undefined) return takeField(query.fields, name, field, value);
  if (name === "ack" || name === "receipt") return takeControl(query, name, value);
  const hint = reservedNames.get(name);
  if (hint !== undefined) return badMessage(name, `Parameter "${name}" ${hint}`);
  takeOther(query, name, value);
  return undefined;
}

function takeField(fields: Fields, name: string, field: keyof Fields, value: string): Problem | undefined {
  if (fields[field] !== undefined) return badMessage(name, `Parameter "${name}" comes twice`);
  if (value === "" && field !== "topic") return undefined;
  if (field === "cookies" && value.length <= fieldLengthMax && !isCookies(value)) {
    return badMessage(name, 'Parameter "cookies" must be a JSON object of strings');
  }
  fields[field] = field === "level" ? normaliseLevel(value) : value;
  return undefined;
}

function takeControl(query: Draft, name: "ack" | "receipt", value: string): Problem | undefined {
  if (name === "ack") {
    if (query.ack !== undefined) return badMessage(name, 'Parameter "ack" comes twice');
    query.ack = value;
    return undefined;
  }
  if (value !== "0" && value !== "1") return badMessage(name, 'Parameter "receipt" must be 0 or 1');
  query.receipt = value === "1";
  return undefined;
}

function takeOther(query: Draft, name: string, value: string): void {
  if (query.others === none) query.others = new Map();
  const before = query.others.get(name);
  if (before === undefined) query.others.set(name, value);
  else if (typeof before === "string") query.others.set(name, [before, value]);
  else before.push(value);
}
