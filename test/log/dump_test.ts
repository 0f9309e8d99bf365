import assert from "node:assert/strict";
import { firstCommitAt } from "../../src/log/format.ts";
import { dump, type Found, type Position, survey } from "../../src/log/mod.ts";
import { readOnly } from "../../src/os/read_only.ts";
import { SimWorld } from "../sim/world.ts";
import { filled, segmentsOf } from "./filled.ts";
import { Trial } from "./trial.ts";

/** Three segments of three commits each, of two messages each; 0 to 5, 6 to 11, 12 to 17. */
async function nineCommits(): Promise<SimWorld> {
  const sim = new SimWorld(1);
  await filled(sim, { commits: Array.from({ length: 9 }, () => 2), bytes: 9000 });
  return sim;
}

function dumped(sim: SimWorld, from = 0, to = Infinity): string[] {
  const range = { from: from as Position, to: to as Position };
  return [...dump(survey(readOnly(sim).files, "data"), range)].map(inWords);
}

function inWords(one: Found): string {
  if (one.kind === "segment") return `segment ${one.segment.base}`;
  if (one.kind === "commit") return `commit ${one.commit.header.first}`;
  if (one.kind === "entry") return `${one.bytes ? "entry" : "hole"} ${one.position}+${one.count} of ${one.epoch}`;
  return `${one.kind} ${one.from} in ${one.segment.base}`;
}

Deno.test("M3.5 a dump shows segments, their commits and what is in them, in the order of the log", async () => {
  const sim = await nineCommits();
  const expected = [0, 6, 12].flatMap((base) => [
    `segment ${base}`,
    ...[base, base + 2, base + 4].flatMap((first) => [`commit ${first}`, `entry ${first}+2 of 1`]),
  ]);
  assert.deepEqual(dumped(sim), expected);
  assert.equal(sim.openHandles, 0);
});

Deno.test("M3.5 a dump of a range shows what has to do with its positions, and nothing else", async () => {
  const sim = await nineCommits();
  const both = (first: number) => [`commit ${first}`, `entry ${first}+2 of 1`];
  assert.deepEqual(dumped(sim, 5, 7), ["segment 0", ...both(4), "segment 6", ...both(6)]);
  assert.deepEqual(dumped(sim, 6, 8), ["segment 6", ...both(6)]);
  assert.deepEqual(dumped(sim, 7, 9), ["segment 6", ...both(6), ...both(8)]);
  assert.deepEqual(dumped(sim, 16, 99), ["segment 12", ...both(16)]);
  assert.deepEqual(dumped(sim, 0, 0), []);
  assert.deepEqual(dumped(sim, 18, 99), ["segment 12"], "more may still come there");
});

Deno.test("M3.5 a dump of a commit of several entries shows those of the range", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim);
  await trial.appendTogether("a", "b", "c", "d");
  await trial.close();
  assert.deepEqual(dumped(sim, 1, 3), ["segment 0", "commit 0", "entry 1+1 of 1", "entry 2+1 of 1"]);
});

Deno.test("a commit without messages is shown where it stands", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim);
  await trial.append("a");
  await sim.run(20_000);
  await sim.run(trial.writer.probe());
  await trial.append("b");
  await trial.close();
  const all = ["segment 0", "commit 0", "entry 0+1 of 1", "commit 1", "commit 1", "entry 1+1 of 1"];
  assert.deepEqual(dumped(sim), all);
  assert.deepEqual(dumped(sim, 1, 2), ["segment 0", ...all.slice(3)]);
  assert.deepEqual(dumped(sim, 0, 1), all.slice(0, 3));
});

Deno.test("P8 a dump says where damage is, and shows what can be read there", async () => {
  const sim = await nineCommits();
  const [, second] = segmentsOf(sim);
  sim.flipByte(second!, firstCommitAt + 5000);
  assert.deepEqual(dumped(sim, 6, 9), [
    "segment 6",
    `damage ${firstCommitAt} in 6`,
    "hole 6+2 of 1",
    "commit 8",
    "entry 8+2 of 1",
  ]);
  sim.flipByte(second!, firstCommitAt + 5000);
  sim.flipByte(second!, firstCommitAt + 20);
  assert.deepEqual(dumped(sim, 6, 8), ["segment 6", `damage ${firstCommitAt} in 6`, "entry 6+2 of 1"]);
});

Deno.test("a dump says where a commit was begun and not finished", async () => {
  const sim = new SimWorld(1);
  await filled(sim, { commits: [2, 2], stepMs: 0, killed: true });
  const [path] = segmentsOf(sim);
  sim.flipByte(path!, sim.fileBytes(path!).findLastIndex((byte) => byte !== 0));
  const [torn] = dumped(sim).slice(-1);
  assert.match(torn!, /^torn \d+ in 0$/);
  assert.equal(dumped(sim).length, 4);
});

Deno.test("a segment that was freed meanwhile is passed over", async () => {
  const sim = await nineCommits();
  const seen = survey(readOnly(sim).files, "data");
  sim.files.remove(segmentsOf(sim)[1]!);
  const found = [...dump(seen, { from: 0 as Position, to: Infinity as Position })].map(inWords);
  assert.deepEqual(found.filter((text) => text.startsWith("segment")), ["segment 0", "segment 12"]);
});
