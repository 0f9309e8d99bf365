/** How much a destination gets at once, and how soon: by what it says, and by its caps. */
import assert from "node:assert/strict";
import { type Behaviour, ScriptedDestination, start } from "./node.ts";

const none = { count: 0, bytes: 0 };
const names = (count: number) => Array.from({ length: count }, (_, i) => `m${i}`);

Deno.test("M4 rate_limit is kept evenly, over pauses in what comes and over large requests", async () => {
  const destination = new ScriptedDestination();
  const { sim, capped, put, stop } = start(destination, { rate: { ...none, count: 50 } });
  await put(...names(500));
  for (let second = 1; second <= 5; second++) {
    await sim.run(1000);
    const { length } = destination.taken;
    assert.ok(Math.abs(length - 50 * second) <= 10, `${length} after ${second} s`);
  }
  assert.ok(destination.batches.every(({ length }) => length <= 5), "a tenth of a second's at once");
  assert.ok(capped.length > 20);
  await sim.run(10_000);
  assert.deepEqual(destination.taken, names(500));
  // Half a minute of silence earns no burst.
  await sim.run(30_000);
  await put(...names(500));
  const before = destination.taken.length;
  await sim.run(1000);
  assert.ok(destination.taken.length - before <= 65, `${destination.taken.length - before}`);
  await stop();
});

Deno.test("M4 rate_limit_bytes counts the bytes that are sent; a message larger than it goes alone, and is paid for", async () => {
  const destination = new ScriptedDestination();
  const { sim, put, stop } = start(destination, { rate: { ...none, bytes: 10_000 } });
  await put(...Array.from({ length: 40 }, () => "x".repeat(1000)), "y".repeat(30_000), "z");
  await sim.run(2000);
  assert.ok(Math.abs(destination.taken.length - 20) <= 3, `${destination.taken.length}`);
  await sim.run(3000);
  assert.equal(destination.taken.at(-1)![0], "y");
  await sim.run(1500);
  assert.equal(destination.taken.at(-1)![0], "y", "its thirty thousand bytes are three seconds");
  await sim.run(1500);
  assert.equal(destination.taken.at(-1), "z");
  await stop();
});

Deno.test("M4 what is sent again counts for the cap, too", async () => {
  const busy: Behaviour = (batch) => ({ refused: [], again: batch, trouble: "busy" });
  const destination = new ScriptedDestination(...Array.from({ length: 8 }, () => busy));
  const { sim, put, stop } = start(destination, { rate: { ...none, count: 1 } });
  await put("a");
  await sim.run(6000);
  assert.ok(destination.batches.length <= 7, `${destination.batches.length}`);
  await stop();
});

Deno.test("M4 a capped destination is paused and stopped at once, and what it was sent is not sent again", async () => {
  const destination = new ScriptedDestination();
  const { sim, control, cursor, put, stop } = start(destination, { rate: { ...none, count: 1 } });
  await put("a", "b", "c", "d");
  await sim.run(1500);
  const before = sim.clock.elapsed();
  await sim.run(control.give({ do: "pause" }));
  assert.equal(sim.clock.elapsed(), before);
  assert.equal(cursor.position, destination.taken.length);
  await sim.run(5000);
  const paused = destination.taken.length;
  assert.ok(paused < 4);
  await sim.run(control.give({ do: "resume" }));
  await sim.run(10_000);
  assert.deepEqual(destination.taken, ["a", "b", "c", "d"]);
  const stopping = sim.clock.elapsed();
  await stop();
  assert.equal(sim.clock.elapsed(), stopping);
});

Deno.test("M4 half as many at once each time the destination says that it is too much; more again step by step", async () => {
  const destination = new ScriptedDestination();
  const throttle: Behaviour = (batch) => ({ refused: [], again: batch, trouble: "too much", throttled: true });
  destination.script.push(throttle, throttle, throttle);
  const { sim, paced, troubles, put, stop } = start(destination, { limit: { count: 80, bytes: 1 << 20 } });
  await put(...names(1000));
  await sim.run(20_000);
  assert.deepEqual(destination.batches.slice(0, 6).map(({ length }) => length), [80, 40, 20, 10, 14, 18]);
  assert.deepEqual([paced.slice(0, 4), paced.at(-1)], [[40, 20, 10, 14], 80]);
  assert.equal(troubles[0], "too much");
  assert.deepEqual(destination.taken, names(1000));
  await stop();
});

Deno.test("M4 who takes no more than one at a time gets one at a time, in order", async () => {
  const destination = new ScriptedDestination();
  const single: Behaviour = (batch) => {
    destination.script.push(single);
    if (batch.length === 1) return { refused: [], again: [] };
    return { refused: [], again: batch, trouble: "too much", throttled: true };
  };
  destination.script.push(single);
  const { sim, cursor, put, stop } = start(destination, { limit: { count: 64, bytes: 1 << 20 } });
  await put(...names(20));
  await sim.run(600_000);
  assert.deepEqual([destination.taken, cursor.position], [names(20), 20]);
  await stop();
});

Deno.test("M4 P7 after a stop in the middle of what was read together only the rest comes", async () => {
  const first = new ScriptedDestination();
  const one = start(first, { rate: { ...none, count: 20 } });
  await one.put(...names(100));
  await one.sim.run(2000);
  await one.stop();
  assert.ok(first.taken.length > 10 && first.taken.length < 60);
  one.sim.killProcess();
  const second = new ScriptedDestination();
  const two = start(second, {}, one.sim);
  await two.sim.run(2000);
  assert.deepEqual([...first.taken, ...second.taken], names(100));
  await two.stop();
});
