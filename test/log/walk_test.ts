import assert from "node:assert/strict";
import { firstCommitAt } from "../../src/log/format.ts";
import { stat, survey } from "../../src/log/mod.ts";
import { Segment } from "../../src/log/segment.ts";
import { openSeen } from "../../src/log/survey.ts";
import { headers, type Step, walk } from "../../src/log/walk.ts";
import { readOnly } from "../../src/os/read_only.ts";
import { SimWorld } from "../sim/world.ts";
import { type CommitPlace, commitsOf, dir, logDir, segmentsOf, Trial } from "./trial.ts";

/** What a walk through all segments of a directory that nobody has comes by. */
function walked(sim: SimWorld): string[] {
  const seen = survey(readOnly(sim).files, dir, { holder: undefined });
  return seen.segments.flatMap(({ name, bounds }) => {
    const segment = openSeen(seen, name)!;
    const steps = [...walk(segment, bounds)].map(inWords);
    segment.close();
    return steps;
  });
}
function inWords(step: Step): string {
  if (step.kind === "commit") return `commit ${step.commit.header.first}+${step.commit.header.count}`;
  if (step.kind === "torn") return `torn ${step.from}-${step.to}`;
  return `damage ${step.from}-${step.to}: ${step.stretch.first}+${step.stretch.count}, epoch ${step.epoch}`;
}
function firstsIn(sim: SimWorld, path: string): string[] {
  const segment = Segment.open(sim.files, logDir, path.slice(logDir.length + 1));
  const found = [...headers(segment, Infinity)].map(({ header }) => `${header.first}+${header.count}`);
  segment.close();
  return found;
}
/** Four commits of one message each, after which the node was killed: nothing but the next commit proves one. */
async function killed(): Promise<{ sim: SimWorld; commits: CommitPlace[] }> {
  const sim = new SimWorld(1);
  await new Trial(sim).append("a", "b", "c", "d");
  sim.killProcess();
  return { sim, commits: commitsOf(sim) };
}
/** A commit without messages between two others, and one at the end. */
async function probed(): Promise<SimWorld> {
  const sim = new SimWorld(1);
  const trial = new Trial(sim);
  for (const text of ["a", "b"]) {
    await trial.append(text);
    await sim.run(20_000);
    await sim.run(trial.writer.probe());
  }
  await trial.close();
  return sim;
}
function spoilHeader(sim: SimWorld, { path, offset }: CommitPlace): void {
  sim.flipByte(path, offset + 20);
}
function spoilPayload(sim: SimWorld, { path, records }: CommitPlace): void {
  sim.flipByte(path, records[0]!.to - 1);
}

Deno.test("P8: damage in one commit and in the head of the next is told as two, for what follows proves both", async () => {
  const { sim, commits } = await killed();
  spoilPayload(sim, commits[1]!);
  spoilHeader(sim, commits[2]!);
  const at = commits.map(({ offset }) => offset);
  assert.deepEqual(walked(sim), [
    "commit 0+1",
    `damage ${at[1]}-${at[2]}: 1+1, epoch 1`,
    `damage ${at[2]}-${at[3]}: 2+1, epoch 1`,
    "commit 3+1",
  ]);
});

Deno.test("a last commit that nothing proves is torn, up to the end of the file", async () => {
  const { sim, commits } = await killed();
  spoilPayload(sim, commits[3]!);
  const size = sim.fileBytes(commits[3]!.path).length;
  assert.deepEqual(walked(sim).at(-1), `torn ${commits[3]!.offset}-${size}`);
  spoilHeader(sim, commits[3]!);
  assert.deepEqual(walked(sim), ["commit 0+1", "commit 1+1", "commit 2+1"]);
});

Deno.test("a damaged commit without messages costs none", async () => {
  const sim = await probed();
  const last = commitsOf(sim).at(-1)!;
  spoilHeader(sim, last);
  assert.deepEqual(walked(sim).slice(2), ["commit 1+1", `damage ${last.offset}-${last.offset + 48}: 2+0, epoch 1`]);
});

Deno.test("P7: of damage the commit's own epoch is told, else that of its segment, else none", async () => {
  const { sim } = await killed();
  // The last commit, which nothing proves, is copied into a segment of the next epoch and keeps its own.
  const again = new Trial(sim);
  await again.append("e");
  await again.close();
  const copied = commitsOf(sim).find(({ header, path }) => header.first === 3 && path === segmentsOf(sim)[1])!;
  assert.equal(copied.header.epoch, 1);
  spoilPayload(sim, copied);
  assert.match(walked(sim).join(), /damage \d+-\d+: 3\+1, epoch 1/);
  const last = commitsOf(sim).at(-1)!;
  spoilPayload(sim, copied);
  spoilHeader(sim, last);
  assert.match(walked(sim).join(), /damage \d+-\d+: 4\+1, epoch 2/);
  sim.flipByte(last.path, 40);
  assert.match(walked(sim).join(), /damage \d+-\d+: 4\+1, epoch 0/);
});

Deno.test("P7: a commit that failed and stands whole behind the seal is not come by, nor counted", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim);
  await trial.append("a", "b");
  sim.failNth(1, "EIO", { kinds: ["sync"] });
  await trial.append("c", "d");
  await trial.close();
  const [first] = segmentsOf(sim);
  assert.deepEqual(firstsIn(sim, first!), ["0+1", "1+1", "2+1"], "it is there");
  assert.deepEqual(walked(sim), ["commit 0+1", "commit 1+1", "commit 2+1", "commit 3+1"]);
  const { commits, segments } = stat(readOnly(sim).files, dir);
  assert.deepEqual([commits, segments.map((segment) => segment.messages)], [4, [2, 2]]);
});

Deno.test("headers of commits are come by once each, also of those without messages", async () => {
  const sim = await probed();
  assert.deepEqual(firstsIn(sim, segmentsOf(sim)[0]!), ["0+1", "1+0", "1+1", "2+0"]);
});

Deno.test("a header whose commit the file does not hold to its end is none", async () => {
  const { sim, commits } = await killed();
  const { path, offset, records } = commits[3]!;
  for (const size of [offset + 48, records[0]!.to - 1]) {
    sim.truncateFile(path, size);
    assert.deepEqual(firstsIn(sim, path), ["0+1", "1+1", "2+1"], `${size - firstCommitAt} bytes`);
  }
});
