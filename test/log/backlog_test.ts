import assert from "node:assert/strict";
import { Budget, type Position, SegmentReader, Tail } from "../../src/log/mod.ts";
import { SimWorld } from "../sim/world.ts";
import { dir, segmentsOf, Trial } from "./trial.ts";

/** Four segments of three messages each, and how many bytes the file of one takes. */
async function fourSegments(sim: SimWorld): Promise<{ trial: Trial; bytes: number }> {
  const trial = new Trial(sim, { segmentBytes: 4096 + 400 });
  for (let i = 0; i < 12; i++) await trial.append(`entry ${i} ${"x".repeat(50)}`);
  return { trial, bytes: sim.fileBytes(segmentsOf(sim)[0]!).length };
}

Deno.test("P13: a budget leaves the newest segments that reach it, and always the one that is written", async () => {
  const sim = new SimWorld(1);
  const { bytes } = await fourSegments(sim);
  const floors = [0, 1, bytes, bytes + 1, 2 * bytes, 2 * bytes + 1, 1e9]
    .map((budget) => new Budget(sim.files, dir, budget).floor());
  assert.deepEqual(floors, [9, 6, 6, 3, 3, 0, 0]);
});

Deno.test("P13: a budget follows the log as it grows and as it is trimmed, and looks at each segment once", async () => {
  const sim = new SimWorld(1);
  const { trial, bytes } = await fourSegments(sim);
  const budget = new Budget(sim.files, dir, 2 * bytes);
  assert.equal(budget.floor(), 3);
  let opened = 0;
  sim.watch = (call) => void (call === "open" && opened++);
  assert.equal(budget.floor(), 3);
  assert.equal(opened, 0);
  for (let i = 0; i < 3; i++) await trial.append(`entry ${i} ${"x".repeat(50)}`);
  assert.equal(budget.floor(), 6);
  trial.writer.trim(9 as Position);
  assert.equal(budget.floor(), 0);
});

Deno.test("a log without segments is within every budget", () => {
  const sim = new SimWorld(1);
  sim.files.makeDir("data/log");
  assert.equal(new Budget(sim.files, dir, 0).floor(), 0);
});

Deno.test("P13: a segment that goes during the look takes nothing, what cannot be opened is told, and no file stays open", async () => {
  const sim = new SimWorld(1);
  const { bytes } = await fourSegments(sim);
  const before = sim.openHandles;
  const [, second, third] = segmentsOf(sim);
  sim.watch = (call, path) => {
    if (call !== "open" || path !== third) return;
    sim.watch = undefined;
    sim.files.remove(third!);
  };
  assert.equal(new Budget(sim.files, dir, bytes).floor(), 3, second);
  assert.equal(sim.openHandles, before);
  sim.failNth(1, "EMFILE", { kinds: ["open"] });
  assert.throws(() => new Budget(sim.files, dir, bytes).floor(), { code: "EMFILE" });
});

/** Entries of about 10 kB, as many as fill some segments. */
async function tenKilobytes(count: number) {
  const sim = new SimWorld(1);
  const trial = new Trial(sim, { segmentBytes: 200_000 });
  for (let i = 0; i < count; i++) await trial.append(`${i} ${"x".repeat(10_000)}`);
  const tail = (bytes: number) =>
    new Tail(
      new Budget(sim.files, dir, bytes),
      new SegmentReader(sim, dir, trial.writer.node, 0 as Position, trial.mark, { byCommit: true }),
      bytes,
    );
  return { trial, tail };
}

Deno.test("M2.2: a tail is the newest messages that take no more than its bytes, to within 64 KiB", async () => {
  const { tail } = await tenKilobytes(100);
  for (const bytes of [100_000, 300_000, 500_000]) {
    const kept = (100 - tail(bytes).floor(0 as Position)) * 10_000;
    assert.ok(kept <= bytes && kept > bytes - 2 * 65_536, `${kept} of ${bytes}`);
  }
  assert.equal(tail(10_000_000).floor(0 as Position), 0);
  assert.equal(tail(10_000_000).floor(40 as Position), 40);
  assert.equal(tail(1).floor(0 as Position), 100);
});

Deno.test("M2.2: a tail moves on as the log grows, and begins anew where its destination is", async () => {
  const { trial, tail } = await tenKilobytes(40);
  const one = tail(200_000);
  const before = one.floor(0 as Position);
  for (let i = 0; i < 20; i++) await trial.append(`${i} ${"x".repeat(10_000)}`);
  const after = one.floor(before);
  assert.ok(after >= before + 14 && after <= 60, `${before} ${after}`);
  assert.equal(one.floor(60 as Position), 60);
  for (let i = 0; i < 10; i++) await trial.append(`${i} ${"x".repeat(10_000)}`);
  assert.equal(one.floor(60 as Position), 60);
});
