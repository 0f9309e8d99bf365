import assert from "node:assert/strict";
import { encodeSegmentHeader, firstCommitAt, segmentName } from "../../src/log/format.ts";
import { peekMark, type Position, readerOf, survey } from "../../src/log/mod.ts";
import { visibleEnd } from "../../src/log/survey.ts";
import { readOnly } from "../../src/os/read_only.ts";
import { SimWorld } from "../sim/world.ts";
import { filled, segmentsOf } from "./filled.ts";
import { commitsOf, dir, logDir, texts, Trial } from "./trial.ts";

const small = { segmentBytes: 4096 + 400 };
const entry = (i: number) => `entry ${i}`.padEnd(60, "x");

function seen(sim: SimWorld) {
  return survey(readOnly(sim).files, dir);
}
/** A node that is running: entries 0 to 3 are marked, 4 and 5 were committed since; three to a segment. */
async function running(sim = new SimWorld(1)): Promise<Trial> {
  const trial = new Trial(sim, small);
  for (let i = 0; i < 4; i++) await trial.append(entry(i));
  await sim.run(1500);
  for (let i = 4; i < 6; i++) await trial.append(entry(i));
  return trial;
}
/** Three segments, stopped in order. */
async function stopped(): Promise<SimWorld> {
  const sim = new SimWorld(1);
  const trial = new Trial(sim, small);
  for (let i = 0; i < 8; i++) await trial.append(entry(i));
  await trial.close();
  return sim;
}
function emptySegment(
  sim: SimWorld,
  base: number,
  header: { node?: string; sequence?: number; created?: number } = {},
): string {
  const segment = "00000000000000aa";
  const { node = peekNode(sim), sequence = 99, created = 0 } = header;
  const bytes = encodeSegmentHeader({ node, segment, base: base as Position, epoch: 1, sequence, created });
  const path = `${logDir}/${segmentName(base, segment)}`;
  sim.writeFile(path, bytes);
  return path;
}
function peekNode(sim: SimWorld): string {
  return new TextDecoder().decode(sim.fileBytes("data/node")).split(" ")[0]!;
}

Deno.test("P5 M3.5 what runs is read up to the durable mark, and what was committed since is seen but not read", async () => {
  const { sim } = await running();
  assert.equal(peekMark(sim.files, dir)!.position, 4);
  const found = seen(sim);
  assert.deepEqual([found.holder, found.end, found.segments.map(({ base }) => base)], ["a test", 4, [0, 3]]);
  const before = sim.openHandles;
  assert.equal(visibleEnd(found), 6);
  assert.equal(sim.openHandles, before);
});

Deno.test("P5 a segment that was begun since the mark is not read, but the one before it ends where that says", async () => {
  const trial = await running();
  await trial.append(entry(6));
  const found = seen(trial.sim);
  assert.deepEqual([found.end, found.segments.map(({ base }) => base)], [6, [0, 3]]);
  assert.equal(visibleEnd(found), 7);
});

Deno.test("P5 also when the mark is in the first segment", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim, small);
  await trial.append(entry(0));
  await sim.run(1500);
  for (let i = 1; i < 8; i++) await trial.append(entry(i));
  const found = seen(sim);
  assert.deepEqual([found.end, found.segments.length, visibleEnd(found)], [3, 1, 8]);
});

Deno.test("P5 also when the head of the segment that was begun since is damaged, and tells nothing of the one before it", async () => {
  const trial = await running();
  await trial.append(entry(6));
  trial.sim.flipByte(segmentsOf(trial.sim).at(-1)!, 40);
  const found = seen(trial.sim);
  assert.deepEqual([found.end, found.segments.map(({ base }) => base)], [4, [0, 3]]);
});

Deno.test("P5 P8 with the head of the live segment damaged, what runs is read up to the mark, and each message once", async () => {
  const { sim } = await running();
  sim.flipByte(segmentsOf(sim).at(-1)!, 40);
  const found = seen(sim);
  assert.deepEqual([found.end, found.segments.map(({ base }) => base)], [4, [0, 3]]);
  const reader = readerOf(readOnly(sim), found, { from: 0 as Position, to: found.end });
  const items = reader.next({ count: 100, bytes: 1 << 20 });
  assert.deepEqual(items.map(({ position, count }) => [position, count]), [[0, 1], [1, 1], [2, 1], [3, 1]]);
  reader.close();
});

Deno.test("P5 of what runs and has no mark yet nothing is read", async () => {
  const sim = new SimWorld(1);
  await new Trial(sim).append("a", "b");
  assert.deepEqual([seen(sim).end, visibleEnd(seen(sim))], [0, 2]);
});

Deno.test("P8 where the mark goes by a damaged commit, what runs is read as far as the mark", async () => {
  const { sim } = await running();
  const { path, records } = commitsOf(sim)[3]!;
  sim.flipByte(path, records[0]!.to - 1);
  const { end, segments } = seen(sim);
  assert.deepEqual([end, segments.at(-1)!.bounds.end], [4, 4]);
});

Deno.test("P8 with a mark of a segment that is gone, all that is there is looked at", async () => {
  const { sim } = await running();
  for (const path of segmentsOf(sim).slice(1)) sim.files.remove(path);
  assert.deepEqual(seen(sim).segments.map(({ base }) => base), [0]);
  emptySegment(sim, 3);
  assert.deepEqual(seen(sim).segments.map(({ base }) => base), [0, 3]);
});

Deno.test("what can be seen is seen behind the mark, also where the last segment is empty", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim, small);
  await trial.append(entry(0));
  await sim.run(1500);
  for (let i = 1; i < 8; i++) await trial.append(entry(i));
  emptySegment(sim, 8);
  assert.deepEqual([seen(sim).end, visibleEnd(seen(sim))], [3, 8]);
});

Deno.test("P8 what was begun since the last mark is read when the node is no more", async () => {
  const { sim } = await running();
  sim.killProcess();
  const again = new Trial(sim, small);
  await again.append(entry(6), entry(7), entry(8), entry(9));
  sim.killProcess();
  assert.ok(peekMark(sim.files, dir)!.position < 10);
  assert.equal(seen(sim).end, 10);
});

Deno.test("a directory that nobody has is read to its end, damage included", async () => {
  const sim = await stopped();
  assert.deepEqual([seen(sim).holder, seen(sim).end], [undefined, 8]);
  const { path, records } = commitsOf(sim).at(-1)!;
  sim.flipByte(path, records[0]!.to - 1);
  assert.equal(seen(sim).end, 8, "the mark says so");
  assert.equal(sim.openHandles, 0);
});

Deno.test("another node's segments are no part of a log, nor are its own under another name", async () => {
  const sim = await stopped();
  emptySegment(sim, 8, { node: "00000000deadbeef" });
  const path = segmentsOf(sim)[1]!;
  const right = path.slice(logDir.length + 1);
  sim.files.rename(path, `${logDir}/${segmentName(4, right.slice(-20, -4))}`);
  const { segments, strays, end } = seen(sim);
  assert.deepEqual(segments.map(({ base }) => base), [0, 6]);
  assert.deepEqual(strays.map(({ why, rightly }) => [why, rightly]), [
    ["renamed", right],
    ["foreign", segmentName(8, "00000000000000aa")],
  ]);
  assert.equal(end, 8);
});

Deno.test("a segment that retention frees during the look is looked for once more, and no more than a few times", async () => {
  const sim = await stopped();
  const [first] = segmentsOf(sim);
  sim.watch = (call, path) => {
    if (call !== "open" || path !== first) return;
    sim.watch = undefined;
    sim.files.remove(first!);
  };
  assert.deepEqual(seen(sim).segments.map(({ base }) => base), [3, 6]);
  sim.failNth(1, "ENOENT", { kinds: ["open"], persistent: true });
  assert.throws(() => seen(sim), { code: "ENOENT" });
});

Deno.test("what cannot be looked at is told: no log, no handles", async () => {
  assert.throws(() => seen(new SimWorld(1)), { code: "ENOENT" });
  const sim = await stopped();
  const [first] = segmentsOf(sim);
  sim.watch = (call, path) => {
    if (call === "open" && path === first) sim.failNth(1, "EMFILE");
  };
  assert.throws(() => seen(sim), { code: "EMFILE" });
});

Deno.test("where the last segment is freed during the look, the log ends where retention says", async () => {
  const sim = new SimWorld(1);
  await filled(sim, { commits: [1] });
  const [only] = segmentsOf(sim);
  sim.watch = (call, path) => {
    if (call !== "exists" || path !== only) return;
    sim.watch = undefined;
    sim.files.remove(only!);
  };
  assert.equal(seen(sim).end, 0);
});

Deno.test("what can be seen is told though a segment goes meanwhile", async () => {
  const trial = await running();
  await trial.append(entry(6));
  const found = seen(trial.sim);
  const [, second] = segmentsOf(trial.sim);
  trial.sim.watch = (call, path) => {
    if (call !== "exists" || path !== second) return;
    trial.sim.watch = undefined;
    trial.sim.files.remove(second!);
  };
  assert.equal(visibleEnd(found), 7);
});

Deno.test("a reader of what was seen goes from one place to another, and not beyond the end", async () => {
  const sim = await stopped();
  const found = seen(sim);
  const read = (from: number, to: number) => {
    const reader = readerOf(readOnly(sim), found, { from: from as Position, to: to as Position });
    const items = reader.next({ count: 100, bytes: 1 << 20 });
    reader.close();
    return texts(items).map((text) => text.replace(/x+$/, ""));
  };
  assert.deepEqual(read(2, 4), ["entry 2", "entry 3"]);
  assert.deepEqual(read(6, 99), ["entry 6", "entry 7"]);
  const reader = readerOf(readOnly(sim), found, { from: 0 as Position, to: 8 as Position });
  assert.equal(reader.node, peekNode(sim));
  assert.equal(
    readerOf(readOnly(sim), { ...found, node: undefined }, { from: 0 as Position, to: 8 as Position }).node,
    "",
  );
});

Deno.test("P8 a reader of what was seen reads all, also when the last segment's head is damaged", async () => {
  const sim = await stopped();
  sim.flipByte(segmentsOf(sim).at(-1)!, 40);
  const reader = readerOf(readOnly(sim), seen(sim), { from: 0 as Position, to: 8 as Position });
  const items = reader.next({ count: 100, bytes: 1 << 20 });
  assert.deepEqual(texts(items), Array.from({ length: 8 }, (_, i) => entry(i)));
});

Deno.test("P8 a damaged file node is no reason not to look", async () => {
  const sim = await stopped();
  const node = peekNode(sim);
  sim.writeFile("data/node", new Uint8Array([1, 2]));
  assert.equal(seen(sim).node, node, "the segments tell");
  for (const path of segmentsOf(sim)) sim.writeFile(path, new Uint8Array(firstCommitAt));
  assert.equal(seen(sim).node, undefined);
});
