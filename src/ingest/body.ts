/** A body becomes messages: what Content-Type and Content-Encoding say it is. */
import type { EntryWriter } from "../message/wire.ts";
import { parseBinaryEvent, parseEvents } from "./cloud_event.ts";
import { tooLarge, unpacked } from "./encoding.ts";
import type { HeaderField } from "./http.ts";
import { parseJson } from "./json.ts";
import { isProblem, type Problem, quoted } from "./problem.ts";
import { type Rules, tooLong, tooMany } from "./rules.ts";

/** What came, and what its sender says of it. */
export interface Body {
  readonly bytes: Uint8Array;
  /** Content-Type. */
  readonly type: string | null;
  /** Content-Encoding. */
  readonly encoding: string | null;
  /** Whether a page sent it. */
  fromPage?(): boolean;
  /** Those of the CloudEvent whose data this is, if it is one. */
  attributes?(): readonly HeaderField[] | undefined;
}
export interface BodyRules extends Rules {
  /** Bytes of a body, packed or not. */
  readonly bodyMax: number;
}

type Kind = "json" | "lines" | "text" | "bytes" | "event" | "batch";

const kinds = new Map<string, Kind>([
  ["application/json", "json"],
  ["text/json", "json"],
  ["application/x-ndjson", "lines"],
  ["application/ndjson", "lines"],
  ["application/jsonl", "lines"],
  ["application/x-jsonlines", "lines"],
  ["text/plain", "text"],
  ["application/octet-stream", "bytes"],
  ["application/cloudevents+json", "event"],
  ["application/cloudevents-batch+json", "batch"],
]);
/** What `curl -d` says of any body. */
const form = "application/x-www-form-urlencoded";
const charsets = ["utf-8", "utf8", "us-ascii"];

const empty: Problem = { code: "bad-message", detail: "The body holds no message" };

/** Puts the messages of a body, at least one, into the entry, or says what is wrong with the first bad one. */
export function parseBody(body: Body, rules: BodyRules, into: EntryWriter): Problem | undefined {
  const stated = statedKind(body.type);
  const attributes = stated === "event" || stated === "batch" ? undefined : body.attributes?.();
  if (attributes !== undefined) return parseBinary(body, attributes, rules, into);
  if (typeof stated === "object") return stated;
  if (body.bytes.length > rules.bodyMax) return tooLarge(rules.bodyMax);
  const bytes = unpacked(body.bytes, body.encoding, rules.bodyMax);
  if (isProblem(bytes)) return bytes;
  const kind = kindOf(stated, bytes, body);
  if (kind === undefined && bytes.length === 0) return empty;
  if (kind === undefined) return unsupported("A body that is neither JSON nor has a Content-Type to say what it is");
  const problem = parseKind(kind, bytes, rules, into);
  if (problem !== undefined) return withHint(problem, body.type);
  return into.count > 0 || (rules.ids?.repeated ?? 0) > 0 ? undefined : empty;
}

function parseBinary(
  { bytes, encoding, type }: Body,
  attributes: readonly HeaderField[],
  rules: BodyRules,
  into: EntryWriter,
): Problem | undefined {
  const data = bytes.length > rules.bodyMax ? tooLarge(rules.bodyMax) : unpacked(bytes, encoding, rules.bodyMax);
  return isProblem(data) ? data : parseBinaryEvent({ data, type, attributes }, rules, into);
}

/** `sendBeacon` and `fetch` call every string text/plain, and a page may say nothing else without asking first. */
function kindOf(stated: Kind | undefined, bytes: Uint8Array, body: Body): Kind | undefined {
  if (stated === undefined) return looksLikeJson(bytes) ? "json" : undefined;
  return stated === "text" && looksLikeJson(bytes) && body.fromPage?.() ? "json" : stated;
}

function parseKind(kind: Kind, bytes: Uint8Array, rules: Rules, into: EntryWriter): Problem | undefined {
  if (kind === "text") return parseText(bytes, rules, into);
  if (kind === "bytes") return put(into, bytes, 0, bytes.length, rules);
  if (kind === "event" || kind === "batch") return parseEvents(bytes, kind, rules, into);
  return parseJson(bytes, kind === "lines" ? "lines" : "any", rules, into);
}

/** What the type says; `undefined` when it says nothing that helps. */
function statedKind(type: string | null): Kind | Problem | undefined {
  if (type === null || type.trim() === "") return undefined;
  const [name, ...parameters] = type.split(";").map((part) => part.trim().toLowerCase());
  if (name === form) return undefined;
  const kind = kinds.get(name!);
  if (kind === undefined) return unsupported(`Content-Type ${quoted(name!)}`);
  for (const parameter of kind === "bytes" ? [] : parameters) {
    const [key, value = ""] = parameter.split("=").map((part) => part.trim());
    const charset = value.replaceAll('"', "");
    if (key === "charset" && !charsets.includes(charset)) {
      return { code: "unsupported-type", detail: `Charset ${quoted(charset)} is not supported: send UTF-8` };
    }
  }
  return kind;
}

function looksLikeJson(bytes: Uint8Array): boolean {
  let at = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  while (at < bytes.length && bytes[at]! <= 0x20) at++;
  return bytes[at] === 0x7b || bytes[at] === 0x5b;
}

function unsupported(what: string): Problem {
  const types =
    "application/json, application/x-ndjson, application/cloudevents+json, text/plain or application/octet-stream";
  return { code: "unsupported-type", detail: `${what} is not supported: send ${types}` };
}

/** `curl -d @file` drops line ends, which then looks as if a message followed another on its line. */
function withHint(problem: Problem, type: string | null): Problem {
  if (!type?.toLowerCase().startsWith(form) || !problem.detail.includes("more than one message")) return problem;
  return { ...problem, detail: `${problem.detail}; with curl, send lines by --data-binary` };
}

const newline = 0x0a;
const carriageReturn = 0x0d;

/** One message a line; a carriage return before the line end belongs to it. */
function parseText(bytes: Uint8Array, rules: Rules, into: EntryWriter): Problem | undefined {
  for (let start = 0, line = 1; start < bytes.length; line++) {
    const found = bytes.indexOf(newline, start);
    const next = found < 0 ? bytes.length : found;
    const end = next > start && found >= 0 && bytes[next - 1] === carriageReturn ? next - 1 : next;
    if (end > start) {
      const problem = put(into, bytes, start, end, rules);
      const bad = problem && { ...problem, line };
      const left = bad && rules.badRows ? rules.badRows.put(into, bytes.subarray(start, end), bad) : bad;
      if (left !== undefined) return left;
    }
    start = next + 1;
  }
  return undefined;
}

function put(into: EntryWriter, bytes: Uint8Array, start: number, end: number, rules: Rules): Problem | undefined {
  if (into.count >= rules.messagesMax) return tooMany(rules.messagesMax);
  if (end - start > rules.messageMax) return tooLong(rules.messageMax);
  const problem = rules.admit(rules.topic);
  if (problem !== undefined) return problem;
  into.open();
  into.data(bytes, start, end, false);
  into.shut();
  return undefined;
}
