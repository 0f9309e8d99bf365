/**
 * Compressed lines. Each batch becomes a member of its own, so that a file can be cut between two of them; whatever unpacks gzip or
 * zstd reads them one after the other. Every member says how long it is, in a place that others pass over, so that the last whole
 * one is found without unpacking:
 *
 * - gzip (RFC 1952): an extra field "SG" of four bytes, the length of the whole member;
 * - zstd (RFC 8878): a skippable frame in front, whose four bytes are the length of the frame behind it.
 *
 * All lengths are little-endian, as those formats have them.
 */
import { constants, crc32, deflateRawSync, gunzipSync, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import type { Compression } from "../../src/message/compression.ts";
import type { OpenFile } from "../../src/os/world.ts";

/** What the names of such files end in, after the suffix. */
export const endings: Readonly<Record<Compression, string>> = { none: "", gzip: ".gz", zstd: ".zst" };

/** How lines are kept in a file. */
export interface Packing {
  /** The bytes to append for these lines. */
  pack(lines: Uint8Array): Uint8Array;
  /** How much of a file that somebody was writing is whole. */
  wholeOf(file: OpenFile): number;
}

export function packingOf(compression: Compression): Packing {
  if (compression === "gzip") return { pack: gzipMember, wholeOf: (file) => wholeMembers(file, gzip) };
  if (compression === "zstd") return { pack: zstdMember, wholeOf: (file) => wholeMembers(file, zstd) };
  return { pack: (lines) => lines, wholeOf: endOfLastLine };
}

const gzipHeadBytes = 20;
const gzipTailBytes = 8;

function gzipMember(lines: Uint8Array): Uint8Array {
  const packed = deflateRawSync(lines);
  const member = new Uint8Array(gzipHeadBytes + packed.length + gzipTailBytes);
  const view = new DataView(member.buffer);
  // Deflate, with an extra field; no time, so that the same lines are the same bytes; from an unknown system.
  member.set([0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255, 8, 0, 0x53, 0x47, 4, 0]);
  view.setUint32(16, member.length, true);
  member.set(packed, gzipHeadBytes);
  view.setUint32(member.length - 8, crc32(lines), true);
  view.setUint32(member.length - 4, lines.length, true);
  return member;
}

const skippableMagic = 0x184d2a53;
const zstdHeadBytes = 12;

function zstdMember(lines: Uint8Array): Uint8Array {
  const frame = zstdCompressSync(lines, { params: { [constants.ZSTD_c_checksumFlag]: 1 } });
  const member = new Uint8Array(zstdHeadBytes + frame.length);
  const view = new DataView(member.buffer);
  view.setUint32(0, skippableMagic, true);
  view.setUint32(4, 4, true);
  view.setUint32(8, frame.length, true);
  member.set(frame, zstdHeadBytes);
  return member;
}

/** What tells members of one kind. */
interface Kind {
  readonly headBytes: number;
  /** The length of the member that begins with these bytes; undefined when none does. */
  lengthIn(head: DataView): number | undefined;
  /** Throws when it cannot be unpacked. */
  unpack(member: Uint8Array): Uint8Array;
}

const gzip: Kind = {
  headBytes: gzipHeadBytes,
  lengthIn: (head) =>
    head.getUint32(0, true) === 0x04088b1f && head.getUint32(12, true) === 0x00044753
      ? head.getUint32(16, true)
      : undefined,
  unpack: (member) => gunzipSync(member),
};
const zstd: Kind = {
  headBytes: zstdHeadBytes,
  lengthIn: (head) =>
    head.getUint32(0, true) === skippableMagic && head.getUint32(4, true) === 4
      ? zstdHeadBytes + head.getUint32(8, true)
      : undefined,
  unpack: (member) => zstdDecompressSync(member.subarray(zstdHeadBytes)),
};

/** Only the last one may be torn: before the next is written, each is synced. */
function wholeMembers(file: OpenFile, kind: Kind): number {
  const size = file.size();
  let [last, end] = [0, 0];
  for (let length = lengthAt(file, end, kind); length !== undefined; length = lengthAt(file, end, kind)) {
    if (length < kind.headBytes || end + length > size) return end;
    [last, end] = [end, end + length];
  }
  return end > last && isWhole(file, last, end, kind) ? end : last;
}

function lengthAt(file: OpenFile, at: number, { headBytes, lengthIn }: Kind): number | undefined {
  const head = new Uint8Array(headBytes);
  return file.read(at, head) === headBytes ? lengthIn(new DataView(head.buffer)) : undefined;
}

function isWhole(file: OpenFile, from: number, to: number, { unpack }: Kind): boolean {
  const member = new Uint8Array(to - from);
  if (file.read(from, member) < member.length) return false;
  try {
    unpack(member);
    return true;
  } catch {
    return false;
  }
}

const lineFeed = 10;
const stepBytes = 65_536;

function endOfLastLine(file: OpenFile): number {
  for (let end = file.size(); end > 0;) {
    const start = Math.max(0, end - stepBytes);
    const bytes = new Uint8Array(end - start);
    const found = bytes.subarray(0, file.read(start, bytes)).lastIndexOf(lineFeed);
    if (found >= 0) return start + found + 1;
    end = start;
  }
  return 0;
}
