/**
 * A small file of two slots written in turn: the durable mark and every cursor. A power cut in the middle of a write leaves the
 * other slot whole. Each slot is 4096 bytes: magic u32 · CRC u32 over the rest · turn u64 · length u32 · payload · zeros.
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
  #turn: number;

  private constructor(file: OpenFile, turn: number) {
    this.#file = file;
    this.#turn = turn;
  }

  /**
   * Opens or creates the file. `last` is what was last put and is whole; `state` tells a new file from one that has nothing
   * readable any more.
   */
  static open(
    files: Files,
    dir: string,
    name: string,
  ): { slots: Slots; last?: Uint8Array; state: "new" | "whole" | "damaged" } {
    const path = join(dir, name);
    const { file, created } = openOrCreate(files, dir, path);
    const found = [0, 1].map((index) => readSlot(file, index)).filter((slot) => slot !== undefined);
    const latest = found.sort((a, b) => b.turn - a.turn)[0];
    const state = latest ? "whole" : created ? "new" : "damaged";
    return { slots: new Slots(file, latest?.turn ?? 0), last: latest?.payload, state };
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
    view.setUint32(4, crc32(bytes.subarray(8), turn % 2), true);
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
      const found = [0, 1].map((index) => readSlot(file, index)).filter((slot) => slot !== undefined);
      return found.sort((a, b) => b.turn - a.turn)[0]?.payload;
    } finally {
      file.close();
    }
  } catch (problem) {
    if (codeOf(problem) === "ENOENT") return undefined;
    throw problem;
  }
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

function readSlot(file: OpenFile, index: number): { turn: number; payload: Uint8Array } | undefined {
  const bytes = new Uint8Array(slotBytes);
  if (file.read(index * slotBytes, bytes) < slotBytes) return undefined;
  const view = viewOf(bytes);
  if (view.getUint32(0, true) !== slotMagic) return undefined;
  const turn = getWhole(view, 8);
  if (turn % 2 !== index || crc32(bytes.subarray(8), index) !== view.getUint32(4, true)) return undefined;
  const length = view.getUint32(16, true);
  if (length > slotPayloadMax) return undefined;
  return { turn, payload: bytes.slice(headBytes, headBytes + length) };
}
