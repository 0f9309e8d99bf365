/**
 * How a destination's `format` and `fields` are written, the latter in the notation of 2013: `%version% %ip% %cookie_user_id%`.
 * What comes of them is made in `message/format.ts`.
 */

const simpleNames = ["json", "json-v2", "binary", "raw", "cloudevents"] as const;

export type Format = { readonly name: typeof simpleNames[number] } | {
  readonly name: "plain";
  /** Between the values of a line. */
  readonly delimiter: string;
};

/** Throws a `TypeError` that says what was expected. */
export function parseFormat(text: string): Format {
  const simple = simpleNames.find((name) => name === text);
  if (simple !== undefined) return { name: simple };
  if (text === "plain") return { name: "plain", delimiter: " " };
  const delimiter = /^plain\s+(['"])(.*)\1$/s.exec(text)?.[2];
  if (delimiter === undefined) {
    throw new TypeError(`one of "${simpleNames.join('", "')}", or "plain ' '" with a delimiter of your choice`);
  }
  return { name: "plain", delimiter: readDelimiter(delimiter) };
}

/** A value that is missing is written "-", and the quote begins a quoted one: a delimiter must not look like either. */
function readDelimiter(given: string): string {
  const delimiter = given.replaceAll("\\t", "\t");
  if (/^(?!-)[\t !#-[\]-~]{1,8}$/.test(delimiter)) return delimiter;
  throw new TypeError(
    'a delimiter of 1 to 8 printable ASCII characters or tabs (\\t), without " and \\, that does not begin with -',
  );
}

/** What a list of fields may name, besides `cookie_` and the name of one. The last two of a row are other spellings. */
export const listedNames = [
  "id",
  "timestamp",
  "time_stamp",
  "submitted_timestamp",
  "topic",
  "env",
  "version",
  "type",
  "level",
  "ip",
  "peer_ip",
  "referrer",
  "user_agent",
  "user-agent",
  "cookies",
  "cookie",
  "key",
  "traceparent",
  "tracestate",
  "attributes",
  "schema",
  "data",
] as const;
export type ListedName = typeof listedNames[number] | `cookie_${string}`;

/** The fields that the original wrote unless it was told otherwise. */
export const originalFields = "%version% %ip% %time_stamp% %level% %topic% %user-agent% %referrer% %cookie%";

const cookiePrefix = "cookie_";
const fieldsMax = 100;

/** The name of the cookie that a field asks for. */
export function cookieIn(name: ListedName): string | undefined {
  return name.startsWith(cookiePrefix) ? name.slice(cookiePrefix.length) : undefined;
}

/** Throws a `TypeError` that says what was expected. */
export function parseFields(text: string): ListedName[] {
  const words = text.split(/\s+/).filter((word) => word !== "");
  const names = words.map((word) => {
    const name = /^%([^%]+)%$/.exec(word)?.[1];
    if (name !== undefined && isListed(name)) return name;
    throw new TypeError(`fields such as %ip%, with spaces between them, of ${allNames()}; "${word}" is none`);
  });
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) throw new TypeError(`each field once; %${twice}% comes twice`);
  if (names.length > fieldsMax) throw new TypeError(`at most ${fieldsMax} fields`);
  return names;
}

function isListed(name: string): name is ListedName {
  return (listedNames as readonly string[]).includes(name) || /^cookie_[!#$&-~]{1,64}$/.test(name);
}

function allNames(): string {
  return `${listedNames.map((name) => `%${name}%`).join(", ")} and %cookie_NAME%`;
}

/** Throws a `TypeError` when the format takes no list of fields. */
export function assertListable(format: Format, fields: string): void {
  if (fields === "" || format.name === "json" || format.name === "plain") return;
  throw new TypeError(`format json or plain beside it: ${format.name} has fields of its own`);
}
