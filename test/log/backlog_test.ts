import assert from "node:assert/strict";
import { Budget, type Position } from "../../src/log/mod.ts";
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
