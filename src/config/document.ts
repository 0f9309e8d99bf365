/** The files of a configuration as one: what they say together, and in which file and line each thing stands. */
import { parse, TomlError } from "smol-toml";
import { Lines, type Path } from "./lines.ts";
import { isTable } from "./reference.ts";

export interface ConfigFile {
  /** As it is called in error texts. */
  readonly name: string;
  readonly text: string;
}

type Tables = Readonly<Record<string, unknown>>;

/** One file, and how many of each repeated table stand in the files before it. */
interface Part {
  readonly file: ConfigFile;
  readonly lines: Lines;
  readonly tables: Tables;
  readonly before: ReadonlyMap<string, number>;
}

export class Document {
  /** What all files say; repeated tables of a later file follow those of an earlier one. */
  readonly tables: Record<string, unknown> = {};
  /** What keeps the files from being one: no TOML, or the same key in two of them. */
  readonly problems: string[] = [];
  readonly #parts: Part[] = [];

  constructor(files: readonly ConfigFile[]) {
    for (const file of files) {
      const tables = this.#parse(file);
      if (tables === undefined) continue;
      this.#parts.push({ file, lines: new Lines(file.text), tables, before: countRepeated(this.tables) });
      this.#merge(this.tables, tables, []);
    }
  }

  at(path: Path): unknown {
    return valueAt(this.tables, path);
  }

  /** The file and the line that `path` or the innermost thing around it stands in; no line when there is not even that. */
  placeOf(path: Path): { readonly name: string; readonly line: number | undefined } {
    for (let depth = path.length; depth > 0; depth--) {
      for (const part of this.#parts) {
        const inside = within(part, path);
        if (inside === undefined || valueAt(part.tables, inside.slice(0, depth)) === undefined) continue;
        return { name: part.file.name, line: part.lines.of(inside) };
      }
    }
    return { name: this.#parts[0]?.file.name ?? "the configuration", line: undefined };
  }

  #parse(file: ConfigFile): Tables | undefined {
    try {
      return parse(file.text.replace(/^\uFEFF/, ""));
    } catch (problem) {
      if (!(problem instanceof TomlError)) throw problem;
      const reason = plainly(problem.message.split("\n", 1)[0]!.replace(/^Invalid TOML document: /, ""));
      this.problems.push(`Cannot read ${file.name}: line ${problem.line}, column ${problem.column}: ${reason}`);
      return undefined;
    }
  }

  #merge(into: Record<string, unknown>, from: Tables, above: Path): void {
    for (const [name, value] of Object.entries(from)) {
      const path = [...above, name];
      const known = Object.hasOwn(into, name) ? into[name] : undefined;
      if (known === undefined) put(into, name, isTable(value) ? this.#copy(value, path) : value);
      else if (isTable(known) && isTable(value)) this.#merge(known, value, path);
      else if (isRepeated(known) && isRepeated(value)) put(into, name, [...known, ...value]);
      else this.#refuseTwice(path);
    }
  }

  #copy(table: Tables, path: Path): Record<string, unknown> {
    const copy: Record<string, unknown> = {};
    this.#merge(copy, table, path);
    return copy;
  }

  #refuseTwice(path: Path): void {
    const { file: last, lines } = this.#parts.at(-1)!;
    const first = this.placeOf(path);
    const where = path.length > 1 ? ` in [${path.slice(0, -1).join(".")}]` : "";
    this.problems.push(
      `Cannot read ${last.name}: line ${lines.of(path) ?? lines.of([...path, 0])}: ` +
        `"${path.at(-1)}"${where} stands in ` +
        `${first.name}, line ${first.line}, too: keep one of the two`,
    );
  }
}

/** As a plain assignment would, but for the name "__proto__". */
function put(into: Record<string, unknown>, name: string, value: unknown): void {
  Object.defineProperty(into, name, { value, configurable: true, enumerable: true, writable: true });
}

/** The parser's word for what is most often a forgotten quote. */
function plainly(reason: string): string {
  return reason === "control characters are not allowed in strings"
    ? "a text does not end in this line: is a quote missing?"
    : reason;
}

/** `path` as it is in this file alone; nothing when it means a repeated table of another one. */
function within({ tables, before }: Part, path: Path): Path | undefined {
  const [first, number, ...rest] = path;
  if (typeof number !== "number") return path;
  const here = number - (before.get(String(first)) ?? 0);
  const repeated = tables[String(first)];
  return here >= 0 && isRepeated(repeated) && here < repeated.length ? [first!, here, ...rest] : undefined;
}

function countRepeated(tables: Tables): Map<string, number> {
  return new Map(Object.entries(tables).flatMap(([name, value]) => isRepeated(value) ? [[name, value.length]] : []));
}

function isRepeated(value: unknown): value is Record<string, unknown>[] {
  return Array.isArray(value) && value.length > 0 && value.every(isTable);
}

function valueAt(tables: Tables, path: Path): unknown {
  let value: unknown = tables;
  for (const part of path) {
    const inside = typeof value === "object" && value !== null && Object.hasOwn(value, part);
    value = inside ? (value as Record<string | number, unknown>)[part] : undefined;
  }
  return value;
}
