/** One segment's file: opened, walked commit by commit, damage told apart from the end. */
import { Buffer } from "node:buffer";
import { codeOf, type Files, join, type OpenFile } from "../os/world.ts";
import {
  type CommitHeader,
  commitHeaderBytes,
  commitMagicBytes,
  decodeCommitHeader,
  decodeSegmentHeader,
  parseSegmentName,
  payloadIsRight,
  Salt,
  type SegmentHeader,
  segmentHeaderBytes,
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

  private constructor(file: OpenFile, name: string, header: SegmentHeader | undefined) {
    const parsed = parseSegmentName(name)!;
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
    const bytes = new Uint8Array(segmentHeaderBytes);
    readThrough(file, 0, bytes);
    const header = decodeSegmentHeader(bytes, parseSegmentName(name)!.segment);
    if (header === "newer") {
      file.close();
      throw new NewerFormat(
        `Cannot open segment "${name}": a later version of sparkngin wrote it; drain the log with that one`,
      );
    }
    return new Segment(file, name, header === "damaged" ? undefined : header);
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
      const wanted = new Uint8Array(Math.max(length, chunkBytes));
      this.#window = wanted.subarray(0, readThrough(this.#file, offset, wanted));
      this.#windowAt = offset;
      return this.#window.subarray(0, length);
    }
    return this.#window.subarray(from, from + length);
  }

  /** Forgets what was read, because the writer may have gone on. */
  refresh(): void {
    this.#window = new Uint8Array(0);
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

  /** The first whole commit after `offset` and before `limit` whose first position is at least `expected`. */
  commitAfter(offset: number, limit: number, expected: Position): Commit | undefined {
    for (let at = offset + 8; at + commitHeaderBytes <= limit;) {
      const bytes = this.view(at, Math.min(chunkBytes, limit - at));
      if (bytes.length < commitHeaderBytes) return undefined;
      const found = indexOfMagic(bytes);
      if (found < 0) {
        at += Math.max(8, Math.floor((bytes.length - commitMagicBytes.length) / 8) * 8);
        continue;
      }
      const commit = found % 8 === 0 ? this.commitAt(at + found, limit) : undefined;
      if (commit?.whole && commit.header.first >= expected) return commit;
      at += Math.floor(found / 8) * 8 + 8;
    }
    return undefined;
  }

  /** Whether a commit was begun at `offset`: its header is right, whatever became of the rest. */
  hasHeaderAt(offset: number): boolean {
    return decodeCommitHeader(this.view(offset, commitHeaderBytes), 0, this.salt, offset) !== undefined;
  }

  close(): void {
    this.#file.close();
  }
}

/** A file of a later format: nothing is touched. */
export class NewerFormat extends Error {}

const magic = Buffer.from(commitMagicBytes);

function indexOfMagic(bytes: Uint8Array): number {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).indexOf(magic);
}

/** Reads as far as the file goes; blocks that the disk will not give are taken as zeros, which no checksum accepts. */
function readThrough(file: OpenFile, at: number, into: Uint8Array): number {
  try {
    return file.read(at, into);
  } catch (problem) {
    if (codeOf(problem) !== "EIO") throw problem;
  }
  const length = Math.min(into.length, Math.max(0, file.size() - at));
  for (let done = 0; done < length; done += blockBytes) {
    const block = into.subarray(done, Math.min(done + blockBytes, length));
    try {
      file.read(at + done, block);
    } catch (problem) {
      if (codeOf(problem) !== "EIO") throw problem;
      block.fill(0);
    }
  }
  return length;
}
