/**
 * The words in which keys are declared: of the configuration (`keys.ts`) and of every adaptor. From one declaration come
 * the parser, the default, the help line, the manual and the TypeScript type.
 */

/** How one key is written, read and explained. */
export interface Option<T> {
  /** What a user writes: shown in help and errors, e.g. "size". */
  readonly kind: string;
  readonly help: string;
  /** As a user would write it; `undefined` where there is none. */
  readonly fallback: string | number | boolean | readonly string[] | undefined;
  /** Without it the configuration is refused. */
  readonly needed: boolean;
  /** Never printed. */
  readonly secret: boolean;
  /** URLs of which only scheme, host and port are printed: what stands behind them may be a token. */
  readonly secretPath: boolean;
  /** The same as JSON Schema, for editors. */
  readonly schema: Schema;
  /** From what TOML, the environment or a flag gave (the latter two give text). Throws a `TypeError` saying what was expected. */
  read(value: unknown): T;
}
/** A part of a JSON Schema. */
export type Schema = Readonly<Record<string, unknown>>;
export type Fields = Readonly<Record<string, Option<any>>>;
export type Options<F extends Fields> = { readonly [K in keyof F]: F[K] extends Option<infer T> ? T : never };

const anyText: Schema = { type: "string" };
const sizePattern = String.raw`^(\d+(?:\.\d+)?)\s*([KMGTkmgt]?)(?:[Ii]?[Bb])?$`;
const durationPattern = String.raw`^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$`;

/** The values of `fields` when nothing was written. */
export function defaults<F extends Fields>(fields: F): Options<F> {
  return Object.fromEntries(
    Object.entries(fields).map(([key, option]) => [
      key,
      option.fallback === undefined ? undefined : option.read(option.fallback),
    ]),
  ) as Options<F>;
}

export function text(help: string): Option<string>;
export function text(help: string, fallback: string): Option<string>;
export function text(help: string, fallback?: string): Option<string> {
  return option("text", help, fallback, anyText, readText);
}

/** What a text must look like: `expected` ends the sentence "expected …". */
export interface Shape {
  readonly kind: string;
  readonly expected: string;
  fits(value: string): boolean;
}

/** A text of a certain shape. A whole number may stand without quotes where the shape allows one. */
export function shaped(help: string, shape: Shape, fallback?: string): Option<string> {
  return option(shape.kind, help, fallback, { type: ["string", "integer"] }, (value) => {
    const written = Number.isSafeInteger(value) ? String(value) : value;
    if (typeof written === "string" && shape.fits(written)) return written;
    throw new TypeError(shape.expected);
  });
}

export function whole(help: string, fallback?: number, least = 0, most = Number.MAX_SAFE_INTEGER): Option<number> {
  const schema = orReference({ type: "integer", minimum: least, maximum: most });
  return option("whole number", help, fallback, schema, (value) => {
    const number = typeof value === "string" && /^-?\d+$/.test(value) ? Number(value) : value;
    if (typeof number !== "number" || !Number.isSafeInteger(number)) throw new TypeError("a whole number");
    if (number < least || number > most) throw new TypeError(`a whole number from ${least} to ${most}`);
    return number;
  });
}

/** Of a whole: 0.1 is a tenth. More than nothing. */
export function share(help: string, fallback?: number): Option<number> {
  const schema = orReference({ type: "number", exclusiveMinimum: 0, maximum: 1 });
  return option("share", help, fallback, schema, (value) => {
    const number = typeof value === "string" && /^\d*\.?\d+$/.test(value) ? Number(value) : value;
    if (typeof number === "number" && number > 0 && number <= 1) return number;
    throw new TypeError("a share such as 0.1: more than 0, and 1 at most");
  });
}

export function flag(help: string, fallback = false): Option<boolean> {
  return option("true or false", help, fallback, orReference({ type: "boolean" }), (value) => {
    if (value === true || value === "true") return true;
    if (value === false || value === "false") return false;
    throw new TypeError("true or false");
  });
}

/** Bytes: 4096, "64MiB", "4M". K, M, G and KiB, MiB, GiB are powers of 1024. */
export function size(help: string, fallback?: string, least = 0): Option<number> {
  const schema = orReference({ type: "integer", minimum: least }, { type: "string", pattern: sizePattern });
  return option("size", help, fallback, schema, (value) => {
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= least) return value;
    const match = typeof value === "string" ? new RegExp(sizePattern).exec(value) : null;
    if (!match) throw new TypeError('a size such as "64MiB"');
    const bytes = Math.floor(Number(match[1]) * 1024 ** " KMGT".indexOf(match[2]!.toUpperCase() || " "));
    if (bytes < least) throw new TypeError(`a size of at least ${least} bytes`);
    return bytes;
  });
}

const unitMs: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds: "250ms", "30s", "24h", "7d". */
export function duration(help: string, fallback?: string): Option<number> {
  const schema = orReference({ type: "string", pattern: durationPattern });
  return option("duration", help, fallback, schema, (value) => {
    const match = typeof value === "string" ? new RegExp(durationPattern).exec(value) : null;
    if (!match) throw new TypeError('a duration such as "30s" or "24h"');
    return Number(match[1]) * unitMs[match[2]!]!;
  });
}

export function list(help: string, fallback?: readonly string[]): Option<readonly string[]> {
  const schema = { anyOf: [{ type: "array", items: anyText }, anyText] };
  return option("list of texts", help, fallback, schema, (value) => {
    if (typeof value === "string") return value.split(",").map((part) => part.trim()).filter((part) => part !== "");
    if (Array.isArray(value) && value.every((part) => typeof part === "string")) return value;
    throw new TypeError('a list such as ["a", "b"]');
  });
}

export function choice<const T extends string>(help: string, words: readonly T[], fallback?: T): Option<T> {
  return option(words.map((word) => `"${word}"`).join(", "), help, fallback, orReference({ enum: words }), (value) => {
    if (words.includes(value as T)) return value as T;
    throw new TypeError(`one of ${words.map((word) => `"${word}"`).join(", ")}`);
  });
}

/** A table of texts, e.g. `filter = { topic = "web.*" }`. */
export function table(help: string): Option<Readonly<Record<string, string>> | undefined> {
  return optional({
    ...option("table of texts", help, undefined, { type: "object", additionalProperties: anyText }, (value) => {
      const plain = typeof value === "object" && value !== null && !Array.isArray(value);
      if (plain && Object.values(value).every((part) => typeof part === "string")) {
        return value as Record<string, string>;
      }
      throw new TypeError('a table such as { topic = "web.*" }');
    }),
  });
}

/** The same, but it must pass a check, which throws a `TypeError` saying what was expected. */
export function checked<T>(inner: Option<T>, check: (given: T) => void): Option<T> {
  const read = (value: unknown) => {
    const given = inner.read(value);
    check(given);
    return given;
  };
  return { ...inner, read };
}

/** The same, but it may be left out. */
export function optional<T>(inner: Option<T>): Option<T | undefined> {
  return { ...inner, needed: false };
}

/** The same, but never printed. */
export function secret<T>(inner: Option<T>): Option<T> {
  return { ...inner, secret: true };
}

/** The same, of one URL or several: no more of them is printed than where they lead. */
export function secretPath<T>(inner: Option<T>): Option<T> {
  return { ...inner, secretPath: true };
}

function option<T>(
  kind: string,
  help: string,
  fallback: Option<T>["fallback"],
  schema: Schema,
  read: (value: unknown) => T,
): Option<T> {
  return { kind, help, fallback, needed: fallback === undefined, secret: false, secretPath: false, schema, read };
}

/** Any value may be brought by a reference instead. */
function orReference(...forms: readonly Schema[]): Schema {
  return { anyOf: [...forms, { type: "string", pattern: String.raw`\$\{.+\}` }] };
}

function readText(value: unknown): string {
  if (typeof value !== "string") throw new TypeError("a text in quotes");
  return value;
}
