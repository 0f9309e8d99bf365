/** What must hold of a log that was damaged by hand: nothing undamaged is lost, nothing is invented, and the damage is told. */
import assert from "node:assert/strict";
import { type Image, type Item, quarantined, type Settings, simWith, Trial } from "./trial.ts";
import type { SimWorld } from "../sim/world.ts";

export interface Expected {
  /** What the log held. */
  readonly items: readonly Item[];
  /** Positions of the entries that may be lost; all others must arrive as they were. */
  readonly lost?: (position: number) => boolean;
  /** Whether somebody must be told. */
  readonly told?: boolean;
  readonly settings?: Settings;
}

/** Starts on the damaged directory, reads all, appends one more and reads that too. */
export async function survives(image: Image, damage: (sim: SimWorld) => void, expected: Expected): Promise<void> {
  const sim = simWith(image);
  damage(sim);
  const trial = new Trial(sim, expected.settings);
  const items = trial.read();
  check(items, expected);
  const told = trial.complaints.length + quarantined(sim).length > 0 || items.some((item) => "why" in item);
  if (expected.told) assert.ok(told, "damage went unnoticed");
  trial.writer.append(new TextEncoder().encode("one more"), 1);
  await sim.run(trial.writer.durable());
  const after = trial.read(items.length === 0 ? 0 : end(items));
  const last = after.pop()!;
  assert.ok("bytes" in last && new TextDecoder().decode(last.bytes) === "one more", "the new entry is not delivered");
  for (const gap of after) assert.ok("why" in gap, "an entry was invented behind the end");
}

/** Every item follows the one before it; what was not lost is there, byte by byte. */
export function check(items: readonly Item[], { items: original, lost = () => false }: Expected): void {
  let next = items[0]?.position ?? 0;
  for (const { position, count } of items) {
    assert.equal(position, next, "the items do not follow each other");
    next = position + count as typeof next;
  }
  const byPosition = new Map(items.map((item) => [item.position, item]));
  const entries = original.filter((item) => "bytes" in item);
  for (const entry of entries) {
    const found = byPosition.get(entry.position);
    if (found && "bytes" in found) {
      assert.deepEqual([found.count, found.bytes], [entry.count, entry.bytes], `entry ${entry.position} was altered`);
    } else {
      assert.ok(lost(entry.position), `entry ${entry.position} was lost`);
    }
  }
  const known = new Set(entries.map(({ position }) => position));
  for (const item of items) assert.ok("why" in item || known.has(item.position), `entry ${item.position} was invented`);
  if (next < end(original)) assert.ok(lost(end(original) - 1), "the end was lost");
}

function end(items: readonly Item[]): number {
  const last = items.at(-1);
  return last ? last.position + last.count : 0;
}
