import assert from "node:assert/strict";
import { Commit } from "../../src/log/commit.ts";
import { encodeSegmentHeader, firstCommitAt, Salt, segmentName } from "../../src/log/format.ts";
import type { Position } from "../../src/log/mod.ts";
import { Segment } from "../../src/log/segment.ts";
import { SimWorld } from "../sim/world.ts";
import { bytesOf, commitsOf, logDir, segmentsOf, texts, Trial } from "./trial.ts";

function opened(sim: SimWorld, path = segmentsOf(sim)[0]!): Segment {
  return Segment.open(sim.files, logDir, path.slice(logDir.length + 1));
}
/** A commit of one entry, whole, for a place. */
function commitFor(id: string, offset: number, first: number, text = "stale"): Uint8Array {
  const commit = new Commit();
  commit.first = first as Position;
  commit.add(bytesOf(text), 1);
  return commit.seal({ salt: new Salt(id), offset, chain: 0 }, 0, 1).bytes.slice();
}
async function killed(sim: SimWorld): Promise<{ path: string; id: string; end: number }> {
  await new Trial(sim).append("a", "b", "c");
  sim.killProcess();
  const { path, offset, header } = commitsOf(sim).at(-1)!;
  return { path, id: path.slice(-20, -4), end: offset + 48 + header.length };
}
function put(sim: SimWorld, path: string, at: number, bytes: Uint8Array): void {
  const whole = sim.fileBytes(path);
  whole.set(bytes, at);
  sim.writeFile(path, whole);
}

Deno.test("P3: a valid commit of another segment, at any offset behind the end, is never read as new", async () => {
  for (let shift = 0; shift < 1024; shift += 8) {
    const sim = new SimWorld(1);
    const { path, end } = await killed(sim);
    // As it stood there in the file's former life: right under that id, at that very offset, and next in line.
    put(sim, path, end + shift, commitFor("00000000000000aa", end + shift, 3));
    const trial = new Trial(sim);
    assert.deepEqual(texts(trial.read()), ["a", "b", "c"], `at ${end + shift}`);
    assert.deepEqual([trial.writer.recovered.damages, await trial.append("d")], [[], 3]);
    assert.deepEqual(texts(trial.read()), ["a", "b", "c", "d"]);
  }
});

Deno.test("P3: a valid commit of the same segment that stands at another offset is never read as new", async () => {
  for (let shift = 0; shift < 512; shift += 8) {
    const sim = new SimWorld(1);
    const { path, id, end } = await killed(sim);
    put(sim, path, end, commitFor(id, end + 8 + shift, 3));
    assert.deepEqual(texts(new Trial(sim).read()), ["a", "b", "c"], `of ${end + 8 + shift}`);
  }
});

Deno.test("P3: a tail full of another segment's commits, one every eight bytes, is never read as new", async () => {
  const sim = new SimWorld(1);
  const { path, end } = await killed(sim);
  const size = sim.fileBytes(path).length;
  for (let at = end; at + 128 < size; at += 8) put(sim, path, at, commitFor("00000000000000aa", at, 3).subarray(0, 48));
  const trial = new Trial(sim);
  assert.deepEqual(texts(trial.read()), ["a", "b", "c"]);
  assert.deepEqual(trial.writer.recovered.damages, []);
});

Deno.test("a commit whose positions lie before what is expected is none", async () => {
  const sim = new SimWorld(1);
  const { path, id, end } = await killed(sim);
  put(sim, path, end, commitFor(id, end, 1));
  const trial = new Trial(sim);
  assert.deepEqual(texts(trial.read()), ["a", "b", "c"]);
});

Deno.test("headerAfter finds the next commit over any distance, and only one that is right and not too early", async () => {
  for (const distance of [8, 100_000, 262_144 - 48, 262_144, 1_000_000]) {
    const sim = new SimWorld(1);
    const { path, id, end } = await killed(sim);
    const at = end + Math.ceil(distance / 8) * 8;
    sim.writeFile(path, Uint8Array.from([...sim.fileBytes(path).subarray(0, end)]));
    const longer = new Uint8Array(at + 4096);
    longer.set(sim.fileBytes(path));
    longer.set(commitFor(id, at, 7), at);
    sim.writeFile(path, longer);
    const segment = opened(sim, path);
    const find = (from: number, limit: number, expected: number) =>
      segment.headerAfter(from, limit, expected as Position)?.offset;
    assert.equal(find(end, longer.length, 3), at, `${distance} bytes further`);
    assert.equal(find(end, longer.length, 7), at);
    assert.equal(find(end, longer.length, 8), undefined);
    assert.equal(find(end, at + 47, 3), undefined);
    assert.equal(find(at, longer.length, 3), undefined, "not the one it begins at");
    assert.equal(find(at - 8, longer.length, 3), at);
    segment.close();
  }
});

Deno.test("views stay as they are when others are taken", async () => {
  const sim = new SimWorld(1);
  const { path } = await killed(sim);
  const segment = opened(sim, path);
  const head = segment.view(0, 16).slice();
  const view = segment.view(0, 16);
  segment.view(4096, 64);
  segment.view(8000, 500);
  segment.refresh();
  assert.deepEqual(view, head);
  assert.equal(segment.view(segment.size() - 4, 100).length, 4);
  assert.equal(segment.view(segment.size() + 4, 100).length, 0);
});

Deno.test("P8: of a block that the disk will not give, only that block is lost", async () => {
  const sim = new SimWorld(1);
  const { path } = await killed(sim);
  const segment = opened(sim, path);
  const whole = sim.fileBytes(path);
  sim.failNth(1, "EIO", { kinds: ["read"] });
  assert.deepEqual(segment.view(0, whole.length), whole, "a failure that does not last costs nothing");
  segment.refresh();
  sim.failNth(1, "EIO", { kinds: ["read"] });
  sim.failNth(3, "EIO", { kinds: ["read"] });
  const seen = segment.view(0, whole.length);
  assert.deepEqual(seen, Uint8Array.from([...whole.subarray(0, 4096), ...new Uint8Array(whole.length - 4096)]));
});

Deno.test("a segment with a damaged head goes by its name", () => {
  const sim = new SimWorld(1);
  const name = segmentName(42, "00000000000000aa");
  sim.writeFile(`${logDir}/${name}`, new Uint8Array(firstCommitAt));
  const segment = Segment.open(sim.files, logDir, name);
  assert.deepEqual([segment.header, segment.id, segment.base, segment.order], [undefined, "00000000000000aa", 42, -1]);
});

Deno.test("of segments with one base, the one that holds messages comes last, whatever happened to its head", async () => {
  const id = "00000000000000aa";
  const head = { node: id, segment: id, base: 3 as Position, epoch: 1, sequence: 5, created: 0 };
  const orders = [[true, false], [true, true], [false, false], [false, true]].map(([whole, filled]) => {
    const sim = new SimWorld(1);
    const bytes = new Uint8Array(8192);
    if (whole) bytes.set(encodeSegmentHeader(head));
    if (filled) bytes.set(commitFor(id, firstCommitAt, 3), firstCommitAt);
    sim.writeFile(`${logDir}/${segmentName(3, id)}`, bytes);
    return opened(sim).order;
  });
  assert.deepEqual(orders, [5, 5, -1, Infinity]);
});
