/** On which line of a TOML text something stands: the parser tells values only, and error texts should point at them. */

/** Names of tables and keys; for `[[table]]` its number follows, counted from 0. */
export type Path = readonly (string | number)[];

const name = String.raw`(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')`;
const dotted = String.raw`${name}(?:\s*\.\s*${name})*`;
const header = new RegExp(String.raw`^\s*(\[\[?)\s*(${dotted})\s*\]`);
const assignment = new RegExp(String.raw`^\s*(${dotted})\s*=`);

/** The lines of one text, found once: a configuration asks for each of its keys. */
export class Lines {
  /** Where each path is first set, by its names. */
  readonly #first = new Map<string, number>();

  constructor(text: string) {
    for (const [line, path] of paths(text)) {
      const key = JSON.stringify(path);
      if (!this.#first.has(key)) this.#first.set(key, line);
    }
  }

  /** The line, counted from 1, of `path` or of the innermost thing around it; nothing when there is not even that. */
  of(path: Path): number | undefined {
    for (let depth = path.length; depth > 0; depth--) {
      const line = this.#first.get(JSON.stringify(path.slice(0, depth)));
      if (line !== undefined) return line;
    }
    return undefined;
  }
}

/** Every line that opens a table or sets a key, with the path it sets. */
function* paths(text: string): Generator<[number, Path]> {
  const counts = new Map<string, number>();
  let table: Path = [];
  let inside = false;
  for (const [index, line] of text.split("\n").entries()) {
    const begins = !inside;
    // A text in triple quotes may hold lines that look like keys.
    if (line.split(/"""|'''/).length % 2 === 0) inside = !inside;
    if (!begins) continue;
    const opened = header.exec(line);
    if (opened) yield [index + 1, table = tablePath(opened[1] === "[[", namesIn(opened[2]!), counts)];
    const key = opened ? null : assignment.exec(line);
    if (key) yield [index + 1, [...table, ...namesIn(key[1]!)]];
  }
}

function tablePath(repeated: boolean, names: string[], counts: Map<string, number>): Path {
  const first = names[0]!;
  if (repeated && names.length === 1) counts.set(first, (counts.get(first) ?? -1) + 1);
  const number = counts.get(first);
  return number === undefined ? names : [first, number, ...names.slice(1)];
}

function namesIn(text: string): string[] {
  return [...text.matchAll(new RegExp(name, "g"))].map(([part]) => part.replace(/^(["'])(.*)\1$/, "$2"));
}
