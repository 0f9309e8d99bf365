/**
 * A small file of two slots written in turn: the durable mark and every cursor. A power cut in the middle of a write leaves the
 * other slot whole. Each slot is 4096 bytes: magic u32 · CRC u32 over the rest · turn u64 · length u32 · payload · zeros. The
 * checksum starts from the file's name and the slot's number, so that a slot in the wrong place is none.
 */
import { crc32 } from "node:zlib";
import { codeOf, type Files, join, type OpenFile } from "../os/world.ts";
import { getWhole, putWhole, viewOf } from "./format.ts";

const slotBytes = 4096;
const headBytes = 20;
const slotMagic = 0x544f4c53; // "SLOT"
export const slotPayloadMax = slotBytes - headBytes;

export class Slots {
  readonly #file: OpenFile;
  readonly #name: string;
  #turn: number;

  private constructor(file: OpenFile, name: string, turn: number) {
    this.#file = file;
    this.#name = name;
    this.#turn = turn;
  }

  /**
   * Opens or creates the file. `last` is what was last put and is whole; `state` tells a new file, and one in which nothing was
   * ever put, from one that has nothing readable any more.
   */
  static open(
    files: Files,
    dir: string,
    name: string,
  ): { slots: Slots; last?: Uint8Array; state: "new" | "blank" | "whole" | "damaged" } {
    const path = join(dir, name);
    const { file, created } = openOrCreate(files, dir, path);
    const latest = latestSlot(file, name);
    const blank = [0, 1].every((index) => isBlank(file, index));
    const state = latest ? "whole" : created ? "new" : blank ? "blank" : "damaged";
    return { slots: new Slots(file, name, latest?.turn ?? 0), last: latest?.payload, state };
  }

  /** Durable when it returns. */
  put(payload: Uint8Array): void {
    if (payload.length > slotPayloadMax) throw new RangeError("Cannot put slot: its payload is too long");
    const turn = this.#turn + 1;
    const bytes = new Uint8Array(slotBytes);
    const view = viewOf(bytes);
    view.setUint32(0, slotMagic, true);
    putWhole(view, 8, turn);
    view.setUint32(16, payload.length, true);
    bytes.set(payload, headBytes);
    view.setUint32(4, crc32(bytes.subarray(8), seedOf(this.#name, turn % 2)), true);
    this.#file.write((turn % 2) * slotBytes, bytes);
    this.#file.sync();
    this.#turn = turn;
  }

  close(): void {
    this.#file.close();
  }
}

/** What the file last held, without opening it for writing; undefined when it is absent or unreadable. */
export function peekSlots(files: Files, path: string): Uint8Array | undefined {
  try {
    const file = files.open(path);
    try {
      return latestSlot(file, nameOf(path))?.payload;
    } finally {
      file.close();
    }
  } catch (problem) {
    if (codeOf(problem) === "ENOENT") return undefined;
    throw problem;
  }
}

/** How the two slots of a file are; undefined when there is no such file. */
export function slotStates(files: Files, path: string): readonly SlotState[] | undefined {
  try {
    const file = files.open(path);
    try {
      return [0, 1].map((index) =>
        readSlot(file, nameOf(path), index) ? "whole" : isBlank(file, index) ? "blank" : "damaged"
      );
    } finally {
      file.close();
    }
  } catch (problem) {
    if (codeOf(problem) === "ENOENT") return undefined;
    throw problem;
  }
}

/** Blank: nothing was ever put there. */
export type SlotState = "whole" | "blank" | "damaged";

function isBlank(file: OpenFile, index: number): boolean {
  const bytes = new Uint8Array(slotBytes);
  return readIfReadable(file, index * slotBytes, bytes) === slotBytes && bytes.every((byte) => byte === 0);
}

/** Nothing of a block that the disk will not give any more: that slot is lost, and a start goes on without it. */
function readIfReadable(file: OpenFile, at: number, into: Uint8Array): number {
  try {
    return file.read(at, into);
  } catch (problem) {
    if (codeOf(problem) !== "EIO") throw problem;
    return 0;
  }
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function seedOf(name: string, index: number): number {
  return crc32(name, index);
}

function openOrCreate(files: Files, dir: string, path: string): { file: OpenFile; created: boolean } {
  if (files.exists(path)) return { file: files.open(path), created: false };
  const file = files.create(path);
  // Both slots really exist from the start, so that a full disk cannot stop a cursor.
  file.write(0, new Uint8Array(2 * slotBytes));
  file.sync();
  files.syncDir(dir);
  return { file, created: true };
}

interface Slot {
  readonly turn: number;
  readonly payload: Uint8Array;
}

function latestSlot(file: OpenFile, name: string): Slot | undefined {
  const found = [0, 1].map((index) => readSlot(file, name, index)).filter((slot) => slot !== undefined);
  return found.sort((a, b) => b.turn - a.turn)[0];
}

function readSlot(file: OpenFile, name: string, index: number): Slot | undefined {
  const bytes = new Uint8Array(slotBytes);
  if (readIfReadable(file, index * slotBytes, bytes) < slotBytes) return undefined;
  const view = viewOf(bytes);
  if (view.getUint32(0, true) !== slotMagic) return undefined;
  const turn = getWhole(view, 8);
  if (turn % 2 !== index || crc32(bytes.subarray(8), seedOf(name, index)) !== view.getUint32(4, true)) return undefined;
  const length = view.getUint32(16, true);
  if (length > slotPayloadMax) return undefined;
  return { turn, payload: bytes.slice(headBytes, headBytes + length) };
}
