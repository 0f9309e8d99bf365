/** Where a message's line goes: pure text, from the template and the message. Values that senders chose cannot leave their place. */
import { createHash } from "node:crypto";
import type { Heading } from "../../src/deliver/adaptor.ts";

export const hourMs = 3_600_000;
const fieldNames = ["topic", "env", "type", "level"] as const;
type FieldName = typeof fieldNames[number];
const templateLengthMax = 200;
const partLengthMax = 100;

/** The hour a message arrived in, counted from 1970. */
export function hourOf({ timestamp }: Heading): number {
  return Math.floor(timestamp / hourMs);
}

/** Names that were cut to fit or stand for nothing must not meet a name that is written like them: `~` and `_` are encoded. */
export function safePart(value: string): string {
  if (value === "") return "_";
  if (value === "_") return "%5F";
  let safe = "";
  for (const byte of new TextEncoder().encode(value)) {
    const letter = String.fromCharCode(byte);
    const plain = /[A-Za-z0-9._-]/.test(letter) && !(letter === "." && safe === "");
    safe += plain ? letter : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return safe;
}

/** File systems allow 255 bytes; what is longer than suits them keeps its beginning and a hash of all of it. */
function fitting(part: string): string {
  if (part.length <= partLengthMax) return part;
  const hash = createHash("sha256").update(part).digest("hex").slice(0, 16);
  return `${part.slice(0, partLengthMax - 17)}~${hash}`;
}

type Piece = { readonly literal: string } | { readonly field: FieldName | "date" | "hour" };

/** `%topic%/%date%/%hour%` and its like, understood. */
export class Template {
  readonly #parts: readonly (readonly Piece[])[];
  readonly #fields: readonly FieldName[];
  /** How many directories a file is deep. */
  readonly depth: number;

  /** Throws a `TypeError` that says what a template must be. */
  constructor(text: string) {
    if (text.length > templateLengthMax) throw new TypeError(`a template of at most ${templateLengthMax} characters`);
    this.#parts = text.split("/").map(piecesOf);
    this.depth = this.#parts.length - 1;
    const used = new Set(this.#parts.flat().map((piece) => "field" in piece ? piece.field : undefined));
    this.#fields = fieldNames.filter((name) => used.has(name));
  }

  /** Whether messages of one hour go into the same file: what `key` says, but faster. */
  alike(a: Heading, b: Heading): boolean {
    for (const name of this.#fields) if (a[name] !== b[name]) return false;
    return true;
  }
  /** The same for messages that go into the same file, and only for those. */
  key(message: Heading): string {
    let key = String(hourOf(message));
    for (const name of this.#fields) {
      const value = message[name] ?? "";
      key += ` ${value.length} ${value}`;
    }
    return key;
  }
  /** Path without the position and what follows it. */
  stem(message: Heading): string {
    const time = new Date(hourOf(message) * hourMs).toISOString();
    const values = { date: time.slice(0, 10), hour: time.slice(11, 13) };
    const textOf = (piece: Piece) => {
      if ("literal" in piece) return piece.literal;
      const { field } = piece;
      return field === "date" || field === "hour" ? values[field] : safePart(message[field] ?? "");
    };
    return this.#parts.map((pieces) => fitting(pieces.map(textOf).join(""))).join("/");
  }
  /** Fits paths that `nameOf` may have made from this template, and nothing else. */
  matcher(suffix: string): RegExp {
    const expressions = { date: "(?<date>\\d{4}-\\d\\d-\\d\\d)", hour: "(?<hour>\\d\\d)" };
    const seen = new Set<string>();
    const expressionOf = (piece: Piece) => {
      if ("literal" in piece) return RegExp.escape(piece.literal);
      const { field } = piece;
      if (field !== "date" && field !== "hour") return "[A-Za-z0-9._%~-]+";
      const again = seen.has(field);
      seen.add(field);
      return again ? `\\k<${field}>` : expressions[field];
    };
    const stem = this.#parts.map((pieces) => pieces.map(expressionOf).join("")).join("/");
    return new RegExp(`^${stem}-(?<position>\\d{20})(?:\\.\\d+)?${RegExp.escape(suffix)}$`);
  }
}

function piecesOf(part: string): Piece[] {
  if (part === "") throw new TypeError("a template whose parts between slashes are not empty, and relative");
  if (part.startsWith(".")) throw new TypeError("a template whose parts begin with no dot");
  return part.split(/(%[^%]*%)/).filter((text) => text !== "").map((text) => {
    const name = /^%(.*)%$/.exec(text)?.[1];
    const known = [...fieldNames, "date", "hour"] as const;
    const field = known.find((other) => other === name);
    if (field !== undefined) return { field };
    if (!/^[A-Za-z0-9._=-]+$/.test(text)) {
      throw new TypeError(`a template of letters, digits, . _ = - / and %${known.join("%, %")}%, not "${text}"`);
    }
    return { literal: text };
  });
}

/** A finished file's path; its first position makes it unique. */
export function nameOf(stem: string, position: number, suffix: string): string {
  return `${stem}-${String(position).padStart(20, "0")}${suffix}`;
}

/** What a file is called while it is written. */
export function openName(name: string): string {
  return `${name}.open`;
}

/** The directories from `dir` down to the one that holds `name`. */
export function dirsOf(dir: string, name: string): string[] {
  const parts = name.split("/").slice(0, -1);
  return [dir, ...parts.map((_, depth) => [dir, ...parts.slice(0, depth + 1)].join("/"))];
}
