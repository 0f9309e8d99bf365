/** How far each file is safe: to the first line whose fate is open. What stands behind it may be safe, too, and comes again. */
import { codeOf, type Files, readWhole, replaceFile } from "../os/world.ts";
import type { Identity, KnownFile, Line } from "./chunk.ts";

/** Where a later run goes on. */
export interface Place extends Identity {
  /** Lines before it. */
  readonly number: number;
  /** Bytes before it. */
  readonly end: number;
}

interface Pending {
  readonly last: readonly Line[];
  settled: boolean;
}

export class Reached {
  readonly #queue: Pending[] = [];
  readonly #places = new Map<string, { readonly line: Line; readonly file: KnownFile | undefined }>();

  /** Call in the order of the lines; what it gives, once their fate is known. */
  begin(lines: readonly Line[]): () => void {
    const bySource = new Map(lines.map((line) => [line.source, line]));
    const pending: Pending = { last: [...bySource.values()], settled: false };
    this.#queue.push(pending);
    return () => {
      pending.settled = true;
      while (this.#queue[0]?.settled) {
        for (const line of this.#queue.shift()!.last) this.#places.set(line.source, { line, file: line.file });
      }
    };
  }

  /** "app.log to line 17" for each. */
  said(): string[] {
    return [...this.#places.values()].map(({ line }) => `${line.source} up to line ${line.number}`);
  }

  places(): Map<string, Place> {
    const found = [...this.#places].flatMap(([source, { line, file }]): [string, Place][] =>
      file === undefined ? [] : [[source, { ...file.identity(), number: line.number, end: line.end }]]
    );
    return new Map(found);
  }
}

/** The file that keeps places between runs. */
export class Checkpoint {
  readonly #files: Files;
  readonly path: string;
  readonly #kept: Map<string, Place>;

  constructor(files: Files, path: string) {
    this.#files = files;
    this.path = path;
    this.#kept = readPlaces(files, path);
  }

  /** By the path of the file. */
  placeOf(path: string): Place | undefined {
    return this.#kept.get(path);
  }

  keep(places: ReadonlyMap<string, Place>): void {
    for (const [path, place] of places) this.#kept.set(path, place);
    const text = JSON.stringify({ v: 1, files: Object.fromEntries(this.#kept) });
    replaceFile(this.#files, this.path, new TextEncoder().encode(`${text}\n`), "private");
  }
}

function readPlaces(files: Files, path: string): Map<string, Place> {
  try {
    const { v, files: kept } = JSON.parse(new TextDecoder().decode(readWhole(files, path)));
    if (v === 1 && typeof kept === "object") return new Map(Object.entries(kept as Record<string, Place>));
  } catch (problem) {
    if (codeOf(problem) === "ENOENT") return new Map();
    if (!(problem instanceof SyntaxError)) throw problem;
  }
  throw new Error(`Cannot use the checkpoint "${path}": it is none; name another, or remove it to begin anew`);
}
