/**
 * What stands in a log of dead letters: letters, and what became of some of them since. Each record is u32 length of a head, the
 * head as JSON, and of a letter its message as an entry of its own.
 */
import type { Position } from "../log/mod.ts";
import type { Message } from "../message/message.ts";
import { decodeEntry, encodeEntry } from "../message/wire.ts";

/** A message that a destination refused for good. There is one at most for each position. */
export interface DeadLetter {
  readonly position: Position;
  readonly id: string;
  readonly reason: string;
  readonly tries: number;
  /** When it was set aside, ms since 1970. */
  readonly time: number;
  /** Of the destination's deliveries: in which its verdict was counted. */
  readonly generation?: number;
  /** An operator wants it to be sent once more. */
  readonly again?: true;
  readonly message: Message;
}

/** How many dead letters of a generation have been taken after all, since it began. */
export interface Retaken {
  readonly generation: number;
  readonly start: Position;
  readonly count: number;
}

export type LetterRecord =
  | { readonly kind: "letter"; readonly letter: DeadLetter }
  /** These are no dead letters any more: taken after all, or purged. */
  | { readonly kind: "gone"; readonly positions: readonly Position[]; readonly retaken?: Retaken | undefined }
  /** These are to be sent once more. */
  | { readonly kind: "asked"; readonly positions: readonly Position[] };

type LetterHead = Omit<DeadLetter, "message">;
type Head = LetterHead | { readonly gone: Position[]; readonly retaken?: Retaken } | { readonly asked: Position[] };

const none = new Uint8Array(0);

export function encodeLetter({ message, ...head }: DeadLetter): Uint8Array {
  const { timestamp, submittedMs, data, dataIsJson, ...fields } = message;
  return encode(head, encodeEntry({ timestamp, shared: {} }, [{ fields, submittedMs, data, dataIsJson }]));
}

export function encodeGone(gone: readonly Position[], retaken?: Retaken): Uint8Array {
  return encode({ gone: [...gone], ...(retaken && { retaken }) }, none);
}

export function encodeAsked(asked: readonly Position[]): Uint8Array {
  return encode({ asked: [...asked] }, none);
}

function encode(head: Head, rest: Uint8Array): Uint8Array {
  const text = new TextEncoder().encode(JSON.stringify(head));
  const bytes = new Uint8Array(4 + text.length + rest.length);
  new DataView(bytes.buffer).setUint32(0, text.length, true);
  bytes.set(text, 4);
  bytes.set(rest, 4 + text.length);
  return bytes;
}

/** Throws when the bytes are no such record. */
export function decodeRecord(bytes: Uint8Array): LetterRecord {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length))) as Head;
  if ("gone" in head) return { kind: "gone", positions: head.gone, retaken: head.retaken };
  if ("asked" in head) return { kind: "asked", positions: head.asked };
  return { kind: "letter", letter: { ...head, message: decodeEntry(bytes.subarray(4 + length))[0]! } };
}
