/**
 * Lines of values with a delimiter between them. A value that is missing is `-`. One that holds the delimiter, a quote or a
 * control character, or could be taken for something else, is quoted as JSON quotes texts: so every line can be parsed back.
 */
import type { ListedName } from "../config/format.ts";
import { columnsOf } from "./field_list.ts";
import type { Message } from "./message.ts";
import { Slab } from "./slab.ts";

const missing = "-";
/** Control characters, quotes, line ends that only some know, and halves of characters. */
// deno-lint-ignore no-control-regex
const troublesome = /[\x00-\x1f"\x7f-\x9f\u2028\u2029\ud800-\udfff]/u;

export function plainFormatter(
  names: readonly ListedName[],
  delimiter: string,
): (message: Message, id: string) => Uint8Array {
  const columns = columnsOf(names);
  const slab = new Slab();
  return (message, id) => {
    let line = "";
    for (let i = 0; i < columns.length; i++) {
      if (i > 0) line += delimiter;
      line += plainValue(columns[i]!.text(message, id), delimiter);
    }
    return slab.text(line);
  };
}

function plainValue(value: string | undefined, delimiter: string): string {
  if (value === undefined) return missing;
  const isPlain = value !== "" && value !== missing && !troublesome.test(value) && !meets(value, delimiter);
  return isPlain ? value : escapedFully(JSON.stringify(value));
}

/** Whether the value, with the delimiter behind it, would be cut too early. */
function meets(value: string, delimiter: string): boolean {
  return (value + delimiter).indexOf(delimiter) !== value.length;
}

/** JSON leaves some control characters and line ends as they are. */
function escapedFully(json: string): string {
  return json.replace(
    /[\x7f-\x9f\u2028\u2029]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** The values of a line, `undefined` for those that were missing. Throws a `TypeError` when no formatter wrote that line. */
export function parsePlain(line: string, delimiter: string): (string | undefined)[] {
  const values: (string | undefined)[] = [];
  for (let at = 0;; at += delimiter.length) {
    const end = endOf(line, at, delimiter);
    const text = line.slice(at, end);
    values.push(text === missing ? undefined : text.startsWith('"') ? unquoted(text) : text);
    if (end === line.length) return values;
    if (!line.startsWith(delimiter, end)) throw new TypeError(`no delimiter at character ${end + 1}`);
    at = end;
  }
}

/** Where the value that begins at `at` ends. */
function endOf(line: string, at: number, delimiter: string): number {
  if (line[at] !== '"') {
    const found = line.indexOf(delimiter, at);
    return found < 0 ? line.length : found;
  }
  for (let end = at + 1; end < line.length; end++) {
    if (line[end] === "\\") end++;
    else if (line[end] === '"') return end + 1;
  }
  throw new TypeError(`a quote without end at character ${at + 1}`);
}

function unquoted(text: string): string {
  try {
    return JSON.parse(text);
  } catch (problem) {
    throw new TypeError(`no quoted value: ${text}`, { cause: problem });
  }
}
