/** Topics that a destination cannot take, while it takes others. */
import assert from "node:assert/strict";
import type { Position } from "../../src/log/mod.ts";
import { SimWorld } from "../sim/world.ts";
import { type Behaviour, ScriptedDestination, start, type Started } from "./node.ts";

/** Takes all but these topics, as often as it is asked. */
function without(destination: ScriptedDestination, topics: Set<string>): void {
  const behave: Behaviour = (batch) => {
    destination.script.push(behave);
    const again = batch.filter(({ message }) => topics.has(message.topic));
    const stalled = [...new Set(again.map(({ message }) => message.topic))];
    return { refused: [], again, ...(again.length > 0 && { stalled, trouble: "no such topic" }) };
  };
  destination.script.push(behave);
}

function stalling(topics: Set<string>, options: Parameters<typeof start>[1] = {}, sim = new SimWorld(1)): Started {
  const destination = new ScriptedDestination();
  without(destination, topics);
  return start(destination, options, sim);
}

/** Topics that wait, from where on, and how many of their messages. */
function sidesOf({ cursor }: Started): [string, number, number][] {
  return [...cursor.sides].map(([topic, { from, waits }]) => [topic, from, waits]);
}

function sum({ cursor }: Started): number {
  return cursor.start + Object.values(cursor.counts).reduce((a, b) => a + b, 0);
}

Deno.test("P14 others go on while the destination has no such topic; then it gets its messages, in order", async () => {
  const bad = new Set(["bad"]);
  const node = stalling(bad);
  const { sim, cursor, destination, put, stop } = node;
  await put("bad/1", "ok/1");
  await sim.run(3000);
  await put("ok/2", "bad/2", "ok/3");
  await sim.run(1000);
  assert.deepEqual(destination.taken, ["ok/1", "ok/2", "ok/3"]);
  assert.deepEqual([cursor.position, cursor.ahead, sidesOf(node)], [0, 5, [["bad", 0, 2]]]);
  assert.deepEqual(node.troubles.at(-1), "bad: no such topic");
  bad.clear();
  await sim.run(40_000);
  await put("bad/3", "ok/4");
  await sim.run(1000);
  assert.deepEqual(destination.taken.slice(3), ["bad/1", "bad/2", "bad/3", "ok/4"]);
  assert.deepEqual([cursor.position, cursor.ahead, cursor.sides.size, cursor.counts.taken], [7, 7, 0, 7]);
  await stop();
});

Deno.test("P7 what was delivered ahead of a topic is not sent again after a crash, and what waits is not lost", async () => {
  const bad = new Set(["bad", "worse"]);
  const sim = new SimWorld(1);
  const first = stalling(bad, {}, sim);
  await first.put("bad/1", "ok/1", "worse/1", "ok/2");
  await sim.run(5000);
  assert.equal(first.cursor.synced, true);
  sim.cutPower();
  bad.clear();
  const second = stalling(bad, {}, sim);
  assert.deepEqual([second.cursor.position, second.cursor.ahead], [0, 4]);
  assert.deepEqual(sidesOf(second), [["bad", 0, 1], ["worse", 2, 1]]);
  await second.put("ok/3", "bad/2");
  await sim.run(60_000);
  assert.deepEqual(second.destination.taken.toSorted(), ["bad/1", "bad/2", "ok/3", "worse/1"]);
  assert.deepEqual([second.cursor.position, sum(second)], [6, 6]);
  await second.stop();
});

Deno.test("P14 a topic that comes back does not wait for another that does not", async () => {
  const bad = new Set(["bad", "slow"]);
  const node = stalling(bad);
  await node.put("bad/1", "slow/1", "ok/1", "slow/2");
  await node.sim.run(5000);
  bad.delete("slow");
  await node.sim.run(40_000);
  assert.deepEqual(node.destination.taken, ["ok/1", "slow/1", "slow/2"]);
  assert.deepEqual([node.cursor.position, node.cursor.ahead, sidesOf(node)], [0, 4, [["bad", 0, 1]]]);
  await node.put("slow/3");
  await node.sim.run(1000);
  assert.deepEqual(node.destination.taken.at(-1), "slow/3");
  await node.stop();
});

Deno.test("P2 verdicts of what was delivered ahead add up once it is counted: filtered, dead, taken", async () => {
  const bad = new Set(["bad"]);
  const node = stalling(bad);
  await node.put("bad/1", "ok/1");
  await node.sim.run(5000);
  // One that is refused for good, ahead.
  const [behave] = node.destination.script;
  node.destination.script.unshift((batch) => ({ refused: [{ delivery: batch[0]!, reason: "poison" }], again: [] }));
  await node.put("ok/poison", "debug 1");
  await node.sim.run(200);
  assert.ok(behave);
  bad.clear();
  await node.sim.run(40_000);
  const { taken, filtered, dead } = node.cursor.counts;
  assert.deepEqual([node.cursor.position, taken, filtered, dead], [4, 2, 1, 1]);
  await node.stop();
});

Deno.test("P2 a dead letter ahead of a topic that waits is counted as dead at once, thrown away or not", async () => {
  const bad = new Set(["bad"]);
  const node = stalling(bad);
  await node.put("bad/1");
  await node.sim.run(5000);
  node.destination.script.unshift((batch) => ({ refused: [{ delivery: batch[0]!, reason: "poison" }], again: [] }));
  await node.put("ok/poison");
  await node.sim.run(200);
  assert.deepEqual([node.dead().count, node.cursor.counts.dead, node.cursor.position], [1, 1, 0]);
  assert.equal(await node.sim.run(node.dead().purge(() => true)), 1);
  bad.clear();
  await node.sim.run(40_000);
  const { taken, dead } = node.cursor.counts;
  assert.deepEqual([node.cursor.position, taken, dead], [2, 1, 1]);
  await node.stop();
});

Deno.test("M3.2 a skip passes a topic that waits, a rewind goes back for all", async () => {
  const bad = new Set(["bad"]);
  const node = stalling(bad);
  const { sim, control, cursor } = node;
  await node.put("bad/1", "ok/1", "bad/2", "ok/2");
  await sim.run(5000);
  assert.deepEqual(sidesOf(node), [["bad", 0, 2]]);
  await sim.run(control.give({ do: "skip", to: "2" }));
  assert.deepEqual([cursor.position, cursor.ahead, sidesOf(node), cursor.counts.skipped], [2, 4, [["bad", 2, 1]], 1]);
  await sim.run(control.give({ do: "skip", to: "now" }));
  assert.deepEqual([cursor.position, cursor.ahead, cursor.sides.size, sum(node)], [4, 4, 0, 4]);
  bad.clear();
  await sim.run(control.give({ do: "rewind", to: "0" }));
  await sim.run(5000);
  assert.deepEqual(node.destination.taken.slice(2), ["bad/1", "ok/1", "bad/2", "ok/2"]);
  assert.deepEqual([cursor.position, sum(node)], [4, 4]);
  await node.stop();
});

Deno.test("P13 who waits too long expires beside the others, where there is a budget", async () => {
  const bad = new Set(["bad"]);
  const node = stalling(bad, { budget: 65_536 });
  await node.put("bad/1");
  const filler = "ok/" + "x".repeat(20_000);
  for (let i = 0; i < 20; i++) {
    await node.put(filler);
    await node.sim.run(1500);
  }
  assert.equal(node.cursor.counts.expired, 1, "the one that waited, and none that was delivered ahead of it");
  assert.equal(node.cursor.sides.size, 0);
  assert.equal(node.destination.taken.length, 20);
  assert.equal(sum(node), node.cursor.position);
  await node.stop();
});

Deno.test("P2 what waits and was given back by a log that does not wait for us has expired: nothing is damaged", async () => {
  const bad = new Set(["bad"]);
  const sim = new SimWorld(1);
  const first = stalling(bad, {}, sim);
  await first.put("bad/1");
  const filler = "ok/" + "x".repeat(20_000);
  for (let i = 0; i < 20; i++) await first.put(filler);
  await sim.run(10_000);
  sim.cutPower();
  bad.clear();
  const node = stalling(bad, {}, sim);
  assert.deepEqual(sidesOf(node), [["bad", 0, 1]]);
  node.writer.trim(node.cursor.ahead);
  await sim.run(40_000);
  assert.deepEqual([node.cursor.counts.expired, node.cursor.counts.damaged, node.cursor.sides.size], [1, 0, 0]);
  assert.equal(sum(node), node.cursor.position);
  await node.stop();
});

Deno.test("P2 where more topics wait than a cursor can hold, the rest waits with everything behind it", async () => {
  const topics = Array.from({ length: 30 }, (_, i) => `bad${i}_${"x".repeat(200)}`);
  const bad = new Set(topics);
  const node = stalling(bad);
  for (const topic of topics) await node.put(`${topic}/1`);
  await node.put("ok/1");
  await node.sim.run(60_000);
  assert.equal(node.cursor.position, 0);
  bad.clear();
  await node.sim.run(120_000);
  assert.equal(node.destination.taken.length, 31);
  assert.deepEqual([node.cursor.position, node.cursor.ahead, sum(node)], [31, 31, 31]);
  await node.stop();
});

Deno.test("P2 whichever call fails while a topic waits, nothing of it is lost", async () => {
  for (let n = 1; n <= 60; n++) {
    const sim = new SimWorld(n);
    const bad = new Set(["bad"]);
    const first = stalling(bad, {}, sim);
    await first.put("bad/1", "ok/1", "bad/2");
    sim.failNth(n, "EMFILE", { kinds: ["open", "read", "write", "sync", "list"] });
    await sim.run(3000);
    sim.heal();
    if (n % 2 === 0) sim.cutPower();
    else sim.killProcess();
    bad.clear();
    const second = stalling(bad, {}, sim);
    await sim.run(60_000);
    const taken = new Set([...first.destination.taken, ...second.destination.taken]);
    assert.deepEqual([...taken].sort(), ["bad/1", "bad/2", "ok/1"], `the ${n}th call`);
    assert.deepEqual([second.cursor.position, sum(second)], [3 as Position, 3]);
    await second.stop();
  }
});

Deno.test("P2 a filter that a reload changes while a topic waits changes no verdict that was given", async () => {
  const bad = new Set(["bad"]);
  const sim = new SimWorld(1);
  const first = stalling(bad, {}, sim);
  await first.put("bad/1", "ok/1", "debug 1", "ok/2", "bad/2");
  await sim.run(5000);
  const { counts, ahead } = first.cursor;
  assert.deepEqual([counts.taken, counts.filtered, ahead], [2, 1, 5]);
  await first.stop();
  bad.clear();
  sim.killProcess();
  const second = stalling(bad, { wants: ({ topic, level }) => level === "debug" || topic === "bad" }, sim);
  await second.put("ok/3", "debug 2");
  await sim.run(40_000);
  assert.deepEqual(second.destination.taken.toSorted(), ["bad/1", "bad/2", "debug 2"]);
  const { taken, filtered } = second.cursor.counts;
  assert.deepEqual([taken, filtered, second.cursor.position], [5, 2, 7]);
  await second.stop();
});

Deno.test("P2 what waits is judged by the filter of its own time: it is filtered once, if that leaves it out now", async () => {
  const bad = new Set(["bad"]);
  const sim = new SimWorld(1);
  const first = stalling(bad, {}, sim);
  await first.put("bad/1", "ok/1", "bad/2");
  await sim.run(5000);
  await first.stop();
  sim.killProcess();
  const second = stalling(bad, { wants: ({ topic }) => topic !== "bad" }, sim);
  await sim.run(40_000);
  const { taken, filtered } = second.cursor.counts;
  assert.deepEqual([taken, filtered, second.cursor.position, second.cursor.sides.size], [1, 2, 3, 0]);
  await second.stop();
});

Deno.test("P2 a skip into the middle of what was delivered ahead counts what waited before it, and nothing else", async () => {
  const bad = new Set(["bad", "worse"]);
  const node = stalling(bad);
  const { sim, control, cursor } = node;
  await node.put("bad/1", "ok/1", "worse/1", "bad/2", "ok/2", "bad/3", "debug 1", "worse/2");
  await sim.run(8000);
  assert.deepEqual(sidesOf(node), [["bad", 0, 3], ["worse", 2, 2]]);
  const outcome = await sim.run(control.give({ do: "skip", to: "4" }));
  assert.ok(outcome && "moved" in outcome);
  assert.deepEqual([outcome.moved, outcome.pending, cursor.counts.skipped], [3, 2, 3]);
  assert.deepEqual([cursor.position, sidesOf(node)], [4, [["bad", 4, 1], ["worse", 4, 1]]]);
  bad.clear();
  await sim.run(60_000);
  assert.deepEqual(node.destination.taken.toSorted(), ["bad/3", "ok/1", "ok/2", "worse/2"]);
  assert.deepEqual([cursor.position, cursor.counts.taken, cursor.counts.filtered, sum(node)], [8, 4, 1, 8]);
  await node.stop();
});
