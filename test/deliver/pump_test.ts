import assert from "node:assert/strict";
import { breakOff, ScriptedDestination, start } from "./node.ts";

Deno.test("P2 P6 messages arrive once and in order when nothing goes wrong", async () => {
  const { sim, destination, cursor, put, stop } = start(new ScriptedDestination());
  await put("a", "b", "c");
  await put("d");
  await sim.run(100);
  await stop();
  assert.deepEqual(destination.taken, ["a", "b", "c", "d"]);
  assert.deepEqual([cursor.position, cursor.durable, cursor.counts.taken], [4, 4, 4]);
  assert.equal(destination.closed, 1);
});

Deno.test("P7 after a broken connection the same batch comes again, over a new one", async () => {
  const { sim, destination, cursor, troubles, put, stop } = start(new ScriptedDestination(breakOff, breakOff));
  await put("a", "b");
  await sim.run(2000);
  await stop();
  assert.deepEqual(destination.batches, [["a", "b"], ["a", "b"], ["a", "b"]]);
  assert.deepEqual([destination.opened, destination.closed, cursor.position], [3, 3, 2]);
  assert.deepEqual(troubles, ["connection lost", "connection lost"]);
});

Deno.test("P6 what is asked for again is sent before anything later", async () => {
  const destination = new ScriptedDestination((batch) => ({ refused: [], again: batch.slice(1) }));
  const { sim, put, stop } = start(destination);
  await put("a", "b", "c");
  await put("d");
  await sim.run(2000);
  await stop();
  assert.deepEqual(destination.batches.slice(0, 2), [["a", "b", "c"], ["b", "c"]]);
  assert.deepEqual(destination.taken, ["a", "b", "c", "d"]);
});

Deno.test("P15 a message refused for good goes to the dead letters, and the rest goes on", async () => {
  const refuseB = new ScriptedDestination((batch) => ({
    refused: [{ delivery: batch[1]!, reason: "too large" }],
    again: [],
  }));
  const { sim, destination, cursor, dead, put, stop } = start(refuseB);
  await put("a", "b", "c");
  await sim.run(100);
  await stop();
  assert.deepEqual(destination.taken, ["a", "c"]);
  assert.deepEqual([cursor.counts.taken, cursor.counts.dead, cursor.position], [2, 1, 3]);
  const [letter, ...others] = [...dead().letters()];
  assert.deepEqual([letter!.position, letter!.reason, letter!.tries, others.length], [1, "too large", 1, 0]);
});

Deno.test("P15 a full store of dead letters pauses the destination and drops nothing", async () => {
  const refuse = (batch: readonly Parameters<ScriptedDestination["script"][0]>[0][0][]) => ({
    refused: batch.map((delivery) => ({ delivery, reason: "no" })),
    again: [],
  });
  const { sim, cursor, troubles, put, stop } = start(new ScriptedDestination(refuse), { deadMax: 0 });
  await put("a");
  await sim.run(50);
  assert.equal(cursor.position, 0);
  assert.match(troubles[0]!, /dead-letter store is full/);
  await sim.run(60_000);
  assert.equal(cursor.position, 1, "the destination has changed its mind");
  await stop();
});

Deno.test("messages that the filter leaves out get their verdict and are never sent", async () => {
  const { sim, destination, cursor, put, stop } = start(new ScriptedDestination());
  await put("debug 1", "a", "debug 2");
  await sim.run(100);
  await stop();
  assert.deepEqual(destination.taken, ["a"]);
  assert.deepEqual([cursor.counts.filtered, cursor.counts.taken, cursor.position], [2, 1, 3]);
});

Deno.test("a destination that is not there is asked again, for ever, with pauses of 30 s at most", async () => {
  const destination = new ScriptedDestination();
  destination.refusesToOpen = new Error("nobody there");
  const { sim, cursor, troubles, put, stop } = start(destination);
  await put("a");
  await sim.run(600_000);
  assert.ok(troubles.length >= 600 / 30 && troubles.length < 60, `${troubles.length} tries in ten minutes`);
  destination.refusesToOpen = undefined;
  await sim.run(31_000);
  assert.equal(cursor.position, 1);
  await stop();
});

Deno.test("a send that does not settle is given up after the deadline and tried anew", async () => {
  const hang = (_batch: unknown, signal: AbortSignal) =>
    new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  const { sim, destination, troubles, put, stop } = start(new ScriptedDestination(hang), { deadlineMs: 1000 });
  await put("a");
  await sim.run(1500);
  assert.match(troubles[0]!, /No answer within 1000 ms/);
  assert.deepEqual(destination.taken, ["a"]);
  await stop();
});

Deno.test("P20 a stop does not wait for the destination", async () => {
  const hang = (_batch: unknown, signal: AbortSignal) =>
    new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  const { sim, cursor, put, stop } = start(new ScriptedDestination(hang), { deadlineMs: 60_000 });
  await put("a");
  await sim.run(10);
  const before = sim.clock.elapsed();
  await stop();
  assert.equal(sim.clock.elapsed(), before);
  assert.equal(cursor.position, 0);
});

Deno.test("a cursor is durable within a second, though nothing more comes", async () => {
  const { sim, cursor, put, stop } = start(new ScriptedDestination());
  await put("a");
  await sim.run(1100);
  assert.equal(cursor.durable, 1);
  await stop();
});
