import assert from "node:assert/strict";
import { check } from "./damage.ts";
import { simWith, Trial } from "./trial.ts";
import { trimmedLog } from "./written.ts";

const log = await trimmedLog();
const start = log.items[0]!.position;
const end = log.items.at(-1)!.position + 1;
const slotBytes = 4096;
/** Magic, checksum, turn, length, and the payload of a cursor. */
const usedOfSlot = 20 + 120;

interface Found {
  /** Where cursor "one", which stood at 9 and before that at 7, begins. */
  readonly cursor: number;
  readonly origin: string;
  readonly complaints: readonly string[];
}

/** A start on the damaged directory: all of the log is there, and the next message gets the next position. */
async function startWith(path: string, change: (bytes: Uint8Array) => Uint8Array): Promise<Found> {
  const image = new Map(log.image);
  image.set(path, change(image.get(path)!.slice()));
  const trial = new Trial(simWith(image), log.settings);
  check(trial.read(start), log);
  assert.equal(await trial.append("one more"), end);
  const cursor = trial.cursor("one", { fresh: 1, lost: 5 });
  return { cursor: cursor.position, origin: cursor.origin, complaints: trial.complaints };
}

async function everyFlip(path: string, places: readonly number[], look: (found: Found, at: number) => void) {
  for (const at of places) {
    for (let bit = 0; bit < 8; bit++) {
      try {
        look(await startWith(path, (bytes) => flipped(bytes, at, bit)), at);
      } catch (problem) {
        throw new Error(`bit ${bit} of byte ${at} of ${path}: ${(problem as Error).message}`, { cause: problem });
      }
    }
  }
}

function flipped(bytes: Uint8Array, at: number, bit: number): Uint8Array {
  bytes[at]! ^= 1 << bit;
  return bytes;
}

/** All bytes that a slot uses, and some of the others. */
function placesOfSlot(slot: number): number[] {
  const all = Array.from({ length: slotBytes }, (_, i) => slot * slotBytes + i);
  return all.filter((_, i) => i < usedOfSlot || i % 97 === 0);
}

function placesOf(path: string): number[] {
  return Array.from(log.image.get(path)!, (_, at) => at);
}

Deno.test("P9: a flipped bit in the newer slot of a cursor takes it back by one step", async () => {
  const newer = log.image.get("data/cursors/one")!;
  const turns = [0, 1].map((slot) =>
    new DataView(newer.buffer, newer.byteOffset).getUint32(slot * slotBytes + 8, true)
  );
  const latest = turns[0]! > turns[1]! ? 0 : 1;
  await everyFlip("data/cursors/one", placesOfSlot(latest), ({ cursor, origin }) => {
    assert.deepEqual([cursor, origin], [7, "whole"]);
  });
  await everyFlip("data/cursors/one", placesOfSlot(1 - latest), ({ cursor, origin }) => {
    assert.deepEqual([cursor, origin], [9, "whole"]);
  });
});

Deno.test("P9: a flipped bit in the mark moves nothing", async () => {
  for (const slot of [0, 1]) {
    await everyFlip("data/mark", placesOfSlot(slot), ({ cursor }) => assert.equal(cursor, 9));
  }
});

for (const name of ["epoch", "low", "node"]) {
  Deno.test(`P9: a flipped bit in file "${name}" moves nothing`, async () => {
    await everyFlip(`data/${name}`, placesOf(`data/${name}`), ({ cursor, complaints }) => {
      assert.equal(cursor, 9);
      if (name === "low") assert.match(complaints.join(), /"low" is damaged/);
    });
  });
}

Deno.test("P9: a small file cut at any length moves nothing but a cursor, and that back", async () => {
  for (const path of ["data/cursors/one", "data/mark", "data/epoch", "data/low", "data/node"]) {
    const bytes = log.image.get(path)!;
    const step = bytes.length > 100 ? 211 : 1;
    for (let length = 0; length < bytes.length; length += step) {
      const { cursor } = await startWith(path, (bytes) => bytes.slice(0, length));
      if (path === "data/cursors/one") assert.ok([5, 7, 9].includes(cursor), `cut at ${length}: cursor at ${cursor}`);
      else assert.equal(cursor, 9);
    }
  }
});

Deno.test("P9: a slot that was zeroed, doubled, or written to another file or place is not taken for what it is not", async () => {
  const paths = ["data/cursors/one", "data/cursors/two", "data/mark"];
  for (const path of paths) {
    for (const slot of [0, 1]) {
      for (const source of [...paths, "zeros"]) {
        for (const from of [0, 1]) {
          const block = (log.image.get(source) ?? new Uint8Array(2 * slotBytes)).subarray(
            from * slotBytes,
            (from + 1) * slotBytes,
          );
          const { cursor } = await startWith(path, (bytes) => (bytes.set(block, slot * slotBytes), bytes));
          const same = source === path && from === slot;
          const possible = path !== "data/cursors/one" || same ? [9] : [7, 9];
          assert.ok(possible.includes(cursor), `${source} ${from} at ${path} ${slot}: cursor at ${cursor}`);
        }
      }
    }
  }
});
