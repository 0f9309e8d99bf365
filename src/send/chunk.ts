/** What goes to a server in one request: lines, and where each of them came from. */
import type { Clock } from "../os/world.ts";

export interface Line {
  /** The file, as the user calls it. */
  readonly source: string;
  /** In that file, counted from 1. */
  readonly number: number;
  /** Without its end. */
  readonly bytes: Uint8Array;
  /** Where the file goes on behind it. */
  readonly end: number;
  /** The file itself, where it can be found again by a later run. */
  readonly file?: KnownFile;
}
/** A file that is known again although it was renamed. */
export interface KnownFile {
  identity(): Identity;
}
export interface Identity {
  readonly device: number;
  readonly inode: number;
  /** SHA-256 of its first bytes, because numbers of inodes are given again. */
  readonly head: { readonly length: number; readonly digest: string };
}
/** "lines": each is a message. "ndjson": each is a JSON object. */
export type LineKind = "lines" | "ndjson";

export interface Chunk {
  /** The same whenever it is sent again, so that it is stored once. */
  readonly key: string;
  readonly kind: LineKind;
  /** The fields that all of them have in common, e.g. "topic=web". */
  readonly query: string;
  readonly lines: readonly Line[];
}

export function bodyOf({ lines }: Chunk): Uint8Array<ArrayBuffer> {
  const body = new Uint8Array(lines.reduce((sum, { bytes }) => sum + bytes.length + 1, 0));
  let at = 0;
  for (const { bytes } of lines) {
    body.set(bytes, at);
    at += bytes.length + 1;
    body[at - 1] = newline;
  }
  return body;
}

export interface ChunkLimit {
  readonly lines: number;
  readonly bytes: number;
  /** How long a line may wait for others. */
  readonly lingerMs: number;
}

/** Lines as they come, gathered until the limit is reached. */
export async function* gather(
  batches: AsyncIterable<readonly Line[]>,
  limit: ChunkLimit,
  clock: Clock,
): AsyncGenerator<readonly Line[]> {
  const iterator = batches[Symbol.asyncIterator]();
  let next = iterator.next();
  let held: Line[] = [];
  let bytes = 0;
  let since = 0;
  const taken = () => {
    const lines = held;
    [held, bytes] = [[], 0];
    return lines;
  };
  for (;;) {
    const came = held.length === 0
      ? await next
      : await unless(next, clock, Math.max(0, since + limit.lingerMs - clock.elapsed()));
    if (came === undefined) {
      yield taken();
      continue;
    }
    if (came.done) break;
    for (const line of came.value) {
      const isFull = held.length >= limit.lines || bytes + line.bytes.length + 1 > limit.bytes;
      if (held.length > 0 && isFull) yield taken();
      if (held.length === 0) since = clock.elapsed();
      held.push(line);
      bytes += line.bytes.length + 1;
    }
    next = iterator.next();
  }
  if (held.length > 0) yield held;
}

/** What `promise` gives, or nothing when that takes longer. */
async function unless<T>(promise: Promise<T>, clock: Clock, ms: number): Promise<T | undefined> {
  const done = new AbortController();
  try {
    return await Promise.race([promise, clock.sleep(ms, done.signal).then(() => undefined)]);
  } finally {
    done.abort();
  }
}

const newline = 0x0a;
const carriageReturn = 0x0d;

/** No server takes such a line, and no memory should have to hold it. */
export class LineTooLong extends Error {}
const lineBytesMax = 67_108_864;

const begin = { number: 0, end: 0 };

/** Cuts blocks of bytes into lines. Empty ones carry no message and are left out; numbers count them all the same. */
export class LineCutter {
  readonly #source: string;
  readonly #file: KnownFile | undefined;
  #number: number;
  /** Where in the file the next block begins. */
  #at: number;
  /** The beginning of a line whose end has not come. */
  #rest: Uint8Array[] = [];
  #restBytes = 0;

  constructor(
    source: string,
    { number, end }: { readonly number: number; readonly end: number } = begin,
    file?: KnownFile,
  ) {
    this.#source = source;
    this.#number = number;
    this.#at = end;
    this.#file = file;
  }

  cut(block: Uint8Array): Line[] {
    const lines: Line[] = [];
    let from = 0;
    for (let end = block.indexOf(newline); end >= 0; end = block.indexOf(newline, from)) {
      this.#add(lines, block.subarray(from, end), this.#at + end + 1);
      from = end + 1;
    }
    if (from < block.length) this.#keep(block.slice(from));
    this.#at += block.length;
    return lines;
  }

  /** What stands behind the last line end. */
  end(): Line[] {
    const lines: Line[] = [];
    if (this.#rest.length > 0) this.#add(lines, new Uint8Array(), this.#at);
    return lines;
  }

  #keep(part: Uint8Array): void {
    this.#rest.push(part);
    this.#restBytes += part.length;
    if (this.#restBytes <= lineBytesMax) return;
    throw new LineTooLong(`${this.#source}:${this.#number + 1} is longer than 64 MiB: this is no file of lines`);
  }

  #add(into: Line[], last: Uint8Array, end: number): void {
    this.#number++;
    const whole = this.#rest.length === 0 ? last : joined([...this.#rest, last]);
    this.#rest = [];
    this.#restBytes = 0;
    const bytes = whole.at(-1) === carriageReturn ? whole.subarray(0, -1) : whole;
    if (isBlank(bytes)) return;
    const file = this.#file;
    into.push({ source: this.#source, number: this.#number, bytes, end, ...(file && { file }) });
  }
}

function isBlank(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0x20 || byte === 0x09 || byte === carriageReturn);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
