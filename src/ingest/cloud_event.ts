/**
 * CloudEvents 1.0.2 as messages: structured and in batches (JSON Event Format), and binary, where the attributes are header fields
 * and the body is the data (HTTP Protocol Binding 3.1).
 *
 * What a message has a field for becomes that field; all else goes as it came into `attributes`, so that nothing of an event is lost.
 */
import { fieldLengthMax, type Fields, refusalOf, submittedMs } from "../message/message.ts";
import { identityText } from "../message/identity.ts";
import { type EntryWriter, tagOf } from "../message/wire.ts";
import { problemOf } from "./fields.ts";
import type { HeaderField, HttpRequest } from "./http.ts";
import { JsonBody, withoutMark } from "./json_body.ts";
import { badMessage, type Problem, quoted, shownName } from "./problem.ts";
import { type Rules, tooLong } from "./rules.ts";
import { byte, Scanner } from "./scanner.ts";
import { Trace } from "./trace.ts";

/** In front of the names of attributes in a binary event. */
const prefix = "ce-";

/** The attributes of a binary event, if the request says that it is one. */
export function attributesOf(request: HttpRequest): HeaderField[] | undefined {
  return marks.some((name) => request.header(name) !== null) ? request.headersFrom(prefix) : undefined;
}

export function parseEvents(body: Uint8Array, form: "event" | "batch", given: Rules, into: EntryWriter) {
  const rules = form === "batch" ? given : { ...given, badRows: undefined };
  const events = new EventBody(withoutMark(body), false, rules, into);
  if (form === "batch") {
    return events.isList ? events.list() : badMessage(undefined, "A batch of CloudEvents is a JSON array");
  }
  const problem = events.single();
  return problem === "more"
    ? badMessage(undefined, "Something follows the CloudEvent: send several as a batch")
    : problem;
}

export interface BinaryEvent {
  readonly data: Uint8Array;
  /** Content-Type. */
  readonly type: string | null;
  /** The header fields that begin with the prefix, without it. */
  readonly attributes: readonly HeaderField[];
}

export function parseBinaryEvent(
  { data, type, attributes }: BinaryEvent,
  rules: Rules,
  into: EntryWriter,
): Problem | undefined {
  if (data.length > rules.messageMax) return tooLong(rules.messageMax);
  const event = new Event();
  for (const [name, given] of attributes) {
    if (name === "datacontenttype") return badAttribute(name, "is Content-Type in a binary CloudEvent");
    const value = headerValue(given);
    if (value === undefined) return badAttribute(name, "holds a bad percent escape, or bytes that are no UTF-8");
    const problem = event.take(name, value, JSON.stringify(value));
    if (problem !== undefined) return problem;
  }
  if (type !== null && type !== "") event.take("datacontenttype", type, JSON.stringify(type));
  // Data is opaque: what is no JSON although its type says so is taken as the bytes it is. The SDK for JavaScript sends such.
  const isJson = data.length === 0 || (type !== null && jsonType.test(type) && isJsonText(data, rules.depthMax));
  into.open();
  const problem = event.put(into, rules);
  if (problem !== undefined) return problem;
  if (event.isRepeat(rules)) return void into.drop();
  into.data(data, 0, data.length, isJson);
  into.shut();
  return undefined;
}

/** A media type whose data is JSON (JSON Event Format 3.1.1). */
const jsonType = /^[^;\s]+\/([^;\s]+\+)?json\s*(;|$)/i;

function isJsonText(data: Uint8Array, depthMax: number): boolean {
  const scanner = new Scanner(data, { depthMax, lines: false, checkUtf8: true });
  return scanner.value() && scanner.peek() < 0;
}

/** HTTP Protocol Binding 3.1.3.2: out of quotation marks, then out of percent escapes. */
function headerValue(given: string): string | undefined {
  const plain = /^"(?:[^"\\]|\\.)*"$/.test(given) ? given.slice(1, -1).replace(/\\(.)/g, "$1") : given;
  try {
    // A header comes with a character a byte; what is not escaped, although it should be, is read as UTF-8.
    const bytes = Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
    return decodeURIComponent(utf8.decode(bytes));
  } catch {
    return undefined;
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Attributes that a message has a field for. Of these the first three are required, with `source` and `specversion`. */
const fieldOf: ReadonlyMap<string, keyof Fields> = new Map<string, keyof Fields>([
  ["id", "id"],
  ["type", "type"],
  ["time", "submittedTimestamp"],
  ["topic", "topic"],
  ["env", "env"],
  ["version", "version"],
  ["level", "level"],
  ["ip", "ip"],
  ["referrer", "referrer"],
  ["useragent", "userAgent"],
  ["partitionkey", "key"],
]);
const required = ["specversion", "id", "source", "type"];
const marks = required.map((name) => `${prefix}${name}`);
const fieldNames = [...fieldOf.values()];
const attributesTag = tagOf("attributes");

/** One event's attributes, until all of them are known. */
class Event {
  readonly #seen = new Map<string, string | undefined>();
  readonly #trace = new Trace();
  #fields: Fields = {};
  /** Members of a JSON object. */
  #rest = "";

  /** `value` is missing when it is no text; `json` is how it came. */
  take(name: string, value: string | undefined, json: string): Problem | undefined {
    if (!attributeName.test(name) || name === "data") {
      return badAttribute(name, "is none: their names are of lower-case letters and digits");
    }
    if (this.#seen.has(name)) return badAttribute(name, "comes twice");
    this.#seen.set(name, value);
    if (value === undefined && (required.includes(name) || name === "time" || name === "topic")) {
      return badAttribute(name, "must be a string");
    }
    if (name === "specversion" && value !== "1.0") return badAttribute(name, 'must be "1.0"');
    if (value === undefined) return this.#keep(name, json);
    if (name === "traceparent" || name === "tracestate") return void this.#trace.take(name, value);
    const field = fieldOf.get(name);
    if (field === undefined || value === "") return this.#keep(name, json);
    // Ids of events may be anything; those that ours cannot be stay what they are.
    if (name === "id" && refusalOf({ id: value }) !== undefined) return this.#keep(name, json);
    if (name === "time" && !isTime(value)) {
      return badAttribute(name, "must be a time such as 2018-04-05T17:31:00Z (RFC 3339)");
    }
    const problem = problemOf({ [field]: value });
    if (problem !== undefined) return { ...problem, field: name };
    this.#fields[field] = value;
    return undefined;
  }

  /** Puts all of them into the message that is open. */
  put(into: EntryWriter, rules: Rules): Problem | undefined {
    for (const name of required) {
      if (!this.#seen.get(name)) {
        return badAttribute(name, "is missing: a CloudEvent has specversion, id, source and type");
      }
    }
    const problem = rules.admit(this.#fields.topic ?? rules.topic) ?? problemOf({ attributes: `{${this.#rest}}` });
    if (problem !== undefined) return problem;
    for (const field of fieldNames) into.text(tagOf(field) as typeof attributesTag, this.#fields[field]);
    const { submittedTimestamp } = this.#fields;
    if (submittedTimestamp !== undefined) into.submitted(submittedMs(submittedTimestamp)!);
    if (this.#trace.isKnown) this.#trace.put(into, false);
    into.text(attributesTag, `{${this.#rest}}`);
    return undefined;
  }

  /** Once it was found good. */
  isRepeat(rules: Rules): boolean {
    const topic = this.#fields.topic ?? rules.topic!;
    return rules.ids?.isRepeat(identityText(topic, this.#seen.get("id")!, this.#seen.get("source"))) ?? false;
  }

  #keep(name: string, json: string): undefined {
    this.#rest += `${this.#rest === "" ? "" : ","}"${name}":${json}`;
  }
}

const attributeName = /^[a-z0-9]+$/;

function isTime(text: string): boolean {
  return text.length <= fieldLengthMax && text.includes("-", 1) && submittedMs(text) !== undefined;
}

function badAttribute(name: string, what: string): Problem {
  return badMessage(shownName(name), `Attribute ${quoted(name)} ${what}`);
}

/** Events as JSON. */
class EventBody extends JsonBody {
  #event = new Event();
  #data: Uint8Array | undefined;
  #dataStart = -1;
  #dataEnd = -1;

  protected override begin(): void {
    this.#event = new Event();
    this.#data = undefined;
    this.#dataStart = -1;
  }

  protected override member(): Problem | undefined {
    const scanner = this.scanner;
    const start = scanner.at + 1;
    if (!scanner.string()) return this.fault();
    const name = this.textAt(start, scanner.at - 1);
    if (!scanner.pass(byte.colon)) return this.unexpected();
    const next = scanner.peek();
    const valueStart = scanner.at;
    if (!scanner.value()) return this.fault();
    if (name === "data") return this.#takeData(valueStart);
    if (next === letterN) return undefined;
    const value = next === byte.quote ? this.textAt(valueStart + 1, scanner.at - 1) : undefined;
    if (name === "data_base64") return this.#takeBytes(value);
    if (next === byte.open || next === byte.openList) {
      return this.here(badAttribute(name, "must be no object and no list"));
    }
    if (value?.isWellFormed() === false) return this.here(badAttribute(name, "holds half a surrogate pair"));
    const json = decoder.decode(this.bytes.subarray(valueStart, scanner.at));
    return this.here(this.#event.take(name, value, json));
  }

  protected override finish(): Problem | undefined {
    const problem = this.#event.put(this.into, this.rules);
    if (problem !== undefined) return this.here(problem);
    if (this.#event.isRepeat(this.rules)) return void this.into.drop();
    if (this.#data !== undefined) this.into.data(this.#data, 0, this.#data.length, false);
    else this.into.data(this.bytes, Math.max(this.#dataStart, 0), this.#dataStart < 0 ? 0 : this.#dataEnd, true);
    this.into.shut();
    return undefined;
  }

  #takeData(start: number): Problem | undefined {
    if (this.#dataStart >= 0 || this.#data !== undefined) return this.#twoDatas();
    this.#dataStart = start;
    this.#dataEnd = this.scanner.at;
    return undefined;
  }

  #takeBytes(value: string | undefined): Problem | undefined {
    if (this.#dataStart >= 0 || this.#data !== undefined) return this.#twoDatas();
    const bytes = value === undefined ? undefined : fromBase64(value);
    if (bytes === undefined) return badMessage("data_base64", 'Member "data_base64" must be base64', this.line);
    this.#data = bytes;
    return undefined;
  }

  #twoDatas(): Problem {
    return badMessage("data", 'There is more than one "data" or "data_base64"', this.line);
  }
}

const letterN = 0x6e;
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

function fromBase64(text: string): Uint8Array | undefined {
  try {
    return (Uint8Array as unknown as { fromBase64(text: string): Uint8Array }).fromBase64(text);
  } catch {
    return undefined;
  }
}
