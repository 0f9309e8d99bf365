/** A log that waits: for room on the disk, for handles, for memory. What it says meanwhile, and that it goes on by itself. */
import assert from "node:assert/strict";
import { LogExhausted, LogFull } from "../../src/log/mod.ts";
import { SimWorld } from "../sim/world.ts";
import { bytesOf, logDir, segmentsOf, texts, Trial } from "./trial.ts";

Deno.test("P4 P12: a commit that a full disk broke off is refused for certain, for a new segment excludes it", async () => {
  for (let seed = 0; seed < 60; seed++) {
    const sim = new SimWorld(seed);
    const trial = new Trial(sim, { recycle: seed % 2 === 0 });
    await trial.append("a");
    if (seed % 2 === 0) sim.writeFile(`${logDir}/00000000000000aa.spare`, new Uint8Array(8192));
    sim.failNth(1, "ENOSPC", { kinds: [seed % 3 === 0 ? "sync" : "write"], short: true });
    await assert.rejects(trial.append("refused"), LogFull);
    if (seed % 5 === 0) {
      await sim.run(1000);
      assert.equal(await trial.append("b"), 1);
    }
    if (seed % 4 < 2) sim.cutPower();
    else sim.killProcess();
    const again = new Trial(sim);
    await again.append("c");
    assert.deepEqual(texts(again.read()), seed % 5 === 0 ? ["a", "b", "c"] : ["a", "c"], `seed ${seed}`);
  }
});

Deno.test("P12: the ballast makes the room in which a commit that a full disk broke off is excluded", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim, { segmentBytes: 1 << 20 });
  await trial.append("a");
  sim.writeFile(`${logDir}/ballast`, new Uint8Array(2 << 20));
  sim.capacity = 0;
  sim.failNth(1, "ENOSPC", { kinds: ["sync"] });
  sim.watch = (call, path) => void (call === "remove" && path.endsWith("ballast") && (sim.capacity = 4 << 20));
  await assert.rejects(trial.append("refused"), LogFull);
  sim.killProcess();
  assert.deepEqual(texts(new Trial(sim).read()), ["a"]);
});

Deno.test("P5 P12: when there is room again the watermark stands where it stood", async () => {
  const sim = new SimWorld(1);
  const raised: number[] = [];
  const trial = new Trial(sim);
  const { mark } = trial;
  const raise = mark.raise.bind(mark);
  mark.raise = (to, segment) => {
    raised.push(to);
    raise(to, segment);
  };
  await trial.append("a", "b");
  sim.capacity = 0;
  await assert.rejects(trial.append("c".repeat(9000)), LogFull);
  sim.capacity = 1 << 30;
  await sim.run(5000);
  await trial.append("d");
  assert.deepEqual(raised, [1, 2, 3]);
});

for (const code of ["EMFILE", "ENFILE", "ENOMEM", "EAGAIN", "EINTR"]) {
  Deno.test(`P12: a log that cannot make a segment (${code}) refuses, waits and goes on by itself`, async () => {
    for (const recycle of [false, true]) {
      const sim = new SimWorld(1);
      const trial = new Trial(sim, { segmentBytes: 4096 + 400, recycle });
      await trial.append("a".repeat(100), "b".repeat(100));
      if (recycle) sim.writeFile(`${logDir}/00000000000000aa.spare`, new Uint8Array(8192));
      sim.failNth(1, code, { kinds: ["create", "open", "list", "syncDir"], persistent: true });
      await assert.rejects(trial.append("c".repeat(300)), LogExhausted);
      assert.equal(trial.writer.facts().state, "exhausted");
      assert.throws(() => trial.writer.append(bytesOf("d"), 1), LogExhausted);
      await assert.rejects(trial.writer.probe(), LogExhausted);
      await sim.run(60_000);
      assert.equal(trial.writer.facts().state, "exhausted");
      assert.equal(trial.reports.length, 2, trial.reports.join("\n"));
      sim.heal();
      await sim.run(600);
      assert.equal(trial.writer.facts().state, "ready");
      assert.equal(await trial.append("e"), 2);
      sim.cutPower();
      const found = texts(new Trial(sim).read()).map((text) => text[0]);
      assert.deepEqual(found, ["a", "b", "e"]);
    }
  });
}

Deno.test("P12: what a want of handles left half made takes no room", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim, { segmentBytes: 4096 + 400 });
  await trial.append("a".repeat(100));
  sim.failNth(1, "EMFILE", { kinds: ["syncDir"], persistent: true });
  await assert.rejects(trial.append("b".repeat(300)), LogExhausted);
  await sim.run(60_000);
  assert.equal(segmentsOf(sim).length, 1);
});

Deno.test("P10: of a commit whose sync failed nothing is said for certain while the system lacks handles", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim);
  await trial.append("a");
  sim.failNth(1, "EIO", { kinds: ["sync"] });
  sim.failNth(1, "EMFILE", { kinds: ["create"], persistent: true });
  await assert.rejects(trial.append("b"), { outcome: "unknown" });
  assert.equal(trial.writer.facts().state, "exhausted");
  sim.heal();
  await sim.run(600);
  assert.equal(await trial.append("c"), 1);
  sim.killProcess();
  assert.deepEqual(texts(new Trial(sim).read()), ["a", "c"]);
});

Deno.test("P5 P12: without a handle for the copy nothing of the last commit is delivered or taken behind it", async () => {
  const sim = new SimWorld(1);
  await new Trial(sim).append("a", "b");
  sim.killProcess();
  sim.failNth(1, "EMFILE", { kinds: ["create"], persistent: true });
  const trial = new Trial(sim);
  assert.deepEqual([texts(trial.read()), trial.writer.facts().state], [["a"], "exhausted"]);
  assert.throws(() => trial.writer.append(bytesOf("c"), 1), LogExhausted);
  await sim.run(10_000);
  assert.deepEqual([texts(trial.read()), trial.reports.length], [["a"], 1]);
  sim.heal();
  await sim.run(600);
  assert.deepEqual(texts(trial.read()), ["a", "b"]);
  assert.equal(await trial.append("c"), 2);
  assert.deepEqual(texts(trial.read()), ["a", "b", "c"]);
});
