/** One segment's file: opened, walked commit by commit, damage told apart from the end. */
import { Buffer } from "node:buffer";
import { codeOf, type Files, join, type OpenFile } from "../os/world.ts";
import {
  type CommitHeader,
  commitHeaderBytes,
  commitMagicBytes,
  decodeCommitHeader,
  decodeSegmentHeader,
  firstCommitAt,
  parseSegmentName,
  payloadBytesMax,
  payloadIsRight,
  type RecordFound,
  Salt,
  salvageRecords,
  type SegmentHeader,
  segmentHeaderBytes,
  type Stretch,
} from "./format.ts";
import type { Position } from "./mod.ts";

/** A commit found in a segment. */
export interface Commit {
  readonly header: CommitHeader;
  /** Where its header stands. */
  readonly offset: number;
  /** Where the next one would stand. */
  readonly next: number;
  /** Its records; with `whole` false some of them are damaged. */
  readonly payload: Uint8Array;
  readonly whole: boolean;
}

const chunkBytes = 1 << 18;
/** Who follows the writer reads little at a time; who has far to go reads more and more. */
const firstChunkBytes = 1 << 14;
const blockBytes = 4096;

export class Segment {
  readonly name: string;
  readonly id: string;
  readonly base: Position;
  readonly salt: Salt;
  /** Undefined when it is damaged: then only the name tells. */
  readonly header: SegmentHeader | undefined;
  readonly #file: OpenFile;
  #window = new Uint8Array(0);
  #windowAt = 0;
  #chunkBytes = firstChunkBytes;
  /** Blocks that the disk would not give. */
  unreadable = 0;

  private constructor(
    file: OpenFile,
    name: string,
    { header, lost }: { header: SegmentHeader | undefined; lost: number },
  ) {
    const parsed = parseSegmentName(name)!;
    this.unreadable = lost;
    this.#file = file;
    this.name = name;
    this.id = parsed.segment;
    this.base = header?.base ?? parsed.base;
    this.salt = new Salt(parsed.segment);
    this.header = header;
  }

  /** Opens `name` in `dir`; throws when a later program wrote it. */
  static open(files: Files, dir: string, name: string): Segment {
    const file = files.open(join(dir, name));
    try {
      return new Segment(file, name, headerOf(file, name));
    } catch (problem) {
      file.close();
      throw problem;
    }
  }

  /** The checksum in the header: where the chain of commits begins. */
  chainStart(): number {
    const bytes = this.view(12, 4);
    return bytes.length < 4 ? 0 : new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  }

  size(): number {
    return this.#file.size();
  }

  /** Up to `length` bytes from `offset`; fewer at the end of the file. They stay as they are when the window moves on. */
  view(offset: number, length: number): Uint8Array {
    const from = offset - this.#windowAt;
    if (from < 0 || from + length > this.#window.length) {
      const wanted = new Uint8Array(Math.max(length, this.#chunkBytes));
      this.#chunkBytes = Math.min(chunkBytes, 2 * this.#chunkBytes);
      const { count, lost } = readThrough(this.#file, offset, wanted);
      this.#window = wanted.subarray(0, count);
      this.unreadable += lost;
      this.#windowAt = offset;
      return this.#window.subarray(0, length);
    }
    return this.#window.subarray(from, from + length);
  }

  /** Forgets what was read, because the writer may have gone on. */
  refresh(): void {
    this.#window = new Uint8Array(0);
    this.#chunkBytes = firstChunkBytes;
  }

  /** The commit at `offset`, all of it before `limit`, or undefined. */
  commitAt(offset: number, limit: number): Commit | undefined {
    const header = decodeCommitHeader(this.view(offset, commitHeaderBytes), 0, this.salt, offset);
    if (header === undefined) return undefined;
    const next = offset + commitHeaderBytes + header.length;
    if (next > limit) return undefined;
    const payload = this.view(offset + commitHeaderBytes, header.length);
    if (payload.length < header.length) return undefined;
    return { header, offset, next, payload, whole: payloadIsRight(payload, header, this.salt, offset) };
  }

  /** Of the commit that was begun at `offset`, whatever became of the rest. */
  headerAt(offset: number): CommitHeader | undefined {
    return decodeCommitHeader(this.view(offset, commitHeaderBytes), 0, this.salt, offset);
  }

  /** Whether a commit was begun at `offset`: its header is right, whatever became of the rest. */
  hasHeaderAt(offset: number): boolean {
    return this.headerAt(offset) !== undefined;
  }

  /** The first commit that was begun after `offset` and before `limit` and whose first position is at least `expected`. */
  headerAfter(offset: number, limit: number, expected: Position): { offset: number; header: CommitHeader } | undefined {
    for (let at = offset + 8; at + commitHeaderBytes <= limit; at += chunkBytes - commitHeaderBytes) {
      const wanted = Math.min(chunkBytes, limit - at);
      const bytes = this.view(at, wanted);
      for (let found = indexOfMagic(bytes, 0); found >= 0; found = indexOfMagic(bytes, found + 1)) {
        if (found % 8 !== 0) continue;
        const header = decodeCommitHeader(bytes, found, this.salt, at + found);
        if (header && header.first >= expected) return { offset: at + found, header };
      }
      if (bytes.length < wanted) break; // the file ends before the limit
    }
    return undefined;
  }

  /** What can be read of the commits that stood from `from` to `to`, though a header or a payload is damaged. */
  salvage(from: number, to: number, stretch: Stretch): RecordFound[] {
    const begin = from + commitHeaderBytes;
    const bytes = this.view(begin, Math.min(Math.max(0, to - begin), payloadBytesMax));
    return salvageRecords(bytes, stretch, this.salt, begin);
  }

  /**
   * Its place among segments with the same base, of which only the last holds messages. A damaged header does not tell; what it
   * holds does.
   */
  get order(): number {
    return this.header?.sequence ?? (this.isEmpty() ? -1 : Infinity);
  }

  /** Whether there is no message in it, as far as its commits' headers tell. */
  isEmpty(): boolean {
    const limit = this.size();
    let found = this.headerAfter(firstCommitAt - 8, limit, this.base);
    while (found?.header.count === 0) found = this.headerAfter(found.offset, limit, this.base);
    return found === undefined;
  }

  close(): void {
    try {
      this.#file.close();
    } catch (problem) {
      if (codeOf(problem) === "") throw problem; // nothing was written through this handle
    }
  }
}

/** A file of a later format: nothing is touched. */
export class NewerFormat extends Error {}

function headerOf(file: OpenFile, name: string): { header: SegmentHeader | undefined; lost: number } {
  const bytes = new Uint8Array(segmentHeaderBytes);
  const { lost } = readThrough(file, 0, bytes);
  const header = decodeSegmentHeader(bytes, parseSegmentName(name)!.segment);
  if (header !== "newer") return { header: header === "damaged" ? undefined : header, lost };
  throw new NewerFormat(
    `Cannot open segment "${name}": a later version of sparkngin wrote it; drain the log with that one`,
  );
}

const magic = Buffer.from(commitMagicBytes);

function indexOfMagic(bytes: Uint8Array, from: number): number {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).indexOf(magic, from);
}

/** Reads as far as the file goes; blocks that the disk will not give are taken as zeros, which no checksum accepts. */
function readThrough(file: OpenFile, at: number, into: Uint8Array): { count: number; lost: number } {
  try {
    return { count: file.read(at, into), lost: 0 };
  } catch (problem) {
    if (codeOf(problem) !== "EIO") throw problem;
  }
  const count = Math.min(into.length, Math.max(0, file.size() - at));
  let lost = 0;
  for (let done = 0; done < count; done += blockBytes) {
    const block = into.subarray(done, Math.min(done + blockBytes, count));
    try {
      file.read(at + done, block);
    } catch (problem) {
      if (codeOf(problem) !== "EIO") throw problem;
      block.fill(0);
      lost++;
    }
  }
  return { count, lost };
}
