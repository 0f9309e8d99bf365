/**
 * JSON bodies: one message, an array of messages, or one message a line (NDJSON). The bytes of a payload stay those of the
 * body; parsing serves to check them and to fill the fields.
 */
import { isAscii, isUtf8 } from "node:buffer";
import { fieldLengthMax, fieldNames, type Fields, normaliseLevel, submittedMs } from "../message/message.ts";
import type { Incoming } from "../message/wire.ts";
import { isCookies, problemOf, reservedNames } from "./fields.ts";
import { badMessage, type Problem, quoted, shownName } from "./problem.ts";
import { type Rules, tooLong, tooMany } from "./rules.ts";
import { byte, Scanner } from "./scanner.ts";

/** "lines": one object a line. "any": what the body looks like. */
export type JsonForm = "lines" | "any";

/** The messages of a body, in order, or what is wrong with the first bad one. */
export function parseJson(body: Uint8Array, form: JsonForm, rules: Rules): Incoming[] | Problem {
  const bytes = withoutMark(body);
  if (form === "lines") return new JsonBody(bytes, true, rules).lines();
  const whole = new JsonBody(bytes, false, rules);
  if (whole.isList) return whole.list();
  return whole.single() ?? new JsonBody(bytes, true, rules).lines();
}

/** RFC 8259 lets a reader ignore a byte order mark. */
function withoutMark(body: Uint8Array): Uint8Array {
  return body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf ? body.subarray(3) : body;
}

/** What a member of a message is: a field, its data, or a name only we may set. */
interface Member {
  readonly name: string;
  readonly field: keyof Fields | "data" | "reserved";
  /** One for all spellings of a field, so that two of them are noticed. */
  readonly bit: number;
}

/** Members by the length of their name, so that most names are told apart by one or two looks. */
const members = membersByLength();

function membersByLength(): Member[][] {
  const byLength: Member[][] = [];
  const bits = new Map<string, number>();
  const add = (name: string, field: Member["field"]) => {
    if (!bits.has(field)) bits.set(field, 1 << bits.size);
    (byLength[name.length] ??= []).push({ name, field, bit: bits.get(field)! });
  };
  add("data", "data");
  for (const [name, field] of fieldNames) add(name, field);
  for (const name of reservedNames.keys()) add(name, "reserved");
  return byLength;
}

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
/** Gives every byte one character, so that positions in the text are positions in the bytes. */
const bytewise = new TextDecoder("windows-1252");
const emptyObject = new TextEncoder().encode("{}");

/** All fields at once: one shape for all messages is a third faster to fill and to encode. */
function noFields(): Fields {
  return {
    level: undefined,
    type: undefined,
    submittedTimestamp: undefined,
    version: undefined,
    topic: undefined,
    env: undefined,
    ip: undefined,
    userAgent: undefined,
    referrer: undefined,
    id: undefined,
    key: undefined,
    cookies: undefined,
  };
}

class JsonBody {
  readonly #bytes: Uint8Array;
  /** The body with one character a byte: right wherever it is ASCII. */
  readonly #text: string;
  readonly #rules: Rules;
  readonly #scanner: Scanner;
  readonly #messages: Incoming[] = [];
  /** Of the message being read, counted from 1; and where that line begins. */
  #line = 1;
  #lineStart = 0;
  #fields: Fields = {};
  #submittedMs: number | undefined;
  #seen = 0;
  #dataStart = -1;
  #dataEnd = -1;
  #stranger: string | undefined;
  /** The last topics found good in their letters, and admitted: a batch mostly has one. */
  #topic: string | undefined;
  #admitted: string | undefined;

  constructor(bytes: Uint8Array, lines: boolean, rules: Rules) {
    const ascii = isAscii(bytes);
    this.#bytes = bytes;
    this.#text = (ascii ? utf8 : bytewise).decode(bytes);
    this.#rules = rules;
    this.#scanner = new Scanner(bytes, { depthMax: rules.depthMax, lines, checkUtf8: !ascii && !isUtf8(bytes) });
  }

  get isList(): boolean {
    return this.#scanner.peek() === byte.openList;
  }

  /** One message and nothing behind it; `undefined` when something is, so it may be lines. */
  single(): Incoming[] | Problem | undefined {
    const problem = this.#message();
    if (problem !== undefined) return { ...problem, line: undefined };
    return this.#scanner.peek() < 0 ? this.#messages : undefined;
  }

  list(): Incoming[] | Problem {
    const scanner = this.#scanner;
    scanner.at++;
    if (scanner.peek() === byte.closeList) scanner.at++;
    else {
      do {
        const problem = this.#message();
        if (problem !== undefined) return problem;
        this.#line++;
      } while (scanner.pass(byte.comma));
      if (!scanner.pass(byte.closeList)) return this.#unexpected();
    }
    return scanner.peek() < 0 ? this.#messages : this.#unexpected();
  }

  lines(): Incoming[] | Problem {
    const scanner = this.#scanner;
    for (let next = scanner.peek(); next >= 0; next = scanner.peek()) {
      if (next !== byte.newline) {
        const problem = this.#message();
        if (problem !== undefined) return problem;
        if (scanner.peek() >= 0 && scanner.peek() !== byte.newline) return this.#broken("more than one message");
      }
      scanner.at++;
      this.#line++;
      this.#lineStart = scanner.at;
    }
    return this.#messages;
  }

  #message(): Problem | undefined {
    const scanner = this.#scanner;
    if (scanner.peek() !== byte.open) return this.#broken("no JSON object");
    if (this.#messages.length >= this.#rules.messagesMax) return tooMany(this.#rules.messagesMax, this.#line);
    this.#begin();
    const start = scanner.at;
    scanner.enter();
    if (!scanner.pass(byte.close)) {
      do {
        const problem = this.#member();
        if (problem !== undefined) return problem;
      } while (scanner.pass(byte.comma));
      if (!scanner.pass(byte.close)) return this.#unexpected();
    }
    scanner.leave();
    return this.#finish(start);
  }

  #begin(): void {
    this.#fields = noFields();
    this.#submittedMs = undefined;
    this.#seen = 0;
    this.#dataStart = -1;
    this.#stranger = undefined;
  }

  #finish(start: number): Problem | undefined {
    const end = this.#scanner.at;
    if (end - start > this.#rules.messageMax) return tooLong(this.#rules.messageMax, this.#line);
    let data: Uint8Array = emptyObject;
    if (this.#stranger !== undefined) {
      if (this.#seen !== 0) return this.#strange(this.#stranger);
      data = this.#bytes.subarray(start, end);
    } else if (this.#dataStart >= 0) data = this.#bytes.subarray(this.#dataStart, this.#dataEnd);
    const problem = this.#admit(this.#fields.topic ?? this.#rules.topic);
    if (problem !== undefined) return problem;
    this.#messages.push({ fields: this.#fields, submittedMs: this.#submittedMs, data, dataIsJson: true });
    return undefined;
  }

  #admit(topic: string | undefined): Problem | undefined {
    if (topic !== undefined && topic === this.#admitted) return undefined;
    this.#admitted = topic;
    const problem = this.#rules.admit(topic);
    return problem && { ...problem, line: this.#line };
  }

  #member(): Problem | undefined {
    const scanner = this.#scanner;
    if (scanner.peek() !== byte.quote) return this.#unexpected();
    const start = scanner.at + 1;
    if (!scanner.string()) return this.#fault();
    const end = scanner.at - 1;
    const member = scanner.escaped || scanner.wide ? memberOf(this.#textAt(start, end)) : this.#memberAt(start, end);
    if (member === undefined) this.#stranger ??= this.#textAt(start, end);
    if (!scanner.pass(byte.colon)) return this.#unexpected();
    if (member === undefined) return scanner.value() ? undefined : this.#fault();
    return this.#known(member);
  }

  #known({ name, field, bit }: Member): Problem | undefined {
    if (field === "reserved") return badMessage(name, `Member "${name}" ${reservedNames.get(name)}`, this.#line);
    if ((this.#seen & bit) !== 0) return badMessage(name, `Member "${name}" comes twice`, this.#line);
    this.#seen |= bit;
    if (field !== "data") return this.#field(name, field);
    const scanner = this.#scanner;
    scanner.peek();
    this.#dataStart = scanner.at;
    if (!scanner.value()) return this.#fault();
    this.#dataEnd = scanner.at;
    return undefined;
  }

  #field(name: string, field: keyof Fields): Problem | undefined {
    const scanner = this.#scanner;
    const kind = kindOf(scanner.peek());
    const start = scanner.at;
    if (!(kind === "text" ? scanner.string() : scanner.value())) return this.#fault();
    const end = scanner.at;
    if (kind === "null") return undefined;
    if (field === "cookies") return this.#cookies(kind, start, end);
    if (kind === "text") return this.#put(name, field, this.#textAt(start + 1, end - 1));
    if (kind === "number") return this.#put(name, field, this.#text.slice(start, end));
    return badMessage(name, `Member "${name}" must be a string or a number`, this.#line);
  }

  #put(name: string, field: keyof Fields, value: string): Problem | undefined {
    if (value === "" && field !== "topic") return undefined;
    if (value.length > fieldLengthMax || field === "id" || (field === "topic" && value !== this.#topic)) {
      const problem = problemOf({ [field]: value }, this.#line);
      if (problem !== undefined) return problem;
    }
    if (this.#scanner.escaped && !value.isWellFormed()) {
      return badMessage(name, `Member "${name}" holds half a surrogate pair`, this.#line);
    }
    if (field === "topic") this.#topic = value;
    else if (field === "submittedTimestamp") this.#submittedMs = submittedMs(value);
    this.#fields[field] = field === "level" ? normaliseLevel(value) : value;
    return undefined;
  }

  #cookies(kind: Kind, start: number, end: number): Problem | undefined {
    const text = utf8.decode(this.#bytes.subarray(start, end));
    const problem = problemOf({ cookies: text }, this.#line);
    if (problem !== undefined) return problem;
    if (kind !== "object" || !isCookies(text)) {
      return badMessage("cookies", 'Member "cookies" must be an object of strings', this.#line);
    }
    this.#fields.cookies = text;
    return undefined;
  }

  /** What the inside of a string says; to be asked right after the scanner read it. */
  #textAt(start: number, end: number): string {
    const { escaped, wide } = this.#scanner;
    const inside = wide ? utf8.decode(this.#bytes.subarray(start, end)) : this.#text.slice(start, end);
    return escaped ? JSON.parse(`"${inside}"`) : inside;
  }

  #memberAt(start: number, end: number): Member | undefined {
    const candidates = members[end - start];
    if (candidates === undefined) return undefined;
    for (let i = 0; i < candidates.length; i++) {
      if (this.#isAt(start, candidates[i]!.name)) return candidates[i];
    }
    return undefined;
  }

  /** A loop, because `startsWith` costs a call out of the engine. */
  #isAt(start: number, name: string): boolean {
    const bytes = this.#bytes;
    for (let i = 0; i < name.length; i++) if (bytes[start + i] !== name.charCodeAt(i)) return false;
    return true;
  }

  #strange(name: string): Problem {
    const detail = `Member ${quoted(name)} is no field of a message: put it in "data"`;
    return badMessage(shownName(name), detail, this.#line);
  }
  #unexpected(): Problem {
    this.#scanner.unexpected();
    return this.#fault();
  }
  #broken(what: string): Problem {
    this.#scanner.fail(what);
    return this.#fault();
  }
  #fault(): Problem {
    const { fault, faultAt } = this.#scanner;
    return badMessage(undefined, `The message breaks at byte ${faultAt - this.#lineStart + 1}: ${fault}`, this.#line);
  }
}

function memberOf(name: string): Member | undefined {
  return members[name.length]?.find((member) => member.name === name);
}

type Kind = "text" | "number" | "null" | "object" | "other";

function kindOf(next: number): Kind {
  if (next === byte.quote) return "text";
  if (next === 0x6e) return "null";
  if (next === byte.open) return "object";
  return next === 0x2d || (next >= 0x30 && next <= 0x39) ? "number" : "other";
}
