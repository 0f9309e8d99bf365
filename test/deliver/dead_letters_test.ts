import assert from "node:assert/strict";
import type { Delivery } from "../../src/deliver/adaptor.ts";
import { DeadLetters, DeadLettersFull } from "../../src/deliver/dead_letters.ts";
import type { DeadLetter } from "../../src/deliver/letter.ts";
import { openCursor, type Position } from "../../src/log/mod.ts";
import { makeDurableDir } from "../../src/os/world.ts";
import { SimWorld } from "../sim/world.ts";

const node = "9f3c01aa27de4410";
const open = (sim: SimWorld, bytesMax = 1 << 30) =>
  new DeadLetters(sim.boot(), "data/dead/one", { node, bytesMax, report() {} });
const lettersOf = (letters: DeadLetters): DeadLetter[] => [...letters.letters()].map(({ letter }) => letter);
const positionsOf = (letters: DeadLetters): number[] => lettersOf(letters).map(({ position }) => position);
const all = () => true;

/** A cursor at 100, with ten dead letters counted. */
function cursorOf(sim: SimWorld): ReturnType<typeof openCursor> {
  const start = 0 as Position;
  const world = sim.boot();
  makeDurableDir(world.files, "data/cursors");
  const cursor = openCursor(world, "data", "one", node, { fresh: start, lost: start });
  if (cursor.position === 0) cursor.advance(100 as Position, { taken: 90, dead: 10 });
  cursor.sync();
  return cursor;
}

function refused(position: number, size = 1): { delivery: Delivery; reason: string } {
  const data = new Uint8Array(size + 2).fill(position);
  const message = { topic: "t", key: `k${position}`, timestamp: 5, submittedMs: 4, data, dataIsJson: false };
  return { delivery: { id: `id-${position}`, position: position as Position, message, body: data }, reason: "because" };
}

Deno.test("P15 a dead letter has its message whole, with reason, tries and position", async () => {
  const sim = new SimWorld(1);
  const letters = open(sim);
  await sim.run(letters.keep([refused(3)], 2, 1));
  const [letter] = lettersOf(letters);
  assert.deepEqual({ ...letter!.message, data: [...letter!.message.data] }, {
    ...refused(3).delivery.message,
    data: [3, 3, 3],
  });
  assert.deepEqual([letter!.position, letter!.id, letter!.reason, letter!.tries], [3, "id-3", "because", 2]);
});

Deno.test("P15 dead letters survive a power cut, and a repeat after it is stored once", async () => {
  const sim = new SimWorld(1);
  await sim.run(open(sim).keep([refused(3), refused(4)], 1, 1));
  sim.cutPower();
  const letters = open(sim);
  await sim.run(letters.keep([refused(4), refused(5)], 1, 1));
  assert.deepEqual(positionsOf(letters), [3, 4, 5]);
});

Deno.test("P15 a letter refused again after a rewind is there once, and counted in the later generation", async () => {
  const sim = new SimWorld(1);
  const letters = open(sim);
  await sim.run(letters.keep([refused(3), refused(4)], 1, 1));
  await sim.run(letters.keep([refused(3)], 1, 2));
  assert.deepEqual(lettersOf(letters).map(({ position, generation }) => [position, generation]), [[4, 1], [3, 2]]);
});

Deno.test("P15 a full store refuses, and keeps what it has; purged, it has room again", async () => {
  const sim = new SimWorld(1);
  await sim.run(open(sim).keep([refused(3)], 1, 1));
  const letters = open(sim, 200);
  await assert.rejects(sim.run(letters.keep([refused(4)], 1, 1)), DeadLettersFull);
  assert.deepEqual(positionsOf(letters), [3]);
  assert.equal(await sim.run(letters.purge(all)), 1);
  await sim.run(letters.keep([refused(4)], 1, 1));
  assert.deepEqual(positionsOf(letters), [4]);
});

Deno.test("M4 what is purged stays away over a power cut, and what was not wanted stays", async () => {
  const sim = new SimWorld(1);
  const letters = open(sim);
  await sim.run(letters.keep([1, 2, 3, 4].map((position) => refused(position)), 1, 1));
  assert.equal(await sim.run(letters.purge(({ position }) => position % 2 === 0)), 2);
  sim.cutPower();
  assert.deepEqual(positionsOf(open(sim)), [1, 3]);
});

Deno.test("M4 P2 what is taken after all is a dead letter no more, and its verdict moves from dead to taken", async () => {
  const sim = new SimWorld(1);
  const cursor = cursorOf(sim);
  const letters = open(sim);
  letters.settle(cursor);
  await sim.run(letters.keep([1, 2, 3, 200].map((position) => refused(position)), 1, 1));
  assert.equal(await sim.run(letters.ask(({ position }) => position !== 2)), 3);
  assert.deepEqual(lettersOf(letters).map(({ again }) => again ?? false), [true, false, true, true]);
  await sim.run(letters.take(lettersOf(letters).filter(({ again }) => again), cursor));
  assert.deepEqual([positionsOf(letters), letters.asked], [[2], 0]);
  // The one at 200 has no verdict yet.
  assert.deepEqual([cursor.counts.taken, cursor.counts.dead, cursor.retaken], [92, 8, 2]);
  sim.cutPower();
  const [again, its] = [cursorOf(sim), open(sim)];
  its.settle(again);
  assert.deepEqual([again.counts.taken, again.counts.dead], [92, 8]);
});

Deno.test("M4 P2 a crash between the letter's end and the cursor's count is made good at the next start, once", async () => {
  const sim = new SimWorld(1);
  const cursor = cursorOf(sim);
  const letters = open(sim);
  letters.settle(cursor);
  await sim.run(letters.keep([refused(1), refused(2)], 1, 1));
  let writes = 0;
  // The record of the letters is written; the cursor's slot is not.
  sim.watch = (call, path) => {
    if (call === "write" && path.includes("cursors") && ++writes === 1) sim.failNth(1, "EIO", { kinds: ["write"] });
  };
  await assert.rejects(sim.run(letters.take(lettersOf(letters), cursor)));
  sim.watch = undefined;
  sim.cutPower();
  for (let start = 0; start < 2; start++) {
    const [again, its] = [cursorOf(sim), open(sim)];
    its.settle(again);
    assert.deepEqual([positionsOf(its), again.counts.taken, again.counts.dead], [[], 92, 8]);
    sim.killProcess();
  }
});

Deno.test("M4 a letter that is refused once more stays, with the new reason and one more try, and is not asked for", async () => {
  const sim = new SimWorld(1);
  const letters = open(sim);
  await sim.run(letters.keep([refused(1), refused(2)], 1, 1));
  await sim.run(letters.ask(all));
  await sim.run(letters.keepAgain([{ letter: lettersOf(letters)[0]!, reason: "still" }]));
  sim.cutPower();
  assert.deepEqual(
    lettersOf(open(sim)).map(({ position, reason, tries, again }) => [position, reason, tries, again ?? false]),
    [[2, "because", 1, true], [1, "still", 2, false]],
  );
});

Deno.test("M4 what is gone gives its room back, also where a few letters are left among many that are gone", async () => {
  const sim = new SimWorld(1);
  const letters = open(sim);
  letters.settle(cursorOf(sim));
  for (let at = 0; at < 60; at++) await sim.run(letters.keep([refused(at, 500_000)], 1, 1));
  const bytesOf = () => sim.filesUnder("data/dead/one/log").reduce((sum, path) => sum + sim.fileBytes(path).length, 0);
  const before = bytesOf();
  assert.ok(before > 30_000_000, String(before));
  assert.equal(await sim.run(letters.purge(({ position }) => position % 20 !== 7)), 57);
  assert.deepEqual(positionsOf(letters).toSorted((a, b) => a - b), [7, 27, 47]);
  assert.ok(bytesOf() < 16_000_000, String(bytesOf()));
  sim.cutPower();
  assert.deepEqual(positionsOf(open(sim)).toSorted((a, b) => a - b), [7, 27, 47]);
});

Deno.test("P15 a store that cannot be read for want of handles is asked again, and nobody else writes it meanwhile", async () => {
  for (let n = 1; n <= 40; n++) {
    const sim = new SimWorld(n);
    const before = open(sim);
    // The last commit is the one that nothing proves to be synced: it is copied into a new segment by the next start.
    for (const position of [2, 3]) await sim.run(before.keep([refused(position)], 1, 1));
    sim.killProcess();
    sim.failNth(n, "EMFILE", { kinds: ["create", "open", "list", "syncDir"], persistent: true });
    let letters: DeadLetters | undefined;
    const keep = async (position: number) => await (letters ??= open(sim)).keep([refused(position)], 1, 1);
    await sim.run(keep(4)).catch(() => {});
    await sim.run(50);
    sim.heal();
    // As the pump does it.
    for (let tries = 0; tries < 20 && !(await sim.run(keep(4).then(() => true, () => false))); tries++) {
      await sim.run(100);
    }
    await sim.run(keep(5));
    await sim.run(5000);
    await sim.run(keep(6));
    sim.cutPower();
    assert.deepEqual(positionsOf(open(sim)), [2, 3, 4, 5, 6], `the ${n}th call`);
  }
});

/** The log of the letters has written what it cannot say to be synced. */
const failSyncs = (sim: SimWorld) => sim.failNth(1, "EIO", { kinds: ["sync"], persistent: true });

Deno.test("P2 P15 a letter whose sync has failed may stand there after a start: it is not taken for none", async () => {
  const sim = new SimWorld(1);
  const letters = open(sim);
  await sim.run(letters.keep([refused(2)], 1, 1));
  failSyncs(sim);
  await assert.rejects(sim.run(letters.keep([refused(3)], 1, 1)));
  assert.equal(letters.has(3 as Position), true);
  // Its message is taken meanwhile: who cannot write that the letter is gone must not go on as if there was none.
  await assert.rejects(sim.run(letters.forget([3 as Position])));
});

Deno.test("P2 P15 a letter of which a record may say that it is gone is not relied on: a repeat is stored anew, or fails", async () => {
  const sim = new SimWorld(1);
  const letters = open(sim);
  await sim.run(letters.keep([refused(2), refused(3)], 1, 1));
  failSyncs(sim);
  await assert.rejects(sim.run(letters.forget([3 as Position])));
  await assert.rejects(sim.run(letters.keep([refused(3)], 1, 1)));
  await sim.run(letters.keep([refused(2)], 1, 1));
});
