import assert from "node:assert/strict";
import { crc32 } from "node:zlib";
import { Commit } from "../../src/log/commit.ts";
import { encodeSegmentHeader, firstCommitAt, Salt, segmentName } from "../../src/log/format.ts";
import type { Position } from "../../src/log/mod.ts";
import { NewerFormat, Segment } from "../../src/log/segment.ts";
import type { Files, OpenFile } from "../../src/os/world.ts";
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
    assert.deepEqual([find(end, at + 47, 3), find(end, at + 48, 3)], [undefined, at]);
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

/** One segment's file in a world in which `act` stands before every read and close. */
function watched(bytes: Uint8Array, act: Partial<Pick<OpenFile, "read" | "close">> = {}): Segment {
  const sim = new SimWorld(1);
  const name = segmentName(0, "00000000000000aa");
  sim.writeFile(`${logDir}/${name}`, bytes);
  const open = (path: string): OpenFile => {
    const file = sim.files.open(path);
    return {
      read: (at, into) => act.read?.(at, into) || file.read(at, into),
      readAside: (at, into) => file.readAside(at, into),
      write: (at, bytes) => file.write(at, bytes),
      sync: () => file.sync(),
      writeAside: (at, bytes) => file.writeAside(at, bytes),
      truncate: (size) => file.truncate(size),
      size: () => file.size(),
      close: () => {
        act.close?.();
        file.close();
      },
    };
  };
  const files = { open, exists: () => true } as unknown as Files;
  return Segment.open(files, logDir, name);
}
function trouble(code: string): Error {
  return Object.assign(new Error(code), { code });
}

Deno.test("P16: who has far to go reads more and more at a time, up to 256 KiB, and begins small again after a refresh", () => {
  const read: number[] = [];
  const bytes = new Uint8Array(2 << 20).fill(7);
  const segment = watched(bytes, { read: (_, into) => (read.push(into.length), 0) });
  read.length = 0;
  for (let at = 0; at < bytes.length; at += 4096) assert.equal(segment.view(at, 4096).length, 4096);
  const kib = read.map((length) => length / 1024);
  assert.deepEqual(kib, [16, 32, 64, 128, 256, 256, 256, 256, 256, 256, 256, 256]);
  segment.refresh();
  read.length = 0;
  segment.view(4096, 8);
  segment.view(4096, 16_384);
  assert.deepEqual(read, [16_384], "and nothing is read twice");
});

Deno.test("a view of any place and length is what the file holds, from the first byte on", () => {
  const bytes = Uint8Array.from({ length: 5000 }, (_, i) => 1 + i % 251);
  for (const [at, length] of [[0, 1], [1, 1], [0, 5000], [4999, 1], [4999, 2], [17, 0]] as const) {
    const segment = watched(bytes);
    assert.deepEqual(segment.view(at, length), bytes.subarray(at, at + length));
    segment.refresh();
    assert.deepEqual(segment.view(at, length), bytes.subarray(at, at + length));
  }
});

Deno.test("P8: of blocks that the disk will not give, just those are zeros, and each is counted", () => {
  const bytes = new Uint8Array(3 * 4096 + 100).fill(7);
  const failing = (...blocks: readonly number[]) => {
    let first = true;
    const segment = watched(bytes, {
      read(at, into) {
        const all = into.length > 4096;
        if (all ? !first : !blocks.includes(at / 4096)) return 0;
        first &&= !all;
        into.fill(99, 0, Math.min(5, into.length)); // what the disk gave before it failed
        throw trouble("EIO");
      },
    });
    segment.unreadable = 0; // its head was read
    const seen = segment.view(0, bytes.length + 10);
    const lost = Array.from({ length: 4 }, (_, i) => i).filter((block) => seen[block * 4096] === 0);
    for (const [i, byte] of seen.entries()) {
      assert.equal(byte, lost.includes(Math.floor(i / 4096)) ? 0 : 7, `byte ${i}`);
    }
    return [seen.length, segment.unreadable, ...lost];
  };
  assert.deepEqual(failing(), [bytes.length, 0]);
  assert.deepEqual(failing(1), [bytes.length, 1, 1]);
  assert.deepEqual(failing(0, 3), [bytes.length, 2, 0, 3]);
  assert.deepEqual(failing(0, 1, 2, 3), [bytes.length, 4, 0, 1, 2, 3]);
});

Deno.test("P8: where the disk fails at the end of the file, nothing is read beyond that", () => {
  let failing = false;
  const segment = watched(new Uint8Array(8192).fill(7), {
    read() {
      if (failing) throw trouble("EIO");
      return 0;
    },
  });
  failing = true;
  assert.equal(segment.view(8092, 4096).length, 100);
  assert.equal(segment.view(9000, 4096).length, 0);
  const before = segment.unreadable;
  assert.equal(segment.view(0, 8192).length, 8192);
  assert.equal(segment.unreadable - before, 2);
});

Deno.test("what is no failure of the disk is not taken for one", () => {
  for (const failAt of [1, 2]) {
    let reads = -1; // the head
    const segment = watched(new Uint8Array(8192), {
      read() {
        if (++reads === failAt) throw trouble("EINTR");
        if (reads === 1) throw trouble("EIO");
        return 0;
      },
    });
    assert.throws(() => segment.view(0, 8192), { code: "EINTR" });
  }
  const closing = (problem: Error) => {
    const segment = watched(new Uint8Array(8192), {
      close() {
        throw problem;
      },
    });
    segment.close();
  };
  closing(trouble("EIO"));
  assert.throws(() => closing(new TypeError("a mistake")), TypeError);
});

Deno.test("P18: a segment of a later version is not kept open", () => {
  const id = "00000000000000aa";
  const sim = new SimWorld(1);
  const bytes = encodeSegmentHeader({ node: id, segment: id, base: 3 as Position, epoch: 1, sequence: 5, created: 0 });
  new DataView(bytes.buffer).setUint16(10, 2, true);
  const head = crc32(bytes.subarray(0, 12), new Salt(id).at(0));
  new DataView(bytes.buffer).setUint32(12, crc32(bytes.subarray(16), head), true);
  sim.writeFile(`${logDir}/${segmentName(3, id)}`, bytes);
  assert.throws(() => opened(sim), NewerFormat);
  assert.equal(sim.openHandles, 0);
});

Deno.test("the chain of a file that is too short for a header begins at 0", () => {
  for (const length of [0, 12, 15]) assert.equal(watched(new Uint8Array(length).fill(7)).chainStart(), 0);
  assert.equal(watched(new Uint8Array(16).fill(7)).chainStart(), 0x07070707);
});

Deno.test("a commit that goes beyond the limit, or beyond the file, is none", async () => {
  const sim = new SimWorld(1);
  const { path, end } = await killed(sim);
  const { offset } = commitsOf(sim).at(-1)!;
  const segment = opened(sim, path);
  assert.deepEqual([segment.commitAt(offset, end)?.next, segment.commitAt(offset, end - 1)], [end, undefined]);
  sim.truncateFile(path, end - 8);
  segment.refresh();
  assert.equal(segment.commitAt(offset, Infinity), undefined);
  assert.notEqual(segment.headerAt(offset), undefined);
});

Deno.test("headerAfter finds what ends at the limit, takes nothing that is not aligned, and ends with the file", async () => {
  const sim = new SimWorld(1);
  const { path, id, end } = await killed(sim);
  const segment = opened(sim, path);
  const find = (limit: number) => segment.headerAfter(end, limit, 3 as Position)?.offset;
  put(sim, path, end + 12, commitFor(id, end + 12, 3));
  assert.equal(find(segment.size()), undefined);
  assert.equal(find(2 ** 45), undefined);
  put(sim, path, end + 80, commitFor(id, end + 80, 3));
  segment.refresh();
  assert.deepEqual([find(end + 80 + 47), find(end + 80 + 48), find(2 ** 45)], [undefined, end + 80, end + 80]);
});

Deno.test("a segment in which nothing but probes stands is empty", () => {
  const id = "00000000000000aa";
  const sim = new SimWorld(1);
  const probe = new Commit();
  probe.first = 3 as Position;
  const bytes = new Uint8Array(8192);
  for (const at of [firstCommitAt, firstCommitAt + 48]) {
    bytes.set(probe.seal({ salt: new Salt(id), offset: at, chain: 0 }, 0, 1).bytes, at);
  }
  sim.writeFile(`${logDir}/${segmentName(3, id)}`, bytes);
  assert.deepEqual([opened(sim).isEmpty(), opened(sim).order], [true, -1]);
  bytes.set(commitFor(id, firstCommitAt + 96, 3), firstCommitAt + 96);
  sim.writeFile(`${logDir}/${segmentName(3, id)}`, bytes);
  assert.deepEqual([opened(sim).isEmpty(), opened(sim).order], [false, Infinity]);
});
