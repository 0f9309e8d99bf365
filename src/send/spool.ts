/**
 * A directory in which chunks wait while the server is away: each is a file, synced before it counts as safe, and removed when the
 * server has taken it. Whoever dies in between sends a chunk again under the same key.
 */
import { type Files, join, readWhole, replaceFile } from "../os/world.ts";
import type { Chunk, Line } from "./chunk.ts";
import { bodyOf } from "./chunk.ts";

/** The directory belongs to another process, or cannot be used. */
export class SpoolRefused extends Error {}

const suffix = ".chunk";

export class Spool {
  readonly #files: Files;
  readonly #dir: string;
  readonly #bytesMax: number;
  /** By name, the oldest first. */
  readonly #sizes = new Map<string, number>();
  #bytes = 0;
  #next = 0;
  #changed = Promise.withResolvers<void>();

  constructor(files: Files, dir: string, { bytesMax, holder }: { readonly bytesMax: number; readonly holder: string }) {
    this.#files = files;
    this.#dir = dir;
    this.#bytesMax = bytesMax;
    files.makeDir(dir);
    const lock = files.lock(join(dir, "LOCK"), holder);
    if (!lock.held) throw new SpoolRefused(`Cannot use the spool "${dir}": ${lock.holder} uses it; name another`);
    for (const name of files.list(dir)) this.#find(name);
  }

  get count(): number {
    return this.#sizes.size;
  }

  /** Resolves when there is room for it, and it would survive a power cut. */
  async add(chunk: Chunk, signal: AbortSignal): Promise<string> {
    const bytes = encode(chunk);
    while (this.#bytes > 0 && this.#bytes + bytes.length > this.#bytesMax && !signal.aborted) {
      await this.#changed.promise;
    }
    signal.throwIfAborted();
    const name = `${String(this.#next++).padStart(20, "0")}${suffix}`;
    replaceFile(this.#files, join(this.#dir, name), bytes, "private");
    this.#remember(name, bytes.length);
    return name;
  }

  /** The names of those that wait, the oldest first. */
  names(): string[] {
    return [...this.#sizes.keys()];
  }

  /** Nothing when the file is none of ours or damaged: it is then put aside. */
  read(name: string): Chunk | undefined {
    const chunk = decode(readWhole(this.#files, join(this.#dir, name)));
    if (chunk === undefined) {
      this.#files.rename(join(this.#dir, name), join(this.#dir, `${name}.damaged`));
      this.#forget(name);
    }
    return chunk;
  }

  remove(name: string): void {
    this.#files.remove(join(this.#dir, name));
    this.#forget(name);
  }

  #find(name: string): void {
    const path = join(this.#dir, name);
    if (name.endsWith(".new")) return this.#files.remove(path);
    if (!/^\d{20}\.chunk$/.test(name)) return;
    const file = this.#files.open(path, "read");
    this.#remember(name, file.size());
    file.close();
    this.#next = Math.max(this.#next, Number(name.slice(0, 20)) + 1);
  }

  #remember(name: string, bytes: number): void {
    this.#sizes.set(name, bytes);
    this.#bytes += bytes;
  }

  #forget(name: string): void {
    this.#bytes -= this.#sizes.get(name) ?? 0;
    this.#sizes.delete(name);
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}

/** Lines of one file that follow each other. */
interface Run {
  readonly source: string;
  readonly number: number;
  readonly count: number;
}
interface Head {
  readonly v: 1;
  readonly key: string;
  readonly kind: Chunk["kind"];
  readonly query: string;
  readonly runs: readonly Run[];
}

/** A line of JSON that says what it is, then the lines. */
function encode(chunk: Chunk): Uint8Array {
  const { key, kind, query } = chunk;
  const head = JSON.stringify({ v: 1, key, kind, query, runs: runsOf(chunk.lines) } satisfies Head);
  const before = new TextEncoder().encode(`${head}\n`);
  const body = bodyOf(chunk);
  const bytes = new Uint8Array(before.length + body.length);
  bytes.set(before);
  bytes.set(body, before.length);
  return bytes;
}

function decode(bytes: Uint8Array): Chunk | undefined {
  const end = bytes.indexOf(0x0a);
  const head = end < 0 ? undefined : headIn(new TextDecoder().decode(bytes.subarray(0, end)));
  if (head === undefined) return undefined;
  const places = head.runs.flatMap(({ source, number, count }) =>
    Array.from({ length: count }, (_, i) => ({ source, number: number + i }))
  );
  const lines: Line[] = [];
  let from = end + 1;
  for (const place of places) {
    const to = bytes.indexOf(0x0a, from);
    if (to < 0) return undefined;
    lines.push({ ...place, bytes: bytes.subarray(from, to), end: 0 });
    from = to + 1;
  }
  return from === bytes.length ? { key: head.key, kind: head.kind, query: head.query, lines } : undefined;
}

function headIn(text: string): Head | undefined {
  try {
    const head = JSON.parse(text) as Head;
    return head.v === 1 && typeof head.key === "string" && Array.isArray(head.runs) ? head : undefined;
  } catch {
    return undefined;
  }
}

function runsOf(lines: readonly Line[]): Run[] {
  const runs: { source: string; number: number; count: number }[] = [];
  for (const { source, number } of lines) {
    const last = runs.at(-1);
    if (last && last.source === source && last.number + last.count === number) last.count++;
    else runs.push({ source, number, count: 1 });
  }
  return runs;
}
