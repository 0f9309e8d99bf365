import assert from "node:assert/strict";
import { carryOut, type Order, type Outcome } from "../../src/deliver/control.ts";
import { LocalWatermark, openCursor, type Position, SegmentReader, Timeline } from "../../src/log/mod.ts";
import { filled, segmentsOf } from "../log/filled.ts";
import { SimWorld } from "../sim/world.ts";
import { breakOff, ScriptedDestination, start, type Started } from "./node.ts";

const nowhere = { fresh: 0 as Position, lost: 0 as Position };

function told({ sim, control }: Started, order: Order): Promise<Outcome> {
  return sim.run(control.give(order));
}

Deno.test("M3.2 a paused destination gets nothing, over a restart too, until it is resumed", async () => {
  const node = start(new ScriptedDestination());
  const { sim, destination, cursor, put, stop } = node;
  await put("a");
  await sim.run(100);
  assert.deepEqual(await told(node, { do: "pause" }), {
    state: "paused",
    position: 1,
    pending: 0,
    generation: 1,
    start: 0,
    moved: 0,
  });
  await put("b");
  await sim.run(60_000);
  assert.deepEqual([destination.taken, cursor.position, destination.closed], [["a"], 1, 1]);
  sim.cutPower();
  assert.equal(openCursor(sim, "data", "one", node.writer.node, nowhere).paused, true);
  await stop().catch(() => {});
});

Deno.test("M3.2 a resumed destination goes on where it stood", async () => {
  const node = start(new ScriptedDestination());
  const { sim, destination, put, stop } = node;
  await told(node, { do: "pause" });
  await put("a", "b");
  const outcome = await told(node, { do: "resume" });
  assert.deepEqual(outcome, { state: "delivering", position: 0, pending: 2, generation: 1, start: 0, moved: 0 });
  await sim.run(100);
  await stop();
  assert.deepEqual(destination.taken, ["a", "b"]);
});

Deno.test("M3.2 a pause breaks off a send under way, and the batch comes again after it", async () => {
  let abortedAt = 0;
  const destination = new ScriptedDestination((_, signal) =>
    new Promise((_, reject) => {
      signal.addEventListener("abort", () => {
        abortedAt = node.sim.clock.elapsed();
        reject(new Error("aborted"));
      });
    })
  );
  const node = start(destination);
  const { sim, put, stop, troubles } = node;
  await put("a");
  await sim.run(10);
  await told(node, { do: "pause" });
  assert.ok(abortedAt > 0 && abortedAt < 100);
  assert.deepEqual([destination.batches.length, troubles], [1, []]);
  await told(node, { do: "resume" });
  await sim.run(100);
  await stop();
  assert.deepEqual([destination.batches, destination.taken], [[["a"], ["a"]], ["a"]]);
});

Deno.test("M3.2 what was taken when the pause came counts", async () => {
  const destination = new ScriptedDestination((_, signal) =>
    new Promise((resolve) => signal.addEventListener("abort", () => resolve({ refused: [], again: [] })))
  );
  const node = start(destination);
  const { sim, cursor, put, stop } = node;
  await put("a");
  await sim.run(10);
  assert.equal((await told(node, { do: "pause" }) as { position: number }).position, 1);
  assert.equal(cursor.counts.taken, 1);
  await stop();
});

Deno.test("M3.2 orders reach a destination that waits after failures, or has nothing to do", async () => {
  const away = new ScriptedDestination(...Array.from({ length: 100 }, () => breakOff));
  const node = start(away);
  await node.put("a");
  await node.sim.run(120_000);
  const began = node.sim.clock.elapsed();
  await told(node, { do: "skip", to: "now" });
  assert.equal(node.sim.clock.elapsed(), began);
  assert.deepEqual([node.cursor.position, node.cursor.counts.skipped], [1, 1]);
  await told(node, { do: "pause" });
  assert.equal(node.sim.clock.elapsed(), began);
  await node.stop();
});

Deno.test("M3.2 a rewind delivers once more, in a generation whose counts begin at nought", async () => {
  const node = start(new ScriptedDestination());
  const { sim, destination, cursor, put, stop } = node;
  await put("a", "b", "debug", "c");
  await sim.run(100);
  const outcome = await told(node, { do: "rewind", to: "1" });
  assert.deepEqual(outcome, { state: "delivering", position: 1, pending: 3, generation: 2, start: 1, moved: 3 });
  await sim.run(100);
  await stop();
  assert.deepEqual(destination.taken, ["a", "b", "c", "b", "c"]);
  assert.deepEqual([cursor.start, cursor.position, cursor.counts.taken, cursor.counts.filtered], [1, 4, 2, 1]);
  assert.equal(destination.opened, 2, "the adaptor is opened anew, for the new generation");
});

Deno.test("M3.2 a rewind goes into the middle of an entry", async () => {
  const sim = new SimWorld(1);
  await filled(sim, { commits: [5], cursors: { one: 5 } });
  const reader = new SegmentReader(sim, "data", "", 0 as Position, raised(5));
  reader.seek(3 as Position);
  assert.deepEqual(reader.next({ count: 10, bytes: 1e6 }).map(({ position, count }) => [position, count]), [[0, 5]]);
});

function raised(to: number): LocalWatermark {
  const mark = new LocalWatermark();
  mark.raise(to as Position, 1);
  return mark;
}

Deno.test("P15 after a rewind a message that is refused again is not set aside twice", async () => {
  const refuse = new ScriptedDestination(
    ...[0, 1].map(() => (batch: Parameters<ScriptedDestination["script"][0]>[0]) => ({
      refused: [{ delivery: batch[0]!, reason: "no" }],
      again: [],
    })),
  );
  const node = start(refuse);
  await node.put("a", "b");
  await node.sim.run(100);
  await told(node, { do: "rewind", to: "oldest" });
  await node.sim.run(100);
  await node.stop();
  assert.deepEqual([node.cursor.counts.dead, [...node.dead().letters()].length], [1, 1]);
});

Deno.test("P2 a skip gives every position it passes the verdict skipped", async () => {
  const node = start(new ScriptedDestination());
  await told(node, { do: "pause" });
  await node.put("a", "b", "c");
  assert.deepEqual(await told(node, { do: "skip", to: "2" }), {
    state: "paused",
    position: 2,
    pending: 1,
    generation: 1,
    start: 0,
    moved: 2,
  });
  await told(node, { do: "resume" });
  await node.sim.run(100);
  await node.stop();
  const { cursor, destination } = node;
  assert.deepEqual([destination.taken, cursor.counts.skipped, cursor.counts.taken], [["c"], 2, 1]);
});

Deno.test("orders that come together are carried out in their order", async () => {
  const node = start(new ScriptedDestination());
  await node.put("a", "b");
  await node.sim.run(100);
  const outcomes = (["pause", "resume"] as const).map((what) => node.control.give({ do: what }));
  outcomes.push(node.control.give({ do: "rewind", to: "0" }));
  const states = await node.sim.run(Promise.all(outcomes));
  assert.deepEqual(states.map((outcome) => "state" in outcome && [outcome.state, outcome.position]), [
    ["paused", 2],
    ["delivering", 2],
    ["delivering", 0],
  ]);
  await node.stop();
});

/** Where no topic waits nothing has to be read. */
const openReader = () => assert.fail("nothing has to be read");

/** A log from position 6 on, whose commits of two messages are a second apart; the cursor stands at 20. */
async function trimmed() {
  const sim = new SimWorld(1);
  const begin = sim.clock.now();
  await filled(sim, { commits: Array.from({ length: 12 }, () => 2), bytes: 9000 });
  sim.files.remove(segmentsOf(sim)[0]!);
  const at = 20 as Position;
  const cursor = openCursor(sim, "data", "one", "00000000deadbeef", { fresh: at, lost: at });
  const timeline = new Timeline(sim.files, "data", 24 as Position);
  const order = (what: "rewind" | "skip", to: string) =>
    carryOut({ do: what, to }, { cursor, timeline, now: begin + 12_000, means: { clock: sim.clock, openReader } });
  return { cursor, order, begin };
}

Deno.test("M3.2 a time leads to the first message committed then or later", async () => {
  const { cursor, order, begin } = await trimmed();
  await order("rewind", new Date(begin + 5000).toISOString());
  assert.equal(cursor.position, 10);
  await order("skip", "4.5s");
  assert.equal(cursor.position, 16);
});

Deno.test("M3.2 what cannot be is refused with the reason, and changes nothing", async () => {
  const { cursor, order } = await trimmed();
  const refused: [string, "rewind" | "skip", string, RegExp][] = [
    ["impossible", "rewind", "5", /^Cannot rewind to 5: the oldest message in the log is 6$/],
    ["impossible", "rewind", "21", /^Cannot rewind to 21: it stands at 20; skip goes forward$/],
    [
      "impossible",
      "rewind",
      "1h",
      /^Cannot rewind so far: the oldest message in the log, 6, is of 2026-03-01T12:00:03/,
    ],
    ["impossible", "skip", "19", /^Cannot skip to 19: it stands at 20; rewind goes back$/],
    ["impossible", "skip", "25", /^Cannot skip to 25: the log ends at 24$/],
    ["bad", "skip", "soon", /^Cannot understand "soon": expected a position, /],
  ];
  for (const [how, what, to, why] of refused) {
    const outcome = await order(what, to) as { refused: string; why: string };
    assert.equal(outcome.refused, how, to);
    assert.match(outcome.why, why);
  }
  assert.deepEqual([cursor.position, cursor.generation], [20, 1]);
  assert.equal("state" in await order("rewind", "oldest") && cursor.position, 6);
});

Deno.test("P2 an order that the power cut ends anywhere is carried out whole or not at all", async () => {
  const orders: Order[] = [{ do: "pause" }, { do: "rewind", to: "1" }, { do: "skip", to: "5" }];
  for (const order of orders) {
    for (let call = 1;; call++) {
      const sim = new SimWorld(call);
      await filled(sim, { commits: [3, 3], cursors: { one: 4 } });
      const world = sim.boot();
      const node = new TextDecoder().decode(sim.fileBytes("data/node")).slice(0, 16);
      const timeline = new Timeline(world.files, "data", 6 as Position);
      const cursor = openCursor(world, "data", "one", node, nowhere);
      sim.stopAt(call);
      try {
        await carryOut(order, { cursor, timeline, now: 0, means: { clock: sim.clock, openReader } });
      } catch {
        // The power is gone.
      }
      const done = !sim.stopped;
      sim.cutPower();
      const { position, start, generation, paused, counts } = openCursor(sim, "data", "one", node, nowhere);
      const state = [position, start, generation, paused, counts.taken, counts.skipped];
      const before = [4, 0, 1, false, 4, 0];
      const after = {
        pause: [4, 0, 1, true, 4, 0],
        rewind: [1, 1, 2, false, 0, 0],
        skip: [5, 0, 1, false, 4, 1],
        resume: before,
      };
      if (done || JSON.stringify(state) !== JSON.stringify(before)) assert.deepEqual(state, after[order.do]);
      if (done) break;
    }
  }
});
