/**
 * Frames (RFC 23, "Framing"): flags, length in one byte or in eight, body. Bit 0 of the flags: more frames of this message
 * follow; bit 1: the length has eight bytes; bit 2: it is a command.
 */

export const more = 1;
export const long = 2;
export const command = 4;
export const shortMax = 255;
const unit = 2 ** 32;

/** Of the head of a frame. */
export function headBytes(length: number): number {
  return length > shortMax ? 9 : 2;
}

/** Writes the head of a frame; where the body begins. */
export function putHead(into: Uint8Array, at: number, flags: number, length: number): number {
  if (length <= shortMax) {
    into[at] = flags;
    into[at + 1] = length;
    return at + 2;
  }
  into[at] = flags | long;
  const high = Math.floor(length / unit);
  for (let i = 0; i < 4; i++) into[at + 1 + i] = (high >>> (24 - 8 * i)) & 255;
  for (let i = 0; i < 4; i++) into[at + 5 + i] = (length >>> (24 - 8 * i)) & 255;
  return at + 9;
}

/** A length of eight bytes. Beyond 2^53 it is only about right, which is as good: nobody takes so much. */
export function longLength(bytes: Uint8Array, at: number): number {
  let length = 0;
  for (let i = 0; i < 8; i++) length = length * 256 + bytes[at + i]!;
  return length;
}

/** The frames of one message. */
export function messageOf(frames: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(frames.reduce((sum, { length }) => sum + headBytes(length) + length, 0));
  let at = 0;
  frames.forEach((frame, i) => {
    at = putHead(bytes, at, i < frames.length - 1 ? more : 0, frame.length);
    bytes.set(frame, at);
    at += frame.length;
  });
  return bytes;
}
