/** What waits before millions of messages that were delivered ahead of it is passed over in slices: others have their turn between. */
import assert from "node:assert/strict";
import type { Outcome } from "../../src/deliver/control.ts";
import { passOver } from "../../src/deliver/pass_over.ts";
import { LocalWatermark, openCursor, type Position, SegmentReader } from "../../src/log/mod.ts";
import { SimWorld } from "../sim/world.ts";
import { type Behaviour, ScriptedDestination, start, type Started } from "./node.ts";

const slice = { count: 3, bytes: 1 << 20 };
const bad = "bad";

/** Takes all but what is bad. */
const withoutBad = (destination: ScriptedDestination): Behaviour => (batch) => {
  destination.script.push(withoutBad(destination));
  const again = batch.filter(({ message }) => message.topic === bad);
  return { refused: [], again, ...(again.length > 0 && { stalled: [bad] }) };
};

/** Of 40 messages every tenth is bad and waits; the others were delivered. */
async function waiting(options: Parameters<typeof start>[1] = {}, sim = new SimWorld(1)): Promise<Started> {
  const destination = new ScriptedDestination();
  destination.script.push(withoutBad(destination));
  const node = start(destination, { slice, ...options }, sim);
  await node.put(...Array.from({ length: 40 }, (_, i) => i % 10 === 0 ? `${bad}/${i}` : `ok/${i}`));
  await sim.run(5000);
  assert.deepEqual([node.cursor.position, node.cursor.ahead, node.cursor.waiting], [0, 40, 4]);
  return node;
}

/** Calls it in the midst of what is going on: so many turns from now. */
function inTurns({ sim }: Started, turns: number, act: () => void): void {
  sim.clock.turn(() => turns > 1 ? inTurns({ sim } as Started, turns - 1, act) : act());
}

function sum({ cursor }: Pick<Started, "cursor">): number {
  return cursor.start + Object.values(cursor.counts).reduce((a, b) => a + b, 0);
}

Deno.test("P2 what is passed over in slices has the same verdicts as in one go", async () => {
  for (const to of [1, 9, 10, 11, 25, 39, 40]) {
    const ends = [];
    for (const count of [1, 2, 7, 1000]) {
      const node = await waiting({ slice: { count, bytes: 1 << 20 } });
      const outcome = await node.sim.run(node.control.give({ do: "skip", to: String(to) }));
      const { position, ahead, counts, sides } = node.cursor;
      assert.equal(counts.skipped, Math.ceil(to / 10), `${to}, by ${count}`);
      ends.push({ position, ahead, counts, sides: [...sides], outcome });
      await node.stop();
    }
    for (const end of ends) assert.deepEqual(end, ends[0]);
  }
});

Deno.test("whoever waits for the thread has a turn after each slice of what is passed over", async () => {
  const node = await waiting();
  const { cursor, sim, control } = node;
  let turns = 0;
  const count = () => {
    if (cursor.position === 0) sim.clock.turn(() => (turns++, count()));
  };
  count();
  await sim.run(control.give({ do: "skip", to: "30" }));
  assert.ok(turns >= 9, `${turns} turns for 30 messages by 3`);
  await node.stop();
});

Deno.test("M3.2 a pause and a resume in the midst of a skip are answered before it is done, a rewind after it", async () => {
  const node = await waiting();
  const { sim, control, cursor } = node;
  const answers: [string, Outcome][] = [];
  const give = async (name: "pause" | "resume" | "rewind" | "skip", to = "") => {
    answers.push([name, await control.give(name === "rewind" || name === "skip" ? { do: name, to } : { do: name })]);
  };
  const skipped = give("skip", "35");
  const others: Promise<void>[] = [];
  inTurns(node, 3, () => others.push(give("resume"), give("pause"), give("rewind", "20"), give("resume")));
  await sim.run(skipped);
  await sim.run(Promise.all(others));
  const seen = answers.map(([name, outcome]) => "state" in outcome ? [name, outcome.state, outcome.position] : name);
  assert.deepEqual(seen, [
    ["resume", "delivering", 0],
    ["pause", "paused", 0],
    ["skip", "paused", 40],
    ["rewind", "paused", 20],
    ["resume", "delivering", 20],
  ]);
  assert.deepEqual([cursor.generation, cursor.paused], [2, false]);
  await node.stop();
});

Deno.test("P2 a skip that a stop comes into skips nothing and is refused; given again it is carried out", async () => {
  const sim = new SimWorld(1);
  const first = await waiting({}, sim);
  const outcome = first.control.give({ do: "skip", to: "35" });
  let stopped: Promise<void> | undefined;
  inTurns(first, 3, () => stopped = first.stop());
  assert.deepEqual(await sim.run(outcome), {
    refused: "unavailable",
    why: "Cannot skip to 35: told to stop before that; nothing is skipped",
  });
  await stopped;
  assert.deepEqual([first.cursor.position, first.cursor.waiting, first.cursor.counts.skipped], [0, 4, 0]);
  sim.killProcess();
  const second = start(new ScriptedDestination(), { slice }, sim);
  const moved = await sim.run(second.control.give({ do: "skip", to: "25" }));
  assert.deepEqual([moved && "moved" in moved && moved.moved, second.cursor.counts.skipped], [3, 3]);
  await sim.run(40_000);
  assert.deepEqual([second.destination.taken, second.cursor.position, sum(second)], [["bad/30"], 40, 40]);
  await second.stop();
});

Deno.test("P13 P2 an order that breaks off what expires costs nothing: it begins again when the order is obeyed", async () => {
  const sim = new SimWorld(1);
  let expires = false;
  const pauses: Promise<Outcome>[] = [];
  const floor = () => {
    // Who looks for it reads the log at once: two slices later the order comes.
    if (expires && pauses.length === 0) inTurns(node, 2, () => pauses.push(node.control.give({ do: "pause" })));
    return (expires ? 25 : 0) as Position;
  };
  const node = await waiting({ floor }, sim);
  const { cursor, control, troubles } = node;
  const expired = () => troubles.filter((text) => text.startsWith("expired")).join();
  expires = true;
  await sim.run(3000);
  assert.deepEqual([cursor.paused, cursor.position, cursor.waiting, cursor.counts.expired], [true, 0, 4, 0]);
  assert.deepEqual([pauses.length, expired()], [1, ""]);
  await sim.run(control.give({ do: "resume" }));
  await sim.run(3000);
  assert.deepEqual([cursor.position, cursor.waiting, cursor.counts.expired, expired()], [25, 1, 3, "expired 0–25"]);
  assert.equal(sum(node) + cursor.waiting, cursor.ahead);
  await node.stop();
});

Deno.test("P2 told to stop, passing over leaves the cursor as it is, whichever slice it is told in", async () => {
  const sim = new SimWorld(1);
  const node = await waiting({}, sim);
  await node.stop();
  sim.killProcess();
  const world = sim.boot();
  const mark = new LocalWatermark();
  mark.raise(40 as Position, 1);
  const name = node.writer.node;
  const openReader = () => new SegmentReader(world, "data", name, 0 as Position, mark);
  for (let turns = 1;; turns++) {
    const cursor = openCursor(world, "data", "one", name, { fresh: 0 as Position, lost: 0 as Position });
    const stop = new AbortController();
    let slices = 1;
    const meanwhile = () => void (++slices === turns && stop.abort());
    const means = { clock: world.clock, openReader, slice, meanwhile, signal: stop.signal };
    if (turns === 1) stop.abort();
    const passed = await sim.run(passOver(cursor, { to: 30 as Position, verdict: "expired", ...means }));
    const counts = [cursor.position, cursor.waiting, cursor.counts.expired];
    assert.deepEqual(counts, passed === undefined ? [0, 4, 0] : [30, 1, 3], `told in slice ${turns}`);
    cursor.close();
    if (passed !== undefined) {
      assert.ok(turns >= 10, "all ten slices were read by then");
      break;
    }
  }
});
