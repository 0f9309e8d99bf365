/** [shell] Files as lines: once, or for ever, over renames and truncations, from where an earlier run came to. */
import { createHash } from "node:crypto";
import { codeOf, parentOf } from "../os/world.ts";
import { type Identity, type KnownFile, type Line, LineCutter } from "./chunk.ts";
import type { Place } from "./reached.ts";

export interface SourceOptions {
  /** As the user calls it. */
  readonly name: string;
  readonly path: string;
  /** Where an earlier run came to. */
  readonly from: Place | undefined;
  /** Wait for more at its end. */
  readonly follow: boolean;
  readonly signal: AbortSignal;
  /** Something happened that the user may want to know. */
  notice(text: string): void;
}

const blockBytes = 262_144;
const lookEveryMs = 250;
const headBytes = 256;

export async function* linesOf(options: SourceOptions): AsyncGenerator<readonly Line[]> {
  const { path, name, follow, signal } = options;
  const { file: first, before } = await begin(options);
  if (before) {
    yield* toItsEnd(before, signal);
    yield before.end();
    before.close();
  }
  for (let file = first;;) {
    yield* toItsEnd(file, signal);
    if (!signal.aborted && !follow) yield file.end();
    if (signal.aborted || !follow) return file.close();
    const change = await changeOf(file, path);
    if (change === "none") {
      await pause(lookEveryMs, signal);
      continue;
    }
    // It may have grown between our last look and its end.
    yield* toItsEnd(file, signal);
    if (change === "cut") options.notice(`${options.name} became shorter: it is read from its beginning again`);
    else yield file.end();
    file.close();
    file = await Opened.open(path, name);
  }
}

/** Of standard input, until it ends or `signal` aborts. */
export async function* linesFrom(
  name: string,
  blocks: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<readonly Line[]> {
  const cutter = new LineCutter(name);
  const told = Promise.withResolvers<undefined>();
  signal.addEventListener("abort", () => told.resolve(undefined), { once: true });
  const iterator = blocks[Symbol.asyncIterator]();
  for (;;) {
    const block = await Promise.race([iterator.next(), told.promise]);
    if (block === undefined) return;
    if (block.done) break;
    yield cutter.cut(block.value);
  }
  yield cutter.end();
}

/** The file, and before it the one that it was when an earlier run left off, should that have been renamed since. */
async function begin(options: SourceOptions): Promise<{ readonly file: Opened; readonly before?: Opened }> {
  const { name, path, from } = options;
  const file = await Opened.open(path, name);
  if (from === undefined) return { file };
  if (isSame(file.identity(from.head.length), from) && file.size() >= from.end) {
    file.goTo(from);
    return { file };
  }
  const before = await renamed(options, from);
  if (before === undefined) options.notice(`${name} is another file than last time: it is read from its beginning`);
  else before.goTo(from);
  return before === undefined ? { file } : { file, before };
}

/** The file of an earlier run under a name beside it: "app.log.1". */
async function renamed({ path, name }: SourceOptions, from: Place): Promise<Opened | undefined> {
  const dir = parentOf(path);
  const base = path.slice(path.lastIndexOf("/") + 1);
  for (const entry of Deno.readDirSync(dir)) {
    if (!entry.isFile || entry.name === base || !entry.name.startsWith(base)) continue;
    const file = await Opened.open(`${dir}/${entry.name}`, name);
    if (isSame(file.identity(from.head.length), from)) return file;
    file.close();
  }
  return undefined;
}

async function* toItsEnd(file: Opened, signal: AbortSignal): AsyncGenerator<readonly Line[]> {
  while (!signal.aborted) {
    const lines = await file.next();
    if (lines === undefined) return;
    if (lines.length > 0) yield lines;
  }
}

async function changeOf(file: Opened, path: string): Promise<"none" | "renamed" | "cut"> {
  try {
    const { ino, dev, size } = await Deno.stat(path);
    if (ino !== null && (ino !== file.inode || dev !== file.device)) return "renamed";
    return size < file.at ? "cut" : "none";
  } catch (problem) {
    if (codeOf(problem) === "ENOENT") return "none";
    throw problem;
  }
}

function isSame(one: Identity, other: Identity): boolean {
  return one.device === other.device && one.inode === other.inode && one.head.digest === other.head.digest;
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  const done = Promise.withResolvers<void>();
  const timer = setTimeout(done.resolve, ms);
  signal.addEventListener("abort", () => done.resolve(), { once: true });
  await done.promise;
  clearTimeout(timer);
}

class Opened implements KnownFile {
  readonly inode: number;
  readonly device: number;
  readonly #file: Deno.FsFile;
  readonly #name: string;
  #cutter: LineCutter;
  #last: Identity | undefined;
  /** Bytes read. */
  at = 0;

  static async open(path: string, name: string): Promise<Opened> {
    return new Opened(await Deno.open(path, { read: true }), name);
  }

  private constructor(file: Deno.FsFile, name: string) {
    const { ino, dev } = file.statSync();
    this.inode = ino ?? 0;
    this.device = dev;
    this.#file = file;
    this.#name = name;
    this.#cutter = new LineCutter(name, undefined, this);
  }

  identity(length = headBytes): Identity {
    if (this.#last !== undefined) return this.#last;
    const head = new Uint8Array(Math.min(length, this.size()));
    this.#file.seekSync(0, Deno.SeekMode.Start);
    const read = this.#file.readSync(head) ?? 0;
    this.#file.seekSync(this.at, Deno.SeekMode.Start);
    const digest = createHash("sha256").update(head.subarray(0, read)).digest("hex");
    return { device: this.device, inode: this.inode, head: { length: read, digest } };
  }

  size(): number {
    return this.#file.statSync().size;
  }

  goTo(place: Place): void {
    this.#file.seekSync(place.end, Deno.SeekMode.Start);
    this.at = place.end;
    this.#cutter = new LineCutter(this.#name, place, this);
  }

  /** The lines of the next block; nothing at the end of the file. */
  async next(): Promise<readonly Line[] | undefined> {
    const block = new Uint8Array(blockBytes);
    const read = await this.#file.read(block);
    if (read === null || read === 0) return undefined;
    this.at += read;
    return this.#cutter.cut(block.subarray(0, read));
  }

  /** A last line that nobody ended. */
  end(): readonly Line[] {
    return this.#cutter.end();
  }

  /** What is asked of it afterwards was known before. */
  close(): void {
    this.#last = this.identity();
    this.#file.close();
  }
}
