import assert from "node:assert/strict";
import { Commit } from "../../src/log/commit.ts";
import { writeNumber } from "../../src/log/directory.ts";
import {
  commitHeaderBytes,
  decodeSegmentHeader,
  encodeSegmentHeader,
  firstCommitAt,
  Salt,
  type Seal,
  sealCommit,
  segmentName,
} from "../../src/log/format.ts";
import { encodeMark, openMark } from "../../src/log/mark.ts";
import { peekMark, type Position, verify } from "../../src/log/mod.ts";
import type { SoundnessOptions } from "../../src/log/soundness.ts";
import { readOnly } from "../../src/os/read_only.ts";
import { SimWorld } from "../sim/world.ts";
import { bytesOf, commitsOf, dir, logDir, segmentsOf, Trial } from "./trial.ts";

const small = { segmentBytes: 4096 + 400 };

/** Entries 0 to 7 in three segments of 3, 3 and 2 commits; stopped in order. */
async function eight(): Promise<SimWorld> {
  const sim = new SimWorld(1);
  const trial = new Trial(sim, small);
  for (let i = 0; i < 8; i++) await trial.append(`entry ${i}`.padEnd(60, "x"));
  await trial.close();
  return sim;
}
/** One segment with commits of one, of three and of one message. */
async function five(): Promise<SimWorld> {
  const sim = new SimWorld(1);
  const trial = new Trial(sim);
  await trial.append("one");
  await trial.appendTogether("two", "three", "four");
  await trial.append("five");
  await trial.close();
  return sim;
}
function found(sim: SimWorld, options: SoundnessOptions = {}) {
  return verify(readOnly(sim).files, dir, options);
}
function texts(sim: SimWorld): string[] {
  return found(sim).findings.map(({ text }) => text);
}
/** What a segment's header says of the one before it, made false, with a right checksum. */
function forgeSeal(sim: SimWorld, path: string, forge: (seal: Seal) => Partial<Seal>): void {
  const bytes = sim.fileBytes(path);
  const header = decodeSegmentHeader(bytes, path.slice(-20, -4));
  assert.ok(typeof header === "object" && header.previous);
  bytes.set(encodeSegmentHeader({ ...header, previous: { ...header.previous, ...forge(header.previous) } }));
  sim.writeFile(path, bytes);
}
function put(sim: SimWorld, path: string, at: number, bytes: Uint8Array): void {
  const before = sim.fileBytes(path);
  const whole = new Uint8Array(Math.max(before.length, at + bytes.length));
  whole.set(before);
  whole.set(bytes, at);
  sim.writeFile(path, whole);
}

Deno.test("M3.5 verify adds up the bytes of all commits, and tells how far it has read", async () => {
  const sim = await eight();
  const bytes = commitsOf(sim).reduce((sum, { header }) => sum + commitHeaderBytes + header.length, 0);
  const read: number[] = [];
  assert.equal(found(sim, { progress: (count) => read.push(count) }).totals.bytes, bytes);
  assert.equal(read.length, 8);
  assert.equal(read.reduce((sum, count) => sum + count), bytes);
  const { path, records } = commitsOf(sim)[1]!;
  sim.flipByte(path, records[0]!.to - 1);
  const again: number[] = [];
  found(sim, { progress: (count) => again.push(count) });
  assert.deepEqual(again, read, "damage is read too");
});

Deno.test("P9 what is missing between segments is told as what it is", async () => {
  const first = await eight();
  first.files.remove(segmentsOf(first)[0]!);
  assert.match(texts(first)[0]!, /^the oldest messages, before this segment, are missing/);
  const middle = await eight();
  const [, gone, last] = segmentsOf(middle);
  middle.files.remove(gone!);
  assert.deepEqual(texts(middle), [`the segment before it (${gone!.slice(-20, -4)}) is missing`]);
  middle.flipByte(last!, 40);
  assert.match(texts(middle)[1]!, /^messages before it are missing: the log ended too early when it was begun/);
});

Deno.test("P11 positions that a start had to leave out are told as missing", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim);
  await trial.append("a", "b");
  const cursor = trial.cursor("out");
  cursor.advance(5 as Position, { taken: 5 });
  cursor.sync();
  await trial.close();
  const again = new Trial(sim);
  await again.append("c");
  await again.close();
  const { findings, lost } = found(sim);
  assert.deepEqual(findings.map(({ position, count }) => [position, count]), [[2, 3]]);
  assert.match(findings[0]!.text, /^messages before it are missing/);
  assert.equal(lost, 3);
});

Deno.test("what is no part of the log is told as what it is", async () => {
  const sim = await eight();
  const id = "00000000000000aa";
  const header = { node: "00000000deadbeef", segment: id, base: 8 as Position, epoch: 1, sequence: 9, created: 0 };
  sim.writeFile(`${logDir}/${segmentName(8, id)}`, encodeSegmentHeader(header));
  assert.deepEqual(texts(sim), ["it belongs to another node; it is left out"]);
  const right = segmentsOf(sim)[0]!.slice(logDir.length + 1);
  sim.copyFile(`${logDir}/${right}`, `${logDir}/${segmentName(1, "00000000000000bb")}`);
  assert.ok(texts(sim).includes(`it is ${right} under another name; it is left out`));
});

Deno.test("damage is told also while the node runs, and a segment that goes meanwhile is none", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim, small);
  for (let i = 0; i < 8; i++) await trial.append(`entry ${i}`.padEnd(60, "x"));
  assert.deepEqual(texts(sim), [], "nothing is marked, and the last segment is not looked at");
  await sim.run(1500);
  const { path, records } = commitsOf(sim)[1]!;
  sim.flipByte(path, records[0]!.to - 1);
  assert.equal(texts(sim).length, 1);
  sim.watch = (call, about) => {
    if (call !== "exists" || about !== path) return;
    sim.watch = undefined;
    sim.files.remove(path);
  };
  assert.deepEqual(texts(sim), []);
});

Deno.test("P7 an epoch that is behind the segments is told with what it says", async () => {
  const sim = await eight();
  const again = new Trial(sim, small);
  await again.append("more");
  await again.close();
  writeNumber(sim.files, "data/epoch", 1);
  assert.deepEqual(texts(sim), ["it says 1, and segments say 2; a start goes by them"]);
  sim.files.remove("data/epoch");
  assert.deepEqual(texts(sim), ["it is missing or cannot be read, and segments say 2; a start goes by them"]);
  for (const path of segmentsOf(sim)) sim.flipByte(path, 40);
  assert.ok(texts(sim).every((text) => text.startsWith("its head is damaged")), "then no segment tells");
});

Deno.test("P11 a mark that is lost is told with what became of it, and one slot of two is enough", async () => {
  const sim = await eight();
  const whole = sim.fileBytes("data/mark");
  const loss = ": a loss at the end of the log could not be noticed";
  sim.flipByte("data/mark", whole[4096 + 100] === 0 ? 100 : 4196);
  assert.ok(texts(sim).every((text) => text === "one of its two slots cannot be read; the other is used"));
  assert.equal(texts(sim).length, 1);
  sim.writeFile("data/mark", new Uint8Array(8192).fill(1));
  assert.deepEqual(texts(sim), [`it cannot be read${loss}`]);
  sim.files.remove("data/mark");
  assert.deepEqual(texts(sim), [`it is missing${loss}`]);
});

Deno.test("a mark that a running node has not written yet is nothing to tell", async () => {
  const sim = new SimWorld(1);
  await new Trial(sim).append("a");
  assert.deepEqual(texts(sim), []);
  sim.killProcess();
  assert.deepEqual(texts(sim), ["it was never written: the node lived less than a second"]);
});

Deno.test("P3 a mark that remembers another commit at the end is told", async () => {
  const sim = await eight();
  const mark = peekMark(sim.files, dir)!;
  const { slots } = openMark(sim.files, dir);
  slots.put(encodeMark({ ...mark, chain: mark.chain ^ 1 }));
  slots.close();
  assert.deepEqual(texts(sim), ["this commit is not the one that the mark remembers"]);
});

Deno.test("P3 a commit that is right by itself and does not follow the one before it is told, the first one too", async () => {
  const sim = await five();
  const commits = commitsOf(sim);
  const { path } = commits[0]!;
  const id = path.slice(-20, -4);
  const other = (first: number, offset: number) => {
    const commit = new Commit();
    commit.first = first as Position;
    commit.add(bytesOf("one"), 1);
    return commit.seal({ salt: new Salt(id), offset, chain: 1 }, 0, 1).bytes;
  };
  const next = commits[2]!.offset + commitHeaderBytes + commits[2]!.header.length;
  put(sim, path, next, other(5, next));
  assert.deepEqual(texts(sim), ["this commit does not follow the one before it"]);
  put(sim, path, firstCommitAt, other(0, firstCommitAt));
  const told = found(sim).findings.map(({ offset, text }) => [offset, text]);
  assert.deepEqual(told.map(([offset]) => offset), [firstCommitAt, commits[1]!.offset, next]);
});

Deno.test("P8 of a damaged commit the messages that can still be read are told, and the first that cannot", async () => {
  const sim = await five();
  const { path, offset, header, records } = commitsOf(sim)[1]!;
  const to = offset + commitHeaderBytes + header.length;
  sim.flipByte(path, records[1]!.to - 1);
  const [only] = found(sim).findings;
  assert.deepEqual([only!.position, only!.count], [2, 1]);
  assert.equal(only!.text, `it is damaged up to byte ${to}; 2 of the messages there can be read`);
  sim.flipByte(path, records[2]!.to - 1);
  const [two] = found(sim).findings;
  assert.deepEqual([two!.position, two!.count, two!.text], [
    2,
    2,
    `it is damaged up to byte ${to}; 1 of the messages there can be read`,
  ]);
  sim.flipByte(path, records[0]!.to - 1);
  assert.equal(texts(sim)[0], `it is damaged up to byte ${to}`);
  assert.equal(found(sim).totals.messages, 2);
});

Deno.test("P8 damage that goes to the end of the file is no file that ends too early", async () => {
  const sim = await five();
  const { path, records } = commitsOf(sim)[2]!;
  sim.flipByte(path, records[0]!.to - 1);
  assert.deepEqual(texts(sim), [`it is damaged up to byte ${sim.fileBytes(path).length}`]);
});

Deno.test("P8 what is no record in a commit whose checksum is right is told, and not counted as an entry", async () => {
  const sim = await five();
  const { path, offset, header } = commitsOf(sim)[2]!;
  const bytes = new Uint8Array(commitHeaderBytes + header.length);
  sealCommit(bytes, header, new Salt(path.slice(-20, -4)), offset);
  put(sim, path, offset, bytes);
  const { findings, totals } = found(sim);
  assert.ok(findings.some(({ text, position }) => text === "an entry cannot be read" && position === 4));
  assert.deepEqual([totals.entries, totals.messages], [4, 4]);
});

Deno.test("a torn tail is told with its bytes", async () => {
  const sim = new SimWorld(1);
  await new Trial(sim).append("a", "b");
  sim.killProcess();
  const { path, offset, records } = commitsOf(sim)[1]!;
  sim.flipByte(path, records[0]!.to - 1);
  const bytes = sim.fileBytes(path).length - offset;
  assert.equal(
    texts(sim)[0],
    `a commit that was begun and not finished is left out: it was never accepted (${bytes} bytes)`,
  );
});

Deno.test("P3 a segment that does not end where, or as, its successor says is told", async () => {
  const late = await eight();
  const [first, second] = segmentsOf(late);
  const end = late.fileBytes(second!);
  forgeSeal(late, second!, () => ({ end: 9 as Position }));
  const [finding] = found(late).findings;
  const last = commitsOf(late)[2]!;
  assert.deepEqual([finding!.text, finding!.file], ["it ends too early", first!.slice("data/".length)]);
  assert.deepEqual([finding!.position, finding!.count], [3, 6]);
  assert.equal(finding!.offset, last.offset + commitHeaderBytes + last.header.length);
  late.writeFile(second!, end);
  forgeSeal(late, second!, ({ chain }) => ({ chain: chain ^ 1 }));
  assert.ok(texts(late).includes("its last commit is not the one that its successor remembers"));
});
