/**
 * JSON bodies: one message, an array of messages, or one message a line (NDJSON). The bytes of a payload stay those of the
 * body; parsing serves to check them and to find the fields, which go into the entry as bytes too where they can.
 */
import type { EntryWriter } from "../message/wire.ts";
import { FieldTaker, isCookies, type KnownName, KnownNames, reservedNames, traceBits } from "./fields.ts";
import { JsonBody, withoutMark } from "./json_body.ts";
import { badMessage, type Problem, quoted, shownName } from "./problem.ts";
import type { Rules } from "./rules.ts";
import { byte } from "./scanner.ts";

/** "lines": one object a line. "any": what the body looks like. */
export type JsonForm = "lines" | "any";

/** Puts the messages of a body into the entry, in order, or says what is wrong with the first bad one. */
export function parseJson(body: Uint8Array, form: JsonForm, rules: Rules, into: EntryWriter): Problem | undefined {
  const bytes = withoutMark(body);
  if (form === "lines") return new MessageBody(bytes, true, rules, into).lines();
  const whole = new MessageBody(bytes, false, rules, into);
  if (whole.isList) return whole.list();
  const single = whole.single();
  if (single !== "more") return single;
  into.rewind();
  return new MessageBody(bytes, true, rules, into).lines();
}

/** `data` is the only member besides the fields. */
const members = new KnownNames(["data"]);

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
const emptyObject = new TextEncoder().encode("{}");

class MessageBody extends JsonBody {
  #seen = 0;
  #dataStart = -1;
  #dataEnd = -1;
  #stranger: string | undefined;
  readonly #fields = new FieldTaker();
  /** The last topic admitted: a batch mostly has one. */
  #admitted: string | undefined;

  protected override begin(): void {
    this.#seen = 0;
    this.#dataStart = -1;
    this.#stranger = undefined;
    this.#fields.topic = undefined;
    this.#fields.trace.forget();
  }

  protected override finish(start: number, end: number): Problem | undefined {
    // A trace says nothing of whether the object is a message or its data: logs of all kinds have one.
    if (this.#stranger !== undefined && (this.#seen & ~traceBits) !== 0) return this.#strange(this.#stranger);
    const problem = this.#admit(this.#fields.topic ?? this.rules.topic);
    if (problem !== undefined) return problem;
    const into = this.into;
    if (this.#stranger !== undefined) into.data(this.bytes, start, end, true);
    else if (this.#dataStart >= 0) into.data(this.bytes, this.#dataStart, this.#dataEnd, true);
    else into.data(emptyObject, 0, emptyObject.length, true);
    if (this.#fields.trace.isKnown) this.#fields.trace.put(into, false);
    into.shut();
    return undefined;
  }

  #admit(topic: string | undefined): Problem | undefined {
    if (topic !== undefined && topic === this.#admitted) return undefined;
    this.#admitted = topic;
    const problem = this.rules.admit(topic);
    return problem && { ...problem, line: this.line };
  }

  protected override member(): Problem | undefined {
    const scanner = this.scanner;
    const start = scanner.at + 1;
    if (!scanner.string()) return this.fault();
    const end = scanner.at - 1;
    const member = scanner.escaped ? members.of(this.textAt(start, end)) : members.at(this.bytes, start, end);
    if (member === undefined) this.#stranger ??= this.textAt(start, end);
    if (!scanner.pass(byte.colon)) return this.unexpected();
    if (member === undefined) return scanner.value() ? undefined : this.fault();
    return this.#known(member);
  }

  #known(member: KnownName): Problem | undefined {
    const { name, kind, bit } = member;
    if (kind === "reserved") return badMessage(name, `Member "${name}" ${reservedNames.get(name)}`, this.line);
    if ((this.#seen & bit) !== 0) return badMessage(name, `Member "${name}" comes twice`, this.line);
    this.#seen |= bit;
    if (kind === "own") return this.#data();
    return member.field === "cookies" ? this.#cookies(member) : this.#field(member);
  }

  #data(): Problem | undefined {
    const scanner = this.scanner;
    scanner.peek();
    this.#dataStart = scanner.at;
    if (!scanner.value()) return this.fault();
    this.#dataEnd = scanner.at;
    return undefined;
  }

  #field(member: KnownName): Problem | undefined {
    const scanner = this.scanner;
    const next = scanner.peek();
    const start = scanner.at;
    if (next === byte.quote) {
      if (!scanner.string()) return this.fault();
      return scanner.escaped ? this.#takeText(member, start + 1) : this.#take(member, start + 1, scanner.at - 1);
    }
    if (!scanner.value()) return this.fault();
    if (next === letterN || member.kind === "trace") return undefined;
    if (beginsNumber(next)) return this.#take(member, start, scanner.at);
    return badMessage(member.name, `Member "${member.name}" must be a string or a number`, this.line);
  }

  #take(member: KnownName, start: number, end: number): Problem | undefined {
    return this.here(this.#fields.takeBytes(this.into, member, this.bytes, start, end));
  }

  /** Of a string with escapes. */
  #takeText(member: KnownName, start: number): Problem | undefined {
    const value = this.textAt(start, this.scanner.at - 1);
    if (member.kind === "trace" || value.isWellFormed()) {
      return this.here(this.#fields.takeText(this.into, member, value));
    }
    return badMessage(member.name, `Member "${member.name}" holds half a surrogate pair`, this.line);
  }

  #cookies(member: KnownName): Problem | undefined {
    const scanner = this.scanner;
    const next = scanner.peek();
    const start = scanner.at;
    if (!scanner.value()) return this.fault();
    if (next === letterN) return undefined;
    const text = utf8.decode(this.bytes.subarray(start, scanner.at));
    if (next !== byte.open || !isCookies(text)) {
      return badMessage("cookies", 'Member "cookies" must be an object of strings', this.line);
    }
    return this.here(this.#fields.takeText(this.into, member, text));
  }

  #strange(name: string): Problem {
    const detail = `Member ${quoted(name)} is no field of a message: put it in "data"`;
    return badMessage(shownName(name), detail, this.line);
  }
}

const letterN = 0x6e;

function beginsNumber(next: number): boolean {
  return next === 0x2d || (next >= 0x30 && next <= 0x39);
}
