/**
 * JSON bodies: one message, an array of messages, or one message a line (NDJSON). The bytes of a payload stay those of the
 * body; parsing serves to check them and to find the fields, which go into the entry as bytes too where they can.
 *
 * A message is flat, as in V1, or has its fields in a header: `{"header":{…},"data":…}`. That is V2, and what the server of 2014
 * wrote: `{"header":{…},"data":{"type":…,"data":…,"serializeType":…},"traces":…,"instructions":…}`.
 */
import { identityText } from "../message/identity.ts";
import type { EntryWriter } from "../message/wire.ts";
import { FieldTaker, isCookies, type KnownName, KnownNames, reservedNames, traceBits } from "./fields.ts";
import { JsonBody, withoutMark } from "./json_body.ts";
import { PlainLines, type PlainRun } from "./plain_lines.ts";
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

/** `data` is the only member besides the fields, and the others make an envelope of it. */
const members = new KnownNames(["data", "header", "traces", "instructions"]);
/** Its own members say something to other servers: to us (what we write ourselves), and to that of 2014 (its switches). */
const headerMembers = new KnownNames(["submitted_off", "notifyError", "traceEnable", "instructionEnable"], ["schema"]);
const plainLines = new PlainLines(members);
const submitted = headerMembers.of("submitted_timestamp")!;
const dataBit = members.of("data")!.bit;
const serverBits = members.of("traces")!.bit | members.of("instructions")!.bit;
const envelopeBits = members.of("header")!.bit | serverBits;

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
const emptyObject = new TextEncoder().encode("{}");

class MessageBody extends JsonBody {
  #seen = 0;
  #dataStart = -1;
  #dataEnd = -1;
  #stranger: string | undefined;
  /** Where the header begins, if there is one; and what looks like an envelope, of which nobody knows yet whether it is one. */
  #headerStart = -1;
  #parts = 0;
  #firstPart: string | undefined;
  #takenStart = -1;
  readonly #fields = new FieldTaker();
  /** The last topic admitted: a batch mostly has one. */
  #admitted: string | undefined;
  #isPlain: boolean | undefined;

  protected override plain(start: number): PlainRun | undefined {
    this.#isPlain ??= plainLines.begin(this.bytes, this.rules, this.into, this.isUtf8);
    return this.#isPlain ? plainLines.take(start) : undefined;
  }

  protected override begin(): void {
    this.#seen = 0;
    this.#dataStart = -1;
    this.#stranger = undefined;
    this.#headerStart = -1;
    this.#parts = 0;
    this.#firstPart = undefined;
    this.#fields.topic = this.#fields.id = undefined;
    this.#fields.trace.forget();
  }

  protected override finish(start: number, end: number): Problem | undefined {
    if (this.#parts !== 0) {
      const problem = this.#envelope();
      if (problem !== undefined) return problem;
    }
    // A trace says nothing of whether the object is a message or its data: logs of all kinds have one.
    if (this.#stranger !== undefined && (this.#seen & ~traceBits) !== 0) return this.#strange(this.#stranger);
    const topic = this.#fields.topic ?? this.rules.topic;
    const problem = this.#admit(topic);
    if (problem !== undefined) return problem;
    const { into } = this;
    const { id } = this.#fields;
    if (id !== undefined && this.rules.ids?.isRepeat(identityText(topic!, id))) {
      into.drop();
      return undefined;
    }
    if (this.#stranger !== undefined) into.data(this.bytes, start, end, true);
    else if (this.#dataStart >= 0) into.data(this.bytes, this.#dataStart, this.#dataEnd, true);
    else into.data(emptyObject, 0, emptyObject.length, true);
    if (this.#fields.trace.isKnown) this.#fields.trace.put(into, false);
    into.shut();
    return undefined;
  }

  #admit(topic: string | undefined): Problem | undefined {
    if (topic !== undefined && topic === this.#admitted) return undefined;
    const problem = this.rules.admit(topic);
    this.#admitted = problem === undefined ? topic : undefined;
    return this.here(problem);
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
    if ((bit & envelopeBits) !== 0) return this.#part(member);
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

  /** Only the end of the message tells what it is: without `data`, an object with a `header` is data itself. */
  #part({ name, bit }: KnownName): Problem | undefined {
    if ((this.#parts & bit) !== 0) return badMessage(name, `Member "${name}" comes twice`, this.line);
    this.#parts |= bit;
    this.#firstPart ??= name;
    const isObject = this.scanner.peek() === byte.open;
    if (name === "header" && isObject) this.#headerStart = this.scanner.at;
    return this.scanner.value() ? undefined : this.fault();
  }

  #envelope(): Problem | undefined {
    if (this.#headerStart < 0 || this.#dataStart < 0) {
      this.#stranger ??= this.#firstPart;
      return undefined;
    }
    if (this.#stranger !== undefined) return this.#beside(this.#stranger);
    if ((this.#seen & ~dataBit & ~traceBits) !== 0) return this.#beside("header");
    const end = this.scanner.at;
    this.#seen = 0;
    const problem = this.#header() ?? ((this.#parts & serverBits) === 0 ? undefined : this.#typeOfData());
    this.scanner.at = end;
    return problem;
  }

  #beside(name: string): Problem {
    const detail = 'Beside "header" and "data" there may be no fields and nothing unknown: put fields into the header';
    return badMessage(shownName(name), detail, this.line);
  }

  /** It was read once: what is left is to take its fields. */
  #header(): Problem | undefined {
    const scanner = this.scanner;
    scanner.at = this.#headerStart + 1;
    if (scanner.pass(byte.close)) return undefined;
    this.#takenStart = -1;
    do {
      scanner.peek();
      const problem = this.#headerMember();
      if (problem !== undefined) return inHeader(problem);
    } while (scanner.pass(byte.comma));
    if (this.#takenStart < 0 || (this.#seen & submitted.bit) !== 0) return undefined;
    scanner.at = this.#takenStart;
    const problem = this.#field(submitted);
    return problem && inHeader(problem);
  }

  #headerMember(): Problem | undefined {
    const scanner = this.scanner;
    const start = scanner.at + 1;
    scanner.string();
    const name = this.textAt(start, scanner.at - 1);
    const member = headerMembers.of(name);
    scanner.pass(byte.colon);
    if (member === undefined) return badMessage(shownName(name), `Member ${quoted(name)} is no field`, this.line);
    if (member.kind !== "own" && member.kind !== "reserved") return this.#known(member);
    // When somebody else took the message is to us when it was submitted, unless it says so better.
    if (name === "timestamp") this.#takenStart = scanner.at;
    scanner.value();
    return undefined;
  }

  /** The server of 2014 said there what kind of message it is. */
  #typeOfData(): Problem | undefined {
    const scanner = this.scanner;
    const type = headerMembers.of("type")!;
    if ((this.#seen & type.bit) !== 0 || this.bytes[this.#dataStart] !== byte.open) return undefined;
    scanner.at = this.#dataStart + 1;
    if (scanner.pass(byte.close)) return undefined;
    do {
      scanner.peek();
      const start = scanner.at + 1;
      scanner.string();
      const name = this.textAt(start, scanner.at - 1);
      scanner.pass(byte.colon);
      if (name === "type" && scanner.peek() === byte.quote) return this.#field(type);
      scanner.value();
    } while (scanner.pass(byte.comma));
    return undefined;
  }

  #strange(name: string): Problem {
    const detail = `Member ${quoted(name)} is no field of a message: put it in "data"`;
    return badMessage(shownName(name), detail, this.line);
  }
}

function inHeader(problem: Problem): Problem {
  return { ...problem, field: problem.field && `header.${problem.field}` };
}

const letterN = 0x6e;

function beginsNumber(next: number): boolean {
  return next === 0x2d || (next >= 0x30 && next <= 0x39);
}
