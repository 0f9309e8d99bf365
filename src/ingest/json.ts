/**
 * JSON bodies: one message, an array of messages, or one message a line (NDJSON). The bytes of a payload stay those of the
 * body; parsing serves to check them and to find the fields, which go into the entry as bytes too where they can.
 */
import { isAscii, isUtf8 } from "node:buffer";
import type { EntryWriter } from "../message/wire.ts";
import { FieldTaker, isCookies, type KnownName, KnownNames, reservedNames, traceBits } from "./fields.ts";
import { badMessage, type Problem, quoted, shownName } from "./problem.ts";
import { type Rules, tooLong, tooMany } from "./rules.ts";
import { byte, Scanner } from "./scanner.ts";

/** "lines": one object a line. "any": what the body looks like. */
export type JsonForm = "lines" | "any";

/** Puts the messages of a body into the entry, in order, or says what is wrong with the first bad one. */
export function parseJson(body: Uint8Array, form: JsonForm, rules: Rules, into: EntryWriter): Problem | undefined {
  const bytes = withoutMark(body);
  if (form === "lines") return new JsonBody(bytes, true, rules, into).lines();
  const whole = new JsonBody(bytes, false, rules, into);
  if (whole.isList) return whole.list();
  const single = whole.single();
  if (single !== "more") return single;
  into.rewind();
  return new JsonBody(bytes, true, rules, into).lines();
}

/** RFC 8259 lets a reader ignore a byte order mark. */
function withoutMark(body: Uint8Array): Uint8Array {
  return body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf ? body.subarray(3) : body;
}

/** `data` is the only member besides the fields. */
const members = new KnownNames(["data"]);

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
const emptyObject = new TextEncoder().encode("{}");

class JsonBody {
  readonly #bytes: Uint8Array;
  readonly #rules: Rules;
  readonly #scanner: Scanner;
  readonly #into: EntryWriter;
  /** Of the message being read, counted from 1; and where that line begins. */
  #line = 1;
  #lineStart = 0;
  #seen = 0;
  #dataStart = -1;
  #dataEnd = -1;
  #stranger: string | undefined;
  readonly #fields = new FieldTaker();
  /** The last topic admitted: a batch mostly has one. */
  #admitted: string | undefined;

  constructor(bytes: Uint8Array, lines: boolean, rules: Rules, into: EntryWriter) {
    this.#bytes = bytes;
    this.#rules = rules;
    this.#into = into;
    const checkUtf8 = !isAscii(bytes) && !isUtf8(bytes);
    this.#scanner = new Scanner(bytes, { depthMax: rules.depthMax, lines, checkUtf8 });
  }

  get isList(): boolean {
    return this.#scanner.peek() === byte.openList;
  }

  /** One message and nothing behind it; "more" when something is, so it may be lines. */
  single(): Problem | "more" | undefined {
    const problem = this.#message();
    if (problem !== undefined) return { ...problem, line: undefined };
    return this.#scanner.peek() < 0 ? undefined : "more";
  }

  list(): Problem | undefined {
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
    return scanner.peek() < 0 ? undefined : this.#unexpected();
  }

  lines(): Problem | undefined {
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
    return undefined;
  }

  #message(): Problem | undefined {
    const scanner = this.#scanner;
    if (scanner.peek() !== byte.open) return this.#broken("no JSON object");
    if (this.#into.count >= this.#rules.messagesMax) return tooMany(this.#rules.messagesMax, this.#line);
    this.#begin();
    const start = scanner.at;
    this.#into.open();
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
    this.#seen = 0;
    this.#dataStart = -1;
    this.#stranger = undefined;
    this.#fields.topic = undefined;
    this.#fields.trace.forget();
  }

  #finish(start: number): Problem | undefined {
    const end = this.#scanner.at;
    if (end - start > this.#rules.messageMax) return tooLong(this.#rules.messageMax, this.#line);
    // A trace says nothing of whether the object is a message or its data: logs of all kinds have one.
    if (this.#stranger !== undefined && (this.#seen & ~traceBits) !== 0) return this.#strange(this.#stranger);
    const problem = this.#admit(this.#fields.topic ?? this.#rules.topic);
    if (problem !== undefined) return problem;
    const into = this.#into;
    if (this.#stranger !== undefined) into.data(this.#bytes, start, end, true);
    else if (this.#dataStart >= 0) into.data(this.#bytes, this.#dataStart, this.#dataEnd, true);
    else into.data(emptyObject, 0, emptyObject.length, true);
    if (this.#fields.trace.isKnown) this.#fields.trace.put(into, false);
    into.shut();
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
    const member = scanner.escaped ? members.of(this.#textAt(start, end)) : members.at(this.#bytes, start, end);
    if (member === undefined) this.#stranger ??= this.#textAt(start, end);
    if (!scanner.pass(byte.colon)) return this.#unexpected();
    if (member === undefined) return scanner.value() ? undefined : this.#fault();
    return this.#known(member);
  }

  #known(member: KnownName): Problem | undefined {
    const { name, kind, bit } = member;
    if (kind === "reserved") return badMessage(name, `Member "${name}" ${reservedNames.get(name)}`, this.#line);
    if ((this.#seen & bit) !== 0) return badMessage(name, `Member "${name}" comes twice`, this.#line);
    this.#seen |= bit;
    if (kind === "own") return this.#data();
    return member.field === "cookies" ? this.#cookies(member) : this.#field(member);
  }

  #data(): Problem | undefined {
    const scanner = this.#scanner;
    scanner.peek();
    this.#dataStart = scanner.at;
    if (!scanner.value()) return this.#fault();
    this.#dataEnd = scanner.at;
    return undefined;
  }

  #field(member: KnownName): Problem | undefined {
    const scanner = this.#scanner;
    const next = scanner.peek();
    const start = scanner.at;
    if (next === byte.quote) {
      if (!scanner.string()) return this.#fault();
      return scanner.escaped ? this.#takeText(member, start + 1) : this.#take(member, start + 1, scanner.at - 1);
    }
    if (!scanner.value()) return this.#fault();
    if (next === letterN || member.kind === "trace") return undefined;
    if (beginsNumber(next)) return this.#take(member, start, scanner.at);
    return badMessage(member.name, `Member "${member.name}" must be a string or a number`, this.#line);
  }

  #take(member: KnownName, start: number, end: number): Problem | undefined {
    return this.#here(this.#fields.takeBytes(this.#into, member, this.#bytes, start, end));
  }

  /** Of a string with escapes. */
  #takeText(member: KnownName, start: number): Problem | undefined {
    const value = this.#textAt(start, this.#scanner.at - 1);
    if (member.kind === "trace" || value.isWellFormed()) {
      return this.#here(this.#fields.takeText(this.#into, member, value));
    }
    return badMessage(member.name, `Member "${member.name}" holds half a surrogate pair`, this.#line);
  }

  #here(problem: Problem | undefined): Problem | undefined {
    return problem && { ...problem, line: this.#line };
  }

  #cookies(member: KnownName): Problem | undefined {
    const scanner = this.#scanner;
    const next = scanner.peek();
    const start = scanner.at;
    if (!scanner.value()) return this.#fault();
    if (next === letterN) return undefined;
    const text = utf8.decode(this.#bytes.subarray(start, scanner.at));
    if (next !== byte.open || !isCookies(text)) {
      return badMessage("cookies", 'Member "cookies" must be an object of strings', this.#line);
    }
    return this.#here(this.#fields.takeText(this.#into, member, text));
  }

  /** What the inside of a string says; to be asked right after the scanner read it. */
  #textAt(start: number, end: number): string {
    const inside = utf8.decode(this.#bytes.subarray(start, end));
    return this.#scanner.escaped ? JSON.parse(`"${inside}"`) : inside;
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

const letterN = 0x6e;

function beginsNumber(next: number): boolean {
  return next === 0x2d || (next >= 0x30 && next <= 0x39);
}
