/**
 * The bytes of the log's files, format version 1: see FORMAT.md, which must say the same. Pure: bytes in, values out.
 * All numbers are little-endian.
 */
import { crc32 } from "node:zlib";
import type { Entry, Position } from "./mod.ts";

export const formatVersion = 1;
/** The first commit of a segment stands here: the header has a block of its own. */
export const firstCommitAt = 4096;
export const segmentHeaderBytes = 128;
export const commitHeaderBytes = 48;
export const recordHeaderBytes = 16;
/** A turn that brings more becomes several commits. */
export const commitBytesMax = 8 << 20;
/** More than this is refused at the door. */
export const entryBytesMax = 16 << 20;
/** What a commit's length may claim before anything is allocated for it. */
export const payloadBytesMax = entryBytesMax + commitBytesMax;

const segmentMagic = 0x4745534b52415053n; // "SPARKSEG"
const commitMagic = 0x7c4d4353; // "SCM|"
export const commitMagicBytes = new Uint8Array([0x53, 0x43, 0x4d, 0x7c]);

/** Set on a commit in which an entry has an idempotency key, so that a start reads only those again. */
export const flagIdempotency = 1;

export function align8(bytes: number): number {
  return Math.ceil(bytes / 8) * 8;
}

/**
 * Every checksum starts from the segment's random id and the place in its file, so that bytes left from the file's former life,
 * or written to the wrong place, never pass.
 */
export class Salt {
  readonly #id: number;
  readonly #place = new Uint8Array(8);
  readonly #view = new DataView(this.#place.buffer);

  constructor(segment: string) {
    this.#id = crc32(bytesOfHex(segment));
  }
  at(offset: number): number {
    this.#view.setUint32(0, offset >>> 0, true);
    this.#view.setUint32(4, Math.floor(offset / 2 ** 32), true);
    return crc32(this.#place, this.#id);
  }
}

/** What a segment says of the one before it; what stands there beyond `length` is never read, however right it looks. */
export interface Seal {
  readonly segment: string;
  readonly length: number;
  /** Header checksum of its last commit, or of the segment's header when it has none. */
  readonly chain: number;
  /** The position after its last message. */
  readonly end: Position;
}
export interface SegmentHeader {
  /** 16 hex digits. */
  readonly node: string;
  /** 16 hex digits, random. */
  readonly segment: string;
  readonly base: Position;
  readonly epoch: number;
  /** Counts the segments of this log: their order. */
  readonly sequence: number;
  /** Wall time, informative. */
  readonly created: number;
  readonly previous?: Seal;
}

const noSegment = "0".repeat(16);

export function encodeSegmentHeader(header: SegmentHeader): Uint8Array {
  const bytes = new Uint8Array(segmentHeaderBytes);
  const view = new DataView(bytes.buffer);
  const { previous } = header;
  view.setBigUint64(0, segmentMagic, true);
  view.setUint16(8, formatVersion, true);
  view.setUint16(10, formatVersion, true); // the oldest reader that understands it
  bytes.set(bytesOfHex(header.node), 16);
  bytes.set(bytesOfHex(header.segment), 24);
  putWhole(view, 32, header.base);
  view.setUint32(40, header.epoch, true);
  view.setUint32(44, header.sequence, true);
  putWhole(view, 48, header.created);
  bytes.set(bytesOfHex(previous?.segment ?? noSegment), 56);
  putWhole(view, 64, previous?.length ?? 0);
  view.setUint32(72, previous?.chain ?? 0, true);
  putWhole(view, 80, previous?.end ?? 0);
  view.setUint32(12, segmentHeaderCrc(bytes, header.segment), true);
  return bytes;
}

/** The checksum in a segment's header: where the chain of its commits begins. */
export function chainStart(header: Uint8Array): number {
  return viewOf(header).getUint32(12, true);
}

/**
 * What the header says; `"newer"` when a later program wrote it, `"damaged"` when its checksum is wrong. The id is taken from
 * the file's name, which a damaged header cannot falsify.
 */
export function decodeSegmentHeader(bytes: Uint8Array, segment: string): SegmentHeader | "newer" | "damaged" {
  if (bytes.length < segmentHeaderBytes) return "damaged";
  const view = viewOf(bytes);
  if (view.getBigUint64(0, true) !== segmentMagic) return "damaged";
  if (view.getUint32(12, true) !== segmentHeaderCrc(bytes, segment)) return "damaged";
  if (view.getUint16(10, true) > formatVersion) return "newer";
  if (hexOf(bytes.subarray(24, 32)) !== segment) return "damaged";
  const previous = hexOf(bytes.subarray(56, 64));
  return {
    node: hexOf(bytes.subarray(16, 24)),
    segment,
    base: getWhole(view, 32) as Position,
    epoch: view.getUint32(40, true),
    sequence: view.getUint32(44, true),
    created: getWhole(view, 48),
    previous: previous === noSegment ? undefined : {
      segment: previous,
      length: getWhole(view, 64),
      chain: view.getUint32(72, true),
      end: getWhole(view, 80) as Position,
    },
  };
}

function segmentHeaderCrc(bytes: Uint8Array, segment: string): number {
  const head = crc32(bytes.subarray(0, 12), new Salt(segment).at(0));
  return crc32(bytes.subarray(16, segmentHeaderBytes), head);
}

export interface CommitHeader {
  /** Bytes of its records, padding included. */
  readonly length: number;
  readonly count: number;
  readonly first: Position;
  readonly time: number;
  readonly epoch: number;
  /** Header checksum of the commit before it in the segment. */
  readonly chain: number;
  readonly payloadCrc: number;
  readonly flags: number;
  /** This header's own checksum: the next one's `chain`. */
  readonly crc: number;
}

export type UnsealedCommit = Omit<CommitHeader, "crc" | "payloadCrc">;

/** Completes a commit whose records stand in `bytes` from byte 48 on, for writing at `offset`; returns the header's checksum. */
export function sealCommit(bytes: Uint8Array, header: UnsealedCommit, salt: Salt, offset: number): number {
  const view = viewOf(bytes);
  const seed = salt.at(offset);
  view.setUint32(0, commitMagic, true);
  view.setUint32(8, header.length, true);
  view.setUint32(12, header.count, true);
  putWhole(view, 16, header.first);
  putWhole(view, 24, header.time);
  view.setUint32(32, header.epoch, true);
  view.setUint32(36, header.chain, true);
  view.setUint32(40, crc32(bytes.subarray(commitHeaderBytes, commitHeaderBytes + header.length), seed), true);
  view.setUint16(44, header.flags, true);
  bytes[46] = formatVersion;
  bytes[47] = 0;
  const crc = crc32(bytes.subarray(8, commitHeaderBytes), seed);
  view.setUint32(4, crc, true);
  return crc;
}

/** The commit header that stands at `at` in `bytes`, which is `offset` in its segment; undefined when none does. */
export function decodeCommitHeader(
  bytes: Uint8Array,
  at: number,
  salt: Salt,
  offset: number,
): CommitHeader | undefined {
  if (at + commitHeaderBytes > bytes.length) return undefined;
  const view = viewOf(bytes);
  if (view.getUint32(at, true) !== commitMagic) return undefined;
  const crc = view.getUint32(at + 4, true);
  if (crc32(bytes.subarray(at + 8, at + commitHeaderBytes), salt.at(offset)) !== crc) return undefined;
  const length = view.getUint32(at + 8, true);
  if (length > payloadBytesMax || bytes[at + 46] !== formatVersion) return undefined;
  return {
    length,
    count: view.getUint32(at + 12, true),
    first: getWhole(view, at + 16) as Position,
    time: getWhole(view, at + 24),
    epoch: view.getUint32(at + 32, true),
    chain: view.getUint32(at + 36, true),
    payloadCrc: view.getUint32(at + 40, true),
    flags: view.getUint16(at + 44, true),
    crc,
  };
}

export function payloadIsRight(payload: Uint8Array, header: CommitHeader, salt: Salt, offset: number): boolean {
  return crc32(payload, salt.at(offset)) === header.payloadCrc;
}

/** Puts a record (one entry) at `at`; its checksum follows with `sealRecord`, once its place in a segment is known. */
export function putRecord(bytes: Uint8Array, at: number, entry: Uint8Array, positions: Stretch): void {
  const view = viewOf(bytes);
  view.setUint32(at, entry.length, true);
  view.setUint32(at + 4, positions.count, true);
  view.setUint32(at + 8, positions.first >>> 0, true);
  bytes.set(entry, at + recordHeaderBytes);
  bytes.fill(0, at + recordHeaderBytes + entry.length, at + recordBytes(entry.length));
}

export function recordBytes(entryLength: number): number {
  return align8(recordHeaderBytes + entryLength);
}

export function sealRecord(bytes: Uint8Array, at: number, salt: Salt, offset: number): void {
  viewOf(bytes).setUint32(at + 12, recordCrc(bytes, at, salt.at(offset)), true);
}

function recordCrc(bytes: Uint8Array, at: number, seed: number): number {
  const length = viewOf(bytes).getUint32(at, true);
  const head = crc32(bytes.subarray(at, at + 12), seed);
  return crc32(bytes.subarray(at + recordHeaderBytes, at + recordHeaderBytes + length), head);
}

interface RecordRead {
  readonly position: Position;
  readonly count: number;
  readonly bytes: Uint8Array;
}
/** A record, or positions that cannot be read: those have no bytes. */
export type RecordFound = RecordRead | {
  readonly position: Position;
  readonly count: number;
  readonly bytes: undefined;
};

/** Positions: of an entry, a commit, or a damaged part of a segment. */
export interface Stretch {
  readonly first: Position;
  readonly count: number;
}

/** The records of a commit whose payload was found to be right: nothing is checked a second time. */
export function readRecords(payload: Uint8Array, header: CommitHeader): RecordFound[] {
  const found: RecordRead[] = [];
  for (let at = 0; at + recordHeaderBytes <= payload.length;) {
    const record = recordAt(payload, at, header);
    if (record === undefined) break;
    found.push(record);
    at += recordBytes(record.bytes.length);
  }
  return withHoles(found, header);
}

/**
 * What can still be read where a commit's header or payload is damaged; `bytes` stand at `offset` of the segment. Each record is
 * judged by its own checksum and says its own position, so damage costs the entries it touched.
 */
export function salvageRecords(bytes: Uint8Array, stretch: Stretch, salt: Salt, offset: number): RecordFound[] {
  const found: RecordRead[] = [];
  // Bytes that look like long records at every step must not keep us for hours.
  let patience = (1 << 20) + 16 * bytes.length;
  for (let at = 0; at + recordHeaderBytes <= bytes.length && patience > 0;) {
    const record = recordAt(bytes, at, stretch);
    patience -= record?.bytes.length ?? 0;
    if (record && recordCrc(bytes, at, salt.at(offset + at)) === viewOf(bytes).getUint32(at + 12, true)) {
      found.push(record);
      at += recordBytes(record.bytes.length);
    } else {
      at += 8;
    }
  }
  return withHoles(found, stretch);
}

function recordAt(payload: Uint8Array, at: number, { first, count: countMax }: Stretch): RecordRead | undefined {
  const view = viewOf(payload);
  const length = view.getUint32(at, true);
  const count = view.getUint32(at + 4, true);
  if (at + recordHeaderBytes + length > payload.length || count === 0 || count > countMax) return undefined;
  // Its lower half is enough: no segment holds 2^32 messages.
  const position = first + ((view.getUint32(at + 8, true) - first) >>> 0) as Position;
  return { position, count, bytes: payload.subarray(at + recordHeaderBytes, at + recordHeaderBytes + length) };
}

/** Everything from the stretch's first position to its last, once and in order. */
function withHoles(records: readonly RecordRead[], { first, count }: Stretch): RecordFound[] {
  const end = first + count;
  const out: RecordFound[] = [];
  let next: number = first;
  const skipTo = (position: number) => {
    if (position > next) out.push({ position: next as Position, count: position - next, bytes: undefined });
  };
  for (const record of records) {
    if (record.position < next || record.position + record.count > end) continue;
    skipTo(record.position);
    out.push(record);
    next = record.position + record.count;
  }
  skipTo(end);
  return out;
}

/** An entry as readers get it. */
export function entryOf(
  { position, count, bytes }: RecordRead,
  { epoch, time }: { readonly epoch: number; readonly time: number },
): Entry {
  return { position, count, epoch, time, bytes };
}

export function segmentName(base: number, segment: string): string {
  return `${String(base).padStart(20, "0")}-${segment}.seg`;
}

/** What a segment's name says; undefined when the name is none of ours. */
export function parseSegmentName(name: string): { base: Position; segment: string } | undefined {
  const match = /^(\d{20})-([0-9a-f]{16})\.seg$/.exec(name);
  return match ? { base: Number(match[1]) as Position, segment: match[2]! } : undefined;
}

/** 8 random bytes as 16 hex digits, never all zero. */
export function randomId(random: () => number): string {
  for (;;) {
    const id = Array.from({ length: 4 }, () => Math.floor(random() * 65536).toString(16).padStart(4, "0")).join("");
    if (id !== noSegment) return id;
  }
}

export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function bytesOfHex(hex: string): Uint8Array {
  return Uint8Array.from({ length: hex.length / 2 }, (_, i) => parseInt(hex.slice(2 * i, 2 * i + 2), 16));
}

/** A whole number up to 2^53 in eight bytes. */
export function putWhole(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true);
  view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
}

export function getWhole(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
