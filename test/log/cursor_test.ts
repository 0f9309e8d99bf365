import assert from "node:assert/strict";
import { peekCursor, seenByCursors } from "../../src/log/cursor.ts";
import { type Counts, makeCursor, openCursor, peekCursors, type Position, verdicts } from "../../src/log/mod.ts";
import { Slots } from "../../src/log/slots.ts";
import { codeOf } from "../../src/os/world.ts";
import { SimWorld } from "../sim/world.ts";
import { bytesOf, quarantined, Trial } from "./trial.ts";

const node = "0123456789abcdef";
const path = "data/cursors/out";
const none = Object.fromEntries(verdicts.map((verdict) => [verdict, 0])) as Counts;

type Cursor = ReturnType<typeof openCursor>;

function opened(sim: SimWorld, { fresh = 100, lost = 40 } = {}): Cursor {
  sim.writeFile("data/cursors/neighbour", new Uint8Array(0));
  return openCursor(sim.boot(), "data", "out", node, { fresh: fresh as Position, lost: lost as Position });
}
/** A cursor that was synced at 110 and then at 120. */
function atTwenty(sim = new SimWorld(1)): SimWorld {
  const cursor = opened(sim);
  for (const to of [110, 120]) {
    cursor.advance(to as Position, { taken: 10 });
    cursor.sync();
  }
  cursor.close();
  return sim;
}
function about(cursor: Cursor) {
  const { origin, position, durable, start, generation, counts } = cursor;
  return { origin, position, durable, start, generation, taken: counts.taken };
}

Deno.test("a new cursor begins where a new destination does, with nothing counted, and is durable", () => {
  const sim = new SimWorld(1);
  const cursor = opened(sim);
  assert.deepEqual(about(cursor), { origin: "new", position: 100, durable: 100, start: 100, generation: 1, taken: 0 });
  sim.cutPower();
  assert.deepEqual(about(opened(sim)), { ...about(cursor), origin: "whole" });
});

Deno.test("a cursor says where it was, what it counted and in which generation", () => {
  const sim = new SimWorld(1);
  const cursor = opened(sim);
  cursor.restart(50 as Position);
  const counts = { taken: 1, filtered: 2, sampled: 3, dead: 4, skipped: 5, expired: 6, overwritten: 7, damaged: 8 };
  cursor.advance(86 as Position, counts);
  cursor.pause(true);
  sim.cutPower();
  const again = opened(sim);
  assert.deepEqual(about(again), { origin: "whole", position: 86, durable: 86, start: 50, generation: 2, taken: 1 });
  assert.deepEqual([again.counts, again.paused], [counts, true]);
  assert.equal(peekCursor(sim.files, "data", "out")!.position, 86);
});

Deno.test("P2: a step that does not give every message a verdict is refused", () => {
  const cursor = opened(new SimWorld(1));
  assert.throws(() => cursor.advance(103 as Position, { taken: 2 }), /2 verdicts were given/);
  assert.throws(() => cursor.advance(101 as Position, { taken: 1, dead: 1 }), /2 verdicts/);
  cursor.advance(103 as Position, { taken: 2, dead: 1 });
  assert.deepEqual(cursor.counts, { ...none, taken: 2, dead: 1 });
});

Deno.test("P13: how far a cursor is durably moves only with a sync that succeeded", () => {
  const sim = new SimWorld(1);
  const cursor = opened(sim);
  cursor.advance(110 as Position, { taken: 10 });
  assert.deepEqual([cursor.position, cursor.durable], [110, 100]);
  sim.failNth(1, "EIO", { kinds: ["sync"] });
  assert.throws(() => cursor.sync(), (problem) => codeOf(problem) === "EIO");
  assert.equal(cursor.durable, 100);
  cursor.sync();
  assert.equal(cursor.durable, 110);
  sim.cutPower();
  assert.equal(opened(sim).position, 110);
});

Deno.test("P13: what a killed program left in the cache alone is made durable before anybody goes by it", () => {
  for (let seed = 0; seed < 30; seed++) {
    const sim = new SimWorld(seed);
    const cursor = opened(sim);
    cursor.advance(110 as Position, { taken: 10 });
    sim.failNth(1, "EIO", { kinds: ["sync"] });
    assert.throws(() => cursor.sync());
    sim.killProcess();
    const { durable } = opened(sim);
    sim.cutPower();
    assert.ok(opened(sim).position >= durable);
  }
});

Deno.test("P9: a cursor whose last slot is torn goes back by one step", () => {
  const sim = atTwenty();
  const newer = [0, 4096].find((slot) => new DataView(sim.fileBytes(path).buffer).getUint8(slot + 8) === 3)!;
  sim.flipByte(path, newer + 50);
  assert.deepEqual(about(opened(sim)), { ...about(opened(atTwenty())), position: 110, durable: 110, taken: 10 });
});

Deno.test("P9: a stale cursor is gone by: that costs copies", () => {
  const sim = new SimWorld(1);
  opened(sim).close();
  const stale = sim.fileBytes(path);
  atTwenty(sim);
  sim.writeFile(path, stale);
  assert.deepEqual([opened(sim).origin, opened(sim).position], ["whole", 100]);
});

const unreadable: Readonly<Record<string, (sim: SimWorld) => void>> = {
  "of no bytes": (sim) => sim.truncateFile(path, 0),
  "full of zeros": (sim) => sim.writeFile(path, new Uint8Array(8192)),
  "with two damaged slots": (sim) => [0, 4096].forEach((slot) => sim.flipByte(path, slot + 50)),
  "of garbage": (sim) => sim.writeFile(path, new Uint8Array(8192).fill(0xa5)),
  "longer than it should be, and garbage": (sim) => sim.writeFile(path, new Uint8Array(20_000).fill(1)),
  "of another node": (sim) => otherNode(sim),
  "of another destination": (sim) => otherDestination(sim),
};

function otherNode(sim: SimWorld): void {
  sim.files.remove(path);
  const places = { fresh: 999_999 as Position, lost: 0 as Position };
  openCursor(sim.boot(), "data", "out", "fedcba9876543210", places).close();
}
function otherDestination(sim: SimWorld): void {
  const places = { fresh: 999_999 as Position, lost: 0 as Position };
  openCursor(sim.boot(), "data", "other", node, places).close();
  sim.copyFile("data/cursors/other", path);
}

for (const [how, damage] of Object.entries(unreadable)) {
  Deno.test(`P9: a cursor ${how} goes back to where it certainly was, and a copy is set aside`, () => {
    const sim = atTwenty();
    damage(sim);
    const before = sim.fileBytes(path);
    assert.deepEqual(about(opened(sim)), {
      origin: "damaged",
      position: 40,
      durable: 40,
      start: 40,
      generation: 1,
      taken: 0,
    });
    const [copy] = quarantined(sim);
    assert.match(copy!, /^out-[0-9a-f]{8}\.bad$/);
    assert.deepEqual(sim.fileBytes(`data/quarantine/${copy}`), before);
    assert.equal(opened(sim).origin, "whole", "it is whole again");
  });
}

Deno.test("P9: a cursor that is lost begins like that of a new destination", () => {
  const sim = atTwenty();
  sim.files.remove(path);
  assert.deepEqual([opened(sim).origin, opened(sim).position], ["new", 100]);
});

Deno.test("P8: no state of a cursor's file stops the start of the log, or moves its end", async () => {
  for (const [how, damage] of Object.entries({ ...unreadable, lost: (sim: SimWorld) => sim.files.remove(path) })) {
    const sim = new SimWorld(2);
    const trial = new Trial(sim);
    await trial.append("a", "b");
    trial.cursor("out").close();
    await trial.close();
    damage(sim);
    const again = new Trial(sim);
    assert.deepEqual(again.writer.recovered.damages, [], how);
    assert.equal(await again.append("c"), 2, how);
  }
});

Deno.test("P11: a cursor ahead of the log is believed, and what is missing before it is named", async () => {
  const sim = new SimWorld(2);
  const trial = new Trial(sim);
  await trial.append("a", "b");
  const cursor = trial.cursor("out");
  cursor.advance(5 as Position, { taken: 5 });
  cursor.sync();
  await trial.close();
  const again = new Trial(sim);
  assert.deepEqual(again.writer.recovered.damages, [{
    position: 2,
    count: 3,
    what: "accepted messages are missing at the end of the log",
  }]);
  assert.deepEqual(again.read(5), []);
  assert.equal(await again.append("c"), 5);
  const [item] = again.read(5);
  assert.deepEqual(item && "bytes" in item && item.bytes, bytesOf("c"));
});

Deno.test("peekCursors tells where each readable cursor of a node is, and changes nothing", () => {
  const sim = atTwenty();
  otherNodeBeside(sim);
  sim.writeFile("data/cursors/garbage", new Uint8Array(8192).fill(7));
  const before = sim.filesUnder("data").map((path) => sim.fileBytes(path));
  assert.deepEqual([...peekCursors(sim.files, "data", node)], [["out", 120]]);
  assert.deepEqual([...peekCursors(sim.files, "data").keys()], ["foreign", "out"]);
  assert.deepEqual(sim.filesUnder("data").map((path) => sim.fileBytes(path)), before);
  assert.deepEqual([...peekCursors(sim.files, "nowhere")], []);
});

Deno.test("P14 side cursors survive a power cut, with how far the others are; nobody gets positions that were delivered ahead", () => {
  const sim = atTwenty();
  const at = (position: number) => position as Position;
  const cursor = openCursor(sim.boot(), "data", "out", node, { fresh: at(0), lost: at(0) });
  const [before, { taken }] = [cursor.position, cursor.counts];
  const sides = new Map([["a", { from: before, waits: 3 }], ["b.c", { from: at(before + 7), waits: 1 }]]);
  cursor.settle(at(before + 100), sides, { taken: 90, filtered: 6 });
  assert.deepEqual([cursor.synced, cursor.durable, cursor.waiting], [false, before, 4]);
  cursor.sync();
  sim.cutPower();
  const again = openCursor(sim.boot(), "data", "out", node, { fresh: at(0), lost: at(0) });
  assert.deepEqual([again.position, again.ahead, [...again.sides]], [before, before + 100, [...sides]]);
  assert.deepEqual([again.counts.taken, again.counts.filtered], [taken + 90, 6]);
  assert.deepEqual(seenByCursors(sim.files, "data", node), [before + 100]);
  assert.deepEqual([...peekCursors(sim.files, "data", node).values()], [before]);
  again.settle(again.ahead, new Map([["b.c", { from: at(before + 7), waits: 1 }]]), { skipped: 3 });
  assert.deepEqual([again.position, again.ahead], [before + 7, before + 100]);
  again.settle(again.ahead, new Map(), { taken: 1 });
  assert.deepEqual([again.position, again.ahead, again.sides.size], [before + 100, before + 100, 0]);
});

Deno.test("P2 a step whose verdicts do not fit is refused, with topics that wait and without", () => {
  const at = (position: number) => position as Position;
  const cursor = openCursor(atTwenty().boot(), "data", "new", node, { fresh: at(0), lost: at(0) });
  assert.throws(() => cursor.advance(at(10), { taken: 9 }), /from 0 to 10: 9 verdicts were given, 0 more wait/);
  const waits = (from: number, waits: number) => new Map([["a", { from: at(from), waits }]]);
  assert.throws(() => cursor.settle(at(10), waits(3, 2), { taken: 9 }), /9 verdicts were given, 2 more wait/);
  assert.throws(() => cursor.settle(at(10), waits(10, 1), { taken: 9 }), /behind at 10/);
  cursor.settle(at(10), waits(3, 2), { taken: 8 });
  assert.throws(() => cursor.settle(at(10), waits(2, 1), { taken: 1 }), /behind at 2/);
  assert.throws(() => cursor.settle(at(10), new Map(), { taken: 1 }), /1 verdicts were given, -2 more wait/);
  assert.throws(() => cursor.advance(at(11), { taken: 1 }), /topics wait/);
  cursor.settle(at(10), new Map(), { taken: 2 });
  assert.deepEqual([cursor.position, cursor.counts.taken], [10, 10]);
});

Deno.test("a cursor has room for as many side cursors as a slot has bytes", () => {
  const cursor = openCursor(atTwenty().boot(), "data", "new", node, { fresh: 0 as Position, lost: 0 as Position });
  const topics = (count: number) => Array.from({ length: count }, (_, i) => `${i}`.padStart(249, "x"));
  assert.deepEqual([cursor.holdsSides(topics(14)), cursor.holdsSides(topics(15))], [true, false]);
  const side = { from: 3 as Position, waits: 1 };
  cursor.settle(20 as Position, new Map(topics(14).map((topic) => [topic, side])), { taken: 6 });
  cursor.sync();
});

function otherNodeBeside(sim: SimWorld): void {
  const places = { fresh: 999_999 as Position, lost: 0 as Position };
  openCursor(sim.boot(), "data", "foreign", "fedcba9876543210", places).close();
}

Deno.test("a new generation is durable as soon as it is begun", () => {
  const sim = atTwenty();
  opened(sim).restart(50 as Position);
  sim.cutPower();
  assert.deepEqual([opened(sim).position, opened(sim).generation], [50, 2]);
});

Deno.test("a cursor's flags stand where FORMAT.md says: bit 0 of byte 116 for a paused one", () => {
  const sim = new SimWorld(1);
  opened(sim).pause(true);
  const slot = 20; // the first has the even turns, and this is the second
  assert.deepEqual([...sim.fileBytes(path).subarray(slot + 112, slot + 120)], [0, 0, 0, 0, 1, 0, 0, 0]);
});

Deno.test("P9: a cursor that is too short, or of a later version, is unreadable", () => {
  const sim = atTwenty();
  const whole = sim.fileBytes(path).subarray(20, 20 + 120);
  const said = (change: (payload: Uint8Array) => Uint8Array) => {
    sim.files.remove(path);
    const { slots } = Slots.open(sim.files, "data/cursors", "out");
    slots.put(change(whole.slice()));
    slots.close();
    return peekCursor(sim.files, "data", "out")?.node;
  };
  assert.equal(said((payload) => payload), node);
  assert.equal(said((payload) => payload.subarray(0, 119)), undefined);
  assert.equal(said((payload) => payload.fill(2, 0, 1)), undefined);
});

Deno.test("a cursor that is closed, or was only looked at, has no file open", () => {
  const sim = atTwenty();
  assert.equal(sim.openHandles, 0);
  peekCursor(sim.files, "data", "out");
  assert.equal(sim.openHandles, 0);
});

Deno.test("P1 P9 a cursor that is made aside takes the same steps in the same order, and has the same bytes", async () => {
  const places = { fresh: 100 as Position, lost: 40 as Position };
  const before: Record<string, (sim: SimWorld) => void> = {
    new: (sim) => sim.writeFile("data/cursors/neighbour", new Uint8Array(0)),
    whole: (sim) => void atTwenty(sim),
    damaged: (sim) => sim.writeFile(path, new Uint8Array(8192).fill(1)),
  };
  const makeAtOnce = (sim: SimWorld) => {
    const cursor = openCursor(sim, "data", "out", node, places);
    cursor.close();
    return cursor;
  };
  for (const [origin, prepare] of Object.entries(before)) {
    const [atOnce, aside] = [new SimWorld(1), new SimWorld(1)];
    const calls: [string[], string[]] = [[], []];
    [atOnce, aside].forEach((sim, i) => {
      prepare(sim);
      sim.watch = (call, path) => void calls[i]!.push(`${call} ${path}`);
    });
    const made = makeAtOnce(atOnce);
    assert.deepEqual(await makeCursor(aside, "data", "out", node, places), { origin, position: made.position });
    assert.deepEqual(calls[0], calls[1]);
    aside.cutPower();
    assert.deepEqual(aside.fileBytes(path), atOnce.fileBytes(path));
    assert.equal(aside.openHandles, 0);
  }
});
