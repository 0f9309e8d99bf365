/** How far one destination has come, in a file of two slots: `cursors/<destination>`. */
import { type Files, join, type World } from "../os/world.ts";
import { bytesOfHex, getWhole, hexOf, putWhole, viewOf } from "./format.ts";
import type { Cursor, Position } from "./mod.ts";
import { setFileAside } from "./quarantine.ts";
import { peekSlots, Slots } from "./slots.ts";
import { type Counts, type Verdict, verdicts } from "./verdict.ts";

/** What a cursor's slot says. Side cursors (topics that cannot go on) have room in the format and are not used yet. */
export interface CursorState {
  readonly node: string;
  readonly generation: number;
  readonly start: Position;
  readonly position: Position;
  readonly counts: Counts;
  /** So many of those taken were dead letters before. */
  readonly retaken: number;
  /** By command: nothing is delivered until somebody says so. */
  readonly paused: boolean;
}

const cursorVersion = 1;
const retakenAt = 96;
const flagsAt = 116;
const cursorBytes = 120;
const flagPaused = 1;
export const noCounts: Counts = Object.fromEntries(verdicts.map((verdict) => [verdict, 0])) as Counts;

/**
 * Opens or creates the cursor of destination `name` under `dir`/cursors. `places` gives where to begin when there is no cursor
 * yet, and when there was one that cannot be read any more: never further on than it was, so that costs copies, not messages.
 */
export function openCursor(
  world: World,
  dir: string,
  name: string,
  node: string,
  places: { readonly fresh: Position; readonly lost: Position },
): Cursor & { readonly origin: "new" | "whole" | "damaged" } {
  const cursors = join(dir, "cursors");
  const { slots, last, state } = Slots.open(world.files, cursors, name);
  const said = last && decodeCursor(last);
  // Another node's positions mean nothing here.
  const read = said?.node === node ? said : undefined;
  const origin = read ? "whole" : state === "new" ? "new" : "damaged";
  if (origin === "damaged") setFileAside(world.files, dir, join(cursors, name));
  const begin = origin === "new" ? places.fresh : places.lost;
  const from = read ??
    { node, generation: 1, start: begin, position: begin, counts: noCounts, retaken: 0, paused: false };
  const cursor = new SlotCursor(slots, from, origin);
  // What was read may stand in the cache alone, left by a process whose sync failed: retention must not go by it.
  cursor.sync();
  return cursor;
}

/** How far the cursors under `dir` are: their durable positions, without those that are unreadable or not of `node`. */
export function peekCursors(files: Files, dir: string, node?: string): Map<string, Position> {
  const cursors = join(dir, "cursors");
  const found = new Map<string, Position>();
  if (!files.exists(cursors)) return found;
  for (const name of files.list(cursors)) {
    const state = peekCursor(files, dir, name);
    if (state && state.node === (node ?? state.node)) found.set(name, state.position);
  }
  return found;
}

/** What the cursor of destination `name` durably says; undefined when there is none or it cannot be read. */
export function peekCursor(files: Files, dir: string, name: string): CursorState | undefined {
  const payload = peekSlots(files, join(dir, "cursors", name));
  return payload && decodeCursor(payload);
}

class SlotCursor implements Cursor {
  readonly origin: "new" | "whole" | "damaged";
  readonly #slots: Slots;
  #state: CursorState;
  #durable: Position;

  constructor(slots: Slots, state: CursorState, origin: "new" | "whole" | "damaged") {
    this.origin = origin;
    this.#slots = slots;
    this.#state = state;
    this.#durable = state.position;
  }
  get position(): Position {
    return this.#state.position;
  }
  get counts(): Counts {
    return this.#state.counts;
  }
  get retaken(): number {
    return this.#state.retaken;
  }
  get generation(): number {
    return this.#state.generation;
  }
  get start(): Position {
    return this.#state.start;
  }
  get durable(): Position {
    return this.#durable;
  }
  get paused(): boolean {
    return this.#state.paused;
  }
  advance(to: Position, step: Partial<Counts>): void {
    const given = verdicts.reduce((sum, verdict) => sum + (step[verdict] ?? 0), 0);
    if (to - this.#state.position !== given) {
      throw new Error(`Cannot advance cursor from ${this.#state.position} to ${to}: ${given} verdicts were given`);
    }
    const counts = added(this.#state.counts, step);
    this.#state = { ...this.#state, position: to, counts };
  }
  retake(count: number): void {
    const { counts, retaken } = this.#state;
    const moved = Math.min(count, counts.dead);
    const after = { ...counts, dead: counts.dead - moved, taken: counts.taken + moved };
    this.#state = { ...this.#state, counts: after, retaken: retaken + count };
    this.sync();
  }
  restart(at: Position): void {
    const generation = this.#state.generation + 1;
    this.#state = { ...this.#state, generation, start: at, position: at, counts: noCounts, retaken: 0 };
    this.sync();
  }
  pause(paused: boolean): void {
    this.#state = { ...this.#state, paused };
    this.sync();
  }
  sync(): void {
    this.#slots.put(encodeCursor(this.#state));
    this.#durable = this.#state.position;
  }
  close(): void {
    this.#slots.close();
  }
}

function added(counts: Counts, step: Partial<Counts>): Counts {
  const sum: Record<Verdict, number> = { ...counts };
  for (const verdict of verdicts) sum[verdict] += step[verdict] ?? 0;
  return sum;
}

function encodeCursor(state: CursorState): Uint8Array {
  const bytes = new Uint8Array(cursorBytes);
  const view = viewOf(bytes);
  view.setUint32(0, cursorVersion, true);
  view.setUint32(4, state.generation, true);
  bytes.set(bytesOfHex(state.node), 8);
  putWhole(view, 16, state.start);
  putWhole(view, 24, state.position);
  verdicts.forEach((verdict, i) => putWhole(view, 32 + 8 * i, state.counts[verdict]));
  putWhole(view, retakenAt, state.retaken);
  // 104–111 are reserved; at 112 stands the number of side cursors: none.
  view.setUint32(flagsAt, state.paused ? flagPaused : 0, true);
  return bytes;
}

function decodeCursor(bytes: Uint8Array): CursorState | undefined {
  const view = viewOf(bytes);
  if (bytes.length < cursorBytes || view.getUint32(0, true) !== cursorVersion) return undefined;
  const counts = Object.fromEntries(verdicts.map((verdict, i) => [verdict, getWhole(view, 32 + 8 * i)])) as Counts;
  return {
    node: hexOf(bytes.subarray(8, 16)),
    generation: view.getUint32(4, true),
    start: getWhole(view, 16) as Position,
    position: getWhole(view, 24) as Position,
    counts,
    retaken: getWhole(view, retakenAt),
    paused: (view.getUint32(flagsAt, true) & flagPaused) !== 0,
  };
}
