/**
 * The durable mark: how far the log was certainly durable, written at most a second behind and at an orderly stop. It bounds
 * what recovery must find, and remembers how far each destination was in case its cursor is lost.
 */
import { createHash } from "node:crypto";
import { type Files, join } from "../os/world.ts";
import { bytesOfHex, getWhole, hexOf, putWhole, viewOf } from "./format.ts";
import type { Position } from "./mod.ts";
import { setFileAside } from "./quarantine.ts";
import { peekSlots, slotPayloadMax, Slots } from "./slots.ts";

export interface Mark {
  readonly position: Position;
  /** Header checksum of the last commit before `position`. */
  readonly chain: number;
  /** The segment that was written then, and the offset after its last commit. */
  readonly segment: string;
  readonly offset: number;
  /** By the first 8 bytes of the SHA-256 of the destination's name, as hex. */
  readonly destinations: ReadonlyMap<string, Position>;
}

const markName = "mark";
const headBytes = 32;
const destinationsMax = Math.floor((slotPayloadMax - headBytes) / 16);

export function destinationKey(name: string): string {
  return createHash("sha256").update(name).digest("hex").slice(0, 16);
}

export function openMark(files: Files, dir: string): { slots: Slots; mark?: Mark; damaged: boolean } {
  const { slots, last, state } = Slots.open(files, dir, markName);
  if (state === "damaged") setFileAside(files, dir, join(dir, markName));
  return { slots, mark: last && decodeMark(last), damaged: state === "damaged" };
}

/** The mark of a directory that somebody else may be writing. */
export function peekMark(files: Files, dir: string): Mark | undefined {
  const payload = peekSlots(files, join(dir, markName));
  return payload && decodeMark(payload);
}

export function encodeMark(mark: Mark): Uint8Array {
  const destinations = [...mark.destinations].slice(0, destinationsMax);
  const bytes = new Uint8Array(headBytes + 16 * destinations.length);
  const view = viewOf(bytes);
  putWhole(view, 0, mark.position);
  bytes.set(bytesOfHex(mark.segment), 8);
  putWhole(view, 16, mark.offset);
  view.setUint32(24, mark.chain, true);
  view.setUint32(28, destinations.length, true);
  destinations.forEach(([key, position], i) => {
    bytes.set(bytesOfHex(key), headBytes + 16 * i);
    putWhole(view, headBytes + 16 * i + 8, position);
  });
  return bytes;
}

function decodeMark(bytes: Uint8Array): Mark {
  const view = viewOf(bytes);
  const destinations = new Map<string, Position>();
  for (let i = 0; i < view.getUint32(28, true); i++) {
    const at = headBytes + 16 * i;
    destinations.set(hexOf(bytes.subarray(at, at + 8)), getWhole(view, at + 8) as Position);
  }
  return {
    position: getWhole(view, 0) as Position,
    segment: hexOf(bytes.subarray(8, 16)),
    offset: getWhole(view, 16),
    chain: view.getUint32(24, true),
    destinations,
  };
}
