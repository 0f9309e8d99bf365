import assert from "node:assert/strict";
import { Usage } from "../../src/access/usage.ts";
import { dir, worldWith } from "./keys.ts";

function open(world = worldWith()) {
  const reports: string[] = [];
  const usage = new Usage({ world, dir, report: (text) => reports.push(text) });
  const stop = new AbortController();
  void usage.keepUp(stop.signal);
  return { world, usage, reports };
}

Deno.test("M1.10 what was used today outlives a stop, and all but ten seconds of it a crash", async () => {
  const { world, usage } = open();
  usage.add("a", 5);
  await world.run(10_001);
  usage.add("a", 2);
  world.killProcess();
  assert.equal(open(world).usage.of("a"), 5);
  usage.keep();
  assert.deepEqual([open(world).usage.of("a"), open(world).usage.of("b")], [7, 0]);
});

Deno.test("M1.10 a new day (UTC) begins at nothing, in a running node and at a start", async () => {
  const { world, usage } = open();
  usage.add("a", 5);
  assert.equal(usage.secondsLeft, 12 * 3600);
  await world.run(500);
  assert.equal(usage.secondsLeft, 12 * 3600);
  await world.run(11.9 * 3_600_000);
  assert.equal(usage.of("a"), 5);
  await world.run(0.2 * 3_600_000);
  assert.deepEqual([usage.of("a"), open(world).usage.of("a")], [0, 0]);
  usage.add("a", 1);
  await world.run(24 * 3_600_000);
  usage.add("b", 2);
  assert.deepEqual([usage.of("a"), usage.of("b")], [0, 2]);
  usage.keep();
  assert.equal(open(world).usage.of("b"), 2);
});

Deno.test("M1.10 where nothing was used nothing is written", async () => {
  const { world, usage } = open();
  const before = world.calls;
  await world.run(60_000);
  assert.equal(world.calls, before);
  usage.add("a", 1);
  await world.run(10_001);
  const kept = world.calls;
  assert.ok(kept > before);
  await world.run(60_000);
  assert.equal(world.calls, kept);
});

Deno.test("M1.10 a file that cannot be read counts as nothing, one that cannot be written is said once", async () => {
  const { world, usage, reports } = open();
  usage.add("a", 5);
  world.failNth(1, "ENOSPC", { kinds: ["create"], persistent: true });
  await world.run(60_000);
  assert.deepEqual([usage.of("a"), reports.length], [5, 1]);
  assert.match(reports[0]!, /^Cannot keep how much of their quotas keys have used: /);
  world.heal();
  await world.run(10_001);
  assert.equal(open(world).usage.of("a"), 5);
  world.truncateFile(`${dir}/usage`, 9);
  assert.equal(open(world).usage.of("a"), 0);
});
