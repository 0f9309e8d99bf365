/** How far one destination has come, in a file of two slots: `cursors/<destination>`. */
import { Buffer } from "node:buffer";
import { type Files, join, type World } from "../os/world.ts";
import { bytesOfHex, getWhole, hexOf, putWhole, viewOf } from "./format.ts";
import type { Cursor, Position, Side } from "./mod.ts";
import { setFileAside } from "./quarantine.ts";
import { type OpenSlots, peekSlots, slotPayloadMax, Slots } from "./slots.ts";
import { type Counts, type Verdict, verdicts } from "./verdict.ts";

/** What a cursor's slot says. */
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
  /** Everything before it has a verdict, too, but for what the side cursors say; the position itself where there are none. */
  readonly ahead: Position;
  /** Of topics that wait. */
  readonly sides: ReadonlyMap<string, Side>;
}

const cursorVersion = 1;
const retakenAt = 96;
const aheadAt = 104;
const sideCountAt = 112;
const flagsAt = 116;
const cursorBytes = 120;
const flagPaused = 1;
/** The counts have what was delivered ahead of topics that wait. Without it they have not, and it comes again. */
const flagCounted = 2;
/** Of a side cursor, without its topic: the topic's length, the position, and how many wait. */
const sideBytes = 2 + 8 + 8;
const noSides: ReadonlyMap<string, Side> = new Map();
export const noCounts: Counts = Object.fromEntries(verdicts.map((verdict) => [verdict, 0])) as Counts;

/** Where a cursor begins: when there is none yet, and when there was one that cannot be read any more. */
interface Places {
  readonly fresh: Position;
  readonly lost: Position;
}
type Origin = "new" | "whole" | "damaged";

/**
 * Opens or creates the cursor of destination `name` under `dir`/cursors. `places` gives where to begin when there is no cursor
 * yet, and when there was one that cannot be read any more: never further on than it was, so that costs copies, not messages.
 */
export function openCursor(
  world: World,
  dir: string,
  name: string,
  node: string,
  places: Places,
): Cursor & { readonly origin: Origin } {
  const cursor = cursorIn(Slots.open(world.files, join(dir, "cursors"), name), node, places);
  if (cursor.origin === "damaged") setFileAside(world.files, dir, join(dir, "cursors", name));
  // What was read may stand in the cache alone, left by a process whose sync failed: retention must not go by it.
  cursor.sync();
  return cursor;
}

/** The same for who only wants it to be there and to know where it is; the thread does not wait for the disk. */
export async function makeCursor(
  world: World,
  dir: string,
  name: string,
  node: string,
  places: Places,
): Promise<{ readonly position: Position; readonly origin: Origin }> {
  const cursor = cursorIn(await Slots.openAside(world.files, join(dir, "cursors"), name), node, places);
  try {
    // A copy of what is damaged is rare enough to be waited for.
    if (cursor.origin === "damaged") setFileAside(world.files, dir, join(dir, "cursors", name));
    await cursor.syncAside();
    return { position: cursor.position, origin: cursor.origin };
  } finally {
    cursor.close();
  }
}

function cursorIn({ slots, last, state }: OpenSlots, node: string, places: Places): SlotCursor {
  const said = last && decodeCursor(last);
  // Another node's positions mean nothing here.
  const read = said?.node === node ? said : undefined;
  const origin = read ? "whole" : state === "new" ? "new" : "damaged";
  const begin = origin === "new" ? places.fresh : places.lost;
  const from = read ??
    {
      ...{ node, generation: 1, start: begin, position: begin, ahead: begin },
      ...{ counts: noCounts, retaken: 0, paused: false, sides: noSides },
    };
  return new SlotCursor(slots, from, origin);
}

/** How far the cursors under `dir` are: their durable positions, without those that are unreadable or not of `node`. */
export function peekCursors(files: Files, dir: string, node?: string): Map<string, Position> {
  return new Map([...statesIn(files, dir, node)].map(([name, { position }]) => [name, position]));
}

/** How far each of them has seen the log: nobody else's messages may stand before that. */
export function seenByCursors(files: Files, dir: string, node: string): Position[] {
  return [...statesIn(files, dir, node).values()].map(({ ahead }) => ahead);
}

function statesIn(files: Files, dir: string, node: string | undefined): Map<string, CursorState> {
  const cursors = join(dir, "cursors");
  const found = new Map<string, CursorState>();
  if (!files.exists(cursors)) return found;
  for (const name of files.list(cursors)) {
    const state = peekCursor(files, dir, name);
    if (state && state.node === (node ?? state.node)) found.set(name, state);
  }
  return found;
}

/** What the cursor of destination `name` durably says; undefined when there is none or it cannot be read. */
export function peekCursor(files: Files, dir: string, name: string): CursorState | undefined {
  const payload = peekSlots(files, join(dir, "cursors", name));
  return payload && decodeCursor(payload);
}

class SlotCursor implements Cursor {
  readonly origin: Origin;
  readonly #slots: Slots;
  #state: CursorState;
  #durable: CursorState;

  constructor(slots: Slots, state: CursorState, origin: Origin) {
    this.origin = origin;
    this.#slots = slots;
    this.#state = state;
    this.#durable = state;
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
    return this.#durable.position;
  }
  get synced(): boolean {
    return this.#durable === this.#state;
  }
  get ahead(): Position {
    return this.#state.ahead;
  }
  get sides(): ReadonlyMap<string, Side> {
    return this.#state.sides;
  }
  get waiting(): number {
    return waitingIn(this.#state.sides);
  }
  get paused(): boolean {
    return this.#state.paused;
  }
  advance(to: Position, step: Partial<Counts>): void {
    if (this.#state.sides.size > 0) throw new Error("Cannot advance: topics wait");
    this.settle(to, noSides, step);
  }
  holdsSides(topics: Iterable<string>): boolean {
    let bytes = cursorBytes;
    for (const topic of topics) bytes += sideBytes + Buffer.byteLength(topic);
    return bytes <= slotPayloadMax;
  }
  settle(ahead: Position, sides: ReadonlyMap<string, Side>, step: Partial<Counts>): void {
    const before = this.#state;
    const given = verdicts.reduce((sum, verdict) => sum + (step[verdict] ?? 0), 0);
    const waiting = waitingIn(sides) - waitingIn(before.sides);
    if (ahead - before.ahead !== given + waiting) {
      throw new Error(
        `Cannot advance cursor from ${before.ahead} to ${ahead}: ${given} verdicts were given, ${waiting} more wait`,
      );
    }
    let position = ahead;
    for (const [topic, { from, waits }] of sides) {
      if (from < before.position || from >= ahead || waits < 1) {
        throw new Error(`Cannot leave ${waits} messages of topic "${topic}" behind at ${from}`);
      }
      if (from < position) position = from;
    }
    const counts = added(before.counts, step);
    this.#state = { ...before, position, counts, ahead, sides: sides.size === 0 ? noSides : sides };
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
    const fresh = { start: at, position: at, ahead: at, counts: noCounts, retaken: 0, sides: noSides };
    this.#state = { ...this.#state, generation, ...fresh };
    this.sync();
  }
  pause(paused: boolean): void {
    this.#state = { ...this.#state, paused };
    this.sync();
  }
  sync(): void {
    this.#slots.put(encodeCursor(this.#state));
    this.#durable = this.#state;
  }
  async syncAside(): Promise<void> {
    const state = this.#state;
    await this.#slots.putAside(encodeCursor(state));
    this.#durable = state;
  }
  close(): void {
    this.#slots.close();
  }
}

/** How many messages wait in all. */
export function waitingIn(sides: ReadonlyMap<string, Side>): number {
  let sum = 0;
  for (const { waits } of sides.values()) sum += waits;
  return sum;
}

function added(counts: Counts, step: Partial<Counts>): Counts {
  const sum: Record<Verdict, number> = { ...counts };
  for (const verdict of verdicts) sum[verdict] += step[verdict] ?? 0;
  return sum;
}

function encodeCursor(state: CursorState): Uint8Array {
  const sides = [...state.sides].map(([topic, side]) => ({ name: Buffer.from(topic), ...side }));
  const bytes = new Uint8Array(sides.reduce((sum, { name }) => sum + sideBytes + name.length, cursorBytes));
  const view = viewOf(bytes);
  view.setUint32(0, cursorVersion, true);
  view.setUint32(4, state.generation, true);
  bytes.set(bytesOfHex(state.node), 8);
  putWhole(view, 16, state.start);
  putWhole(view, 24, state.position);
  verdicts.forEach((verdict, i) => putWhole(view, 32 + 8 * i, state.counts[verdict]));
  putWhole(view, retakenAt, state.retaken);
  if (state.ahead > state.position) putWhole(view, aheadAt, state.ahead);
  view.setUint32(sideCountAt, sides.length, true);
  view.setUint32(flagsAt, (state.paused ? flagPaused : 0) | (sides.length > 0 ? flagCounted : 0), true);
  let at = cursorBytes;
  for (const { name, from, waits } of sides) {
    view.setUint16(at, name.length, true);
    bytes.set(name, at + 2);
    putWhole(view, at + 2 + name.length, from);
    putWhole(view, at + 10 + name.length, waits);
    at += sideBytes + name.length;
  }
  return bytes;
}

function decodeCursor(bytes: Uint8Array): CursorState | undefined {
  const view = viewOf(bytes);
  if (bytes.length < cursorBytes || view.getUint32(0, true) !== cursorVersion) return undefined;
  const counts = Object.fromEntries(verdicts.map((verdict, i) => [verdict, getWhole(view, 32 + 8 * i)])) as Counts;
  const position = getWhole(view, 24) as Position;
  const flags = view.getUint32(flagsAt, true);
  const counted = (flags & flagCounted) !== 0;
  return {
    node: hexOf(bytes.subarray(8, 16)),
    generation: view.getUint32(4, true),
    start: getWhole(view, 16) as Position,
    position,
    ahead: counted ? Math.max(position, getWhole(view, aheadAt)) as Position : position,
    sides: counted ? decodeSides(bytes) : noSides,
    counts,
    retaken: getWhole(view, retakenAt),
    paused: (flags & flagPaused) !== 0,
  };
}

function decodeSides(bytes: Uint8Array): ReadonlyMap<string, Side> {
  const view = viewOf(bytes);
  const sides = new Map<string, Side>();
  let at = cursorBytes;
  for (let left = view.getUint32(sideCountAt, true); left > 0; left--) {
    const length = view.getUint16(at, true);
    const topic = new TextDecoder().decode(bytes.subarray(at + 2, at + 2 + length));
    const from = getWhole(view, at + 2 + length) as Position;
    sides.set(topic, { from, waits: getWhole(view, at + 10 + length) });
    at += sideBytes + length;
  }
  return sides;
}
