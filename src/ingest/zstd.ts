/**
 * The frames of a zstd body (RFC 8878). Only their outlines: where each ends and how much memory it asks for. Needed because
 * the decoder of `node:zlib` takes a body that was cut off for a shorter one, and reads no further than the first frame.
 */

/** Where a frame begins and ends, and how much it may look back. */
export interface Frame {
  readonly start: number;
  readonly end: number;
  readonly windowBytes: number;
  /** Its length once unpacked, when it says so. */
  readonly contentBytes: number | undefined;
}

const magic = 0xfd2fb528;
const skippableMagic = 0x184d2a50;
const reservedBit = 0x08;

/** The frames in order, without skippable ones; `undefined` when the body is no whole number of frames. */
export function zstdFrames(bytes: Uint8Array): Frame[] | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const frames: Frame[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (at + 8 > bytes.length) return undefined;
    const found = view.getUint32(at, true);
    if ((found & 0xfffffff0) === skippableMagic) {
      at += 8 + view.getUint32(at + 4, true);
      if (at > bytes.length) return undefined;
      continue;
    }
    const frame = found === magic ? frameAt(view, at) : undefined;
    if (frame === undefined) return undefined;
    frames.push(frame);
    at = frame.end;
  }
  return frames;
}

function frameAt(view: DataView, start: number): Frame | undefined {
  const descriptor = view.getUint8(start + 4);
  if (descriptor & reservedBit) return undefined;
  const alone = (descriptor & 0x20) !== 0;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3]!;
  const sizeBytes = [alone ? 1 : 0, 2, 4, 8][descriptor >> 6]!;
  const sizeAt = start + 5 + (alone ? 0 : 1) + dictionaryBytes;
  const blocksAt = sizeAt + sizeBytes;
  if (blocksAt > view.byteLength) return undefined;
  const contentBytes = contentSize(view, sizeAt, sizeBytes);
  const windowBytes = alone ? contentBytes! : windowSize(view.getUint8(start + 5));
  const blocksEnd = endOfBlocks(view, blocksAt);
  if (blocksEnd === undefined) return undefined;
  const end = blocksEnd + (descriptor & 0x04 ? 4 : 0);
  return end > view.byteLength ? undefined : { start, end, windowBytes, contentBytes };
}

function contentSize(view: DataView, at: number, bytes: number): number | undefined {
  if (bytes === 1) return view.getUint8(at);
  if (bytes === 2) return view.getUint16(at, true) + 256;
  if (bytes === 4) return view.getUint32(at, true);
  return bytes === 8 ? Number(view.getBigUint64(at, true)) : undefined;
}

function windowSize(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}

function endOfBlocks(view: DataView, at: number): number | undefined {
  while (at + 3 <= view.byteLength) {
    const header = view.getUint16(at, true) | (view.getUint8(at + 2) << 16);
    const type = (header >> 1) & 3;
    if (type === 3) return undefined;
    // A run-length block stands for many bytes with one.
    at += 3 + (type === 1 ? 1 : header >> 3);
    if (header & 1) return at <= view.byteLength ? at : undefined;
  }
  return undefined;
}
