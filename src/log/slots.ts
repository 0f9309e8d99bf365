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

export interface OpenSlots {
  readonly slots: Slots;
  readonly last?: Uint8Array;
  readonly state: "new" | SlotState;
}

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
  static open(files: Files, dir: string, name: string): OpenSlots {
    const path = join(dir, name);
    if (files.exists(path)) {
      const file = files.open(path);
      return Slots.#of(file, name, [0, 1].map((index) => readBlock(file, index)));
    }
    const file = files.create(path);
    file.write(0, new Uint8Array(2 * slotBytes));
    file.sync();
    files.syncDir(dir);
    return Slots.#new(file, name);
  }

  /** The same, and only who awaits it waits for the disk, but for the moment in which a new file gets its name. */
  static async openAside(files: Files, dir: string, name: string): Promise<OpenSlots> {
    const path = join(dir, name);
    if (await files.aside.exists(path)) {
      const file = files.open(path);
      return Slots.#of(file, name, [await readBlockAside(file, 0), await readBlockAside(file, 1)]);
    }
    const file = files.create(path);
    await file.writeAside(0, new Uint8Array(2 * slotBytes));
    await files.aside.syncDir(dir);
    return Slots.#new(file, name);
  }

  /** Both slots really exist from the start, so that a full disk cannot stop a cursor. */
  static #new(file: OpenFile, name: string): OpenSlots {
    return { slots: new Slots(file, name, 0), state: "new" };
  }
  static #of(file: OpenFile, name: string, blocks: readonly Uint8Array[]): OpenSlots {
    const latest = latestOf(blocks, name);
    const state = latest ? "whole" : blocks.every(isBlank) ? "blank" : "damaged";
    return { slots: new Slots(file, name, latest?.turn ?? 0), last: latest?.payload, state };
  }

  /** Durable when it returns. */
  put(payload: Uint8Array): void {
    const { at, bytes } = this.#next(payload);
    this.#file.write(at, bytes);
    this.#file.sync();
    this.#turn++;
  }

  /** Durable when it resolves; nothing else is put meanwhile. */
  async putAside(payload: Uint8Array): Promise<void> {
    const { at, bytes } = this.#next(payload);
    await this.#file.writeAside(at, bytes);
    this.#turn++;
  }

  #next(payload: Uint8Array): { at: number; bytes: Uint8Array } {
    if (payload.length > slotPayloadMax) throw new RangeError("Cannot put slot: its payload is too long");
    const turn = this.#turn + 1;
    const bytes = new Uint8Array(slotBytes);
    const view = viewOf(bytes);
    view.setUint32(0, slotMagic, true);
    putWhole(view, 8, turn);
    view.setUint32(16, payload.length, true);
    bytes.set(payload, headBytes);
    view.setUint32(4, crc32(bytes.subarray(8), seedOf(this.#name, turn % 2)), true);
    return { at: (turn % 2) * slotBytes, bytes };
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
      return latestOf([0, 1].map((index) => readBlock(file, index)), nameOf(path))?.payload;
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
      return [0, 1].map((index) => {
        const block = readBlock(file, index);
        return slotIn(block, nameOf(path), index) ? "whole" : isBlank(block) ? "blank" : "damaged";
      });
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

function isBlank(block: Uint8Array): boolean {
  return block.length === slotBytes && block.every((byte) => byte === 0);
}

function readBlock(file: OpenFile, index: number): Uint8Array {
  const block = new Uint8Array(slotBytes);
  try {
    return block.subarray(0, file.read(index * slotBytes, block));
  } catch (problem) {
    return noBlock(problem);
  }
}

async function readBlockAside(file: OpenFile, index: number): Promise<Uint8Array> {
  const block = new Uint8Array(slotBytes);
  try {
    return block.subarray(0, await file.readAside(index * slotBytes, block));
  } catch (problem) {
    return noBlock(problem);
  }
}

/** Nothing of a block that the disk will not give any more: that slot is lost, and a start goes on without it. */
function noBlock(problem: unknown): Uint8Array {
  if (codeOf(problem) !== "EIO") throw problem;
  return new Uint8Array(0);
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function seedOf(name: string, index: number): number {
  return crc32(name, index);
}

interface Slot {
  readonly turn: number;
  readonly payload: Uint8Array;
}

function latestOf(blocks: readonly Uint8Array[], name: string): Slot | undefined {
  const found = blocks.map((block, index) => slotIn(block, name, index)).filter((slot) => slot !== undefined);
  return found.sort((a, b) => b.turn - a.turn)[0];
}

function slotIn(bytes: Uint8Array, name: string, index: number): Slot | undefined {
  if (bytes.length < slotBytes) return undefined;
  const view = viewOf(bytes);
  if (view.getUint32(0, true) !== slotMagic) return undefined;
  const turn = getWhole(view, 8);
  if (turn % 2 !== index || crc32(bytes.subarray(8), seedOf(name, index)) !== view.getUint32(4, true)) return undefined;
  const length = view.getUint32(16, true);
  if (length > slotPayloadMax) return undefined;
  return { turn, payload: bytes.slice(headBytes, headBytes + length) };
}
