import assert from "node:assert/strict";
import { Commit } from "../../src/log/commit.ts";
import { decodeCommitHeader, decodeSegmentHeader, firstCommitAt, Salt, segmentName } from "../../src/log/format.ts";
import { fillBytesOf, LiveSegment, quietly } from "../../src/log/live.ts";
import type { Position } from "../../src/log/mod.ts";
import { SimWorld } from "../sim/world.ts";
import { logDir } from "./trial.ts";

const mib = 1 << 20;
const previous = { segment: "00000000000000ff", length: 5000, chain: 77, end: 7 as Position };
const spareId = "00000000000000aa";

interface Wanted {
  readonly sim?: SimWorld;
  readonly segmentBytes?: number;
  /** Bytes of the first commit. */
  readonly commit?: Commit;
  readonly copied?: { readonly time: number; readonly epoch: number };
  readonly random?: () => number;
}
/** A segment that is begun at position 7 in a directory that has other files, too. */
function begun(wanted: Wanted = {}): { sim: SimWorld; live: LiveSegment; path: string; bytes: () => Uint8Array } {
  const { sim = new SimWorld(1), segmentBytes = 4 * mib, commit = commitOf(100), copied, random } = wanted;
  sim.writeFile(`${logDir}/neighbour`, new Uint8Array(0));
  const world = { ...sim.boot(), ...(random && { random }) };
  const place = { world, logDir, node: "0123456789abcdef", epoch: 3, segmentBytes };
  const live = LiveSegment.begin(place, { sequence: 5, previous, commit, ...(copied && { copied }) });
  const path = `${logDir}/${live.name}`;
  return { sim, live, path, bytes: () => sim.fileBytes(path) };
}
/** A commit of so many bytes in all, header and record included. */
function commitOf(length: number, first = 7): Commit {
  const commit = new Commit();
  commit.first = first as Position;
  commit.add(new Uint8Array(length - 48 - 16).fill(9), 1);
  return commit;
}
function spare(sim: SimWorld, size: number, id = spareId): string {
  const path = `${logDir}/${id}.spare`;
  sim.writeFile(path, new Uint8Array(size).fill(0x33));
  return path;
}
function append(live: LiveSegment, length: number): void {
  const sealed = live.sealed(commitOf(length), 1000, 3);
  live.write(sealed);
  live.sync(sealed);
}

Deno.test("a segment begins with its header and zeros for what comes, durable with its name", () => {
  for (let seed = 0; seed < 20; seed++) {
    const { sim, live, path, bytes } = begun({ sim: new SimWorld(seed) });
    sim.cutPower();
    assert.deepEqual(sim.filesUnder(logDir).filter((name) => !name.endsWith("neighbour")), [path]);
    assert.equal(live.name, segmentName(7, live.id));
    const header = decodeSegmentHeader(bytes(), live.id);
    const { created: _, ...said } = header as Exclude<typeof header, string>;
    assert.deepEqual(said, { node: "0123456789abcdef", segment: live.id, base: 7, epoch: 3, sequence: 5, previous });
    assert.ok(bytes().subarray(128).every((byte) => byte === 0));
  }
});

Deno.test("so many zeros are written at once as fit into the segment, 1 MiB at most, and none where a commit is large", () => {
  assert.equal(begun().bytes().length, firstCommitAt + mib);
  assert.equal(begun({ segmentBytes: 8192 }).bytes().length, 8192);
  assert.deepEqual([8192, 4 * mib].map((segmentBytes) => fillBytesOf({ segmentBytes })), [4096, mib]);
  assert.equal(begun({ commit: commitOf(1 << 16) }).bytes().length, firstCommitAt + mib);
  assert.equal(begun({ commit: commitOf((1 << 16) + 8) }).bytes().length, firstCommitAt);
});

Deno.test("P5: a copied commit stands in its segment from the start, under its own stamps, and in no spare", () => {
  const sim = new SimWorld(1);
  spare(sim, 4 * mib);
  const { live, bytes } = begun({ sim, copied: { time: 12_345, epoch: 2 } });
  const found = decodeCommitHeader(bytes(), firstCommitAt, new Salt(live.id), firstCommitAt)!;
  assert.deepEqual([found.first, found.count, found.time, found.epoch], [7, 1, 12_345, 2]);
  assert.equal(bytes().length, firstCommitAt + 104 + mib);
  assert.deepEqual(live.seal(8 as Position), {
    segment: live.id,
    length: firstCommitAt + 104,
    chain: found.crc,
    end: 8,
  });
  assert.deepEqual([live.isEmpty, begun().live.isEmpty], [false, true]);
  const large = begun({ commit: commitOf((1 << 16) + 8), copied: { time: 1, epoch: 1 } });
  assert.equal(large.bytes().length, firstCommitAt + (1 << 16) + 8);
});

Deno.test("a spare is used with all its room, and its bytes stay until they are needed", () => {
  const sim = new SimWorld(1);
  const path = spare(sim, 3 * mib);
  const { live, bytes } = begun({ sim, segmentBytes: 2 * mib });
  assert.ok(!sim.files.exists(path));
  assert.deepEqual([bytes().length, live.filled, live.isFilled(3 * mib - firstCommitAt)], [3 * mib, 3 * mib, true]);
  assert.ok(live.hasRoom(3 * mib - firstCommitAt), "it may be larger than segments are now");
  assert.equal(typeof decodeSegmentHeader(bytes(), live.id), "object");
  assert.ok(bytes().subarray(firstCommitAt).every((byte) => byte === 0x33));
  assert.ok(bytes().subarray(128, firstCommitAt).every((byte) => byte === 0));
});

Deno.test("a commit that is larger than a segment has one of its own, and leaves the spares alone", () => {
  const sim = new SimWorld(1);
  const path = spare(sim, 2 * mib);
  const { live } = begun({ sim, segmentBytes: 2 * mib, commit: commitOf(2 * mib + 8) });
  assert.ok(sim.files.exists(path));
  assert.deepEqual([live.hasRoom(2 * mib + 8), live.hasRoom(2 * mib + 16)], [true, false]);
  const exact = begun({ sim, segmentBytes: 2 * mib, commit: commitOf(2 * mib) });
  assert.ok(!sim.files.exists(path));
  assert.ok(exact.live.hasRoom(2 * mib));
});

Deno.test("P3: a recycled file never has the id of its former life again", () => {
  const digits = [0, 0, 0, 0xaa, 0, 0, 0, 0xbb].map((word) => word / 65536);
  let at = 0;
  const sim = new SimWorld(1);
  spare(sim, mib);
  const { live } = begun({ sim, random: () => digits[at++ % digits.length]! });
  assert.equal(live.id, "00000000000000bb");
});

Deno.test("commits go one behind the other, each chained to the one before, over zeros that reach just so far", () => {
  const { live, bytes, sim } = begun({ segmentBytes: firstCommitAt + mib });
  assert.deepEqual([live.isFilled(mib), live.isFilled(mib + 1), live.hasRoom(mib), live.hasRoom(mib + 1)], [
    true,
    false,
    true,
    false,
  ]);
  append(live, 104);
  append(live, 208);
  const salt = new Salt(live.id);
  const [first, second] = [0, 104].map((at) =>
    decodeCommitHeader(bytes(), firstCommitAt + at, salt, firstCommitAt + at)!
  );
  assert.equal(second!.chain, first!.crc);
  assert.deepEqual(live.seal(9 as Position), {
    segment: live.id,
    length: firstCommitAt + 312,
    chain: second!.crc,
    end: 9,
  });
  assert.deepEqual([live.hasRoom(mib - 312), live.hasRoom(mib - 311)], [true, false]);
  assert.equal(live.isEmpty, false);
  sim.cutPower();
  assert.equal(decodeCommitHeader(bytes(), firstCommitAt + 104, salt, firstCommitAt + 104)!.crc, second!.crc);
});

Deno.test("zeros are added a MiB at a time up to the end of the segment, ahead of small commits only", () => {
  const { live, bytes } = begun({ segmentBytes: firstCommitAt + 2 * mib + 24 });
  live.fill((1 << 16) + 1);
  assert.equal(bytes().length, firstCommitAt + mib);
  live.fill(1 << 16);
  assert.deepEqual([bytes().length, live.filled], [firstCommitAt + 2 * mib, firstCommitAt + 2 * mib]);
  live.fill(8);
  assert.deepEqual([bytes().length, live.filled], [firstCommitAt + 2 * mib + 24, firstCommitAt + 2 * mib + 24]);
  assert.ok(bytes().subarray(firstCommitAt).every((byte) => byte === 0));
});

Deno.test("zeros come behind a large commit, never over it", () => {
  const { live, bytes } = begun({ segmentBytes: 4 * mib, commit: commitOf(mib + 8) });
  append(live, mib + 8);
  assert.equal(live.filled, firstCommitAt + mib + 8);
  live.fill(8);
  assert.equal(bytes().length, firstCommitAt + 2 * mib + 8);
  assert.equal(bytes()[firstCommitAt + mib + 7], 9);
  append(live, 104);
  assert.equal(live.filled, firstCommitAt + 2 * mib + 8);
});

Deno.test("a segment that is cut ends with its last commit", () => {
  const { live, bytes, sim } = begun();
  append(live, 104);
  live.cut();
  assert.equal(bytes().length, firstCommitAt + 104);
  const before = sim.openHandles;
  live.close();
  assert.equal(sim.openHandles, before - 1);
});

Deno.test("P10: of a segment that could not be begun nothing is left, neither a file nor a spare nor a handle", () => {
  for (const kind of ["write", "sync", "rename", "syncDir"] as const) {
    for (const withSpare of [false, true]) {
      const sim = new SimWorld(1);
      if (withSpare) spare(sim, mib);
      sim.failNth(1, "EIO", { kinds: [kind] });
      assert.throws(() => begun({ sim }), { code: "EIO" });
      assert.deepEqual(sim.filesUnder(logDir), [`${logDir}/neighbour`], kind);
      assert.equal(sim.openHandles, 0);
    }
  }
  const sim = new SimWorld(1);
  spare(sim, mib);
  sim.failNth(1, "EIO", { kinds: ["size"] });
  assert.throws(() => begun({ sim }), { code: "EIO" });
  assert.equal(sim.openHandles, 0);
});

Deno.test("what fails once more is no news, unless it is a mistake of our own", () => {
  quietly(() => {
    throw Object.assign(new Error(), { code: "EIO" });
  });
  assert.throws(() =>
    quietly(() => {
      throw new TypeError("a mistake");
    }), TypeError);
});
