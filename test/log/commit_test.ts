import assert from "node:assert/strict";
import { Commit } from "../../src/log/commit.ts";
import { commitBytesMax, decodeCommitHeader, entryBytesMax, flagIdempotency, Salt } from "../../src/log/format.ts";
import type { Position } from "../../src/log/mod.ts";
import { SimWorld } from "../sim/world.ts";
import { bytesOf, commitsOf, Trial } from "./trial.ts";

const salt = new Salt("00000000000000ab");
const place = { salt, offset: 4096, chain: 0 };

Deno.test("a commit takes entries up to 8 MiB in all, or one that is larger", () => {
  const commit = new Commit();
  assert.ok(commit.hasRoom(entryBytesMax));
  commit.add(new Uint8Array(1000), 1);
  assert.ok(!commit.hasRoom(entryBytesMax));
  const left = commitBytesMax - commit.length - 16;
  assert.deepEqual([commit.hasRoom(left), commit.hasRoom(left + 1)], [true, false]);
  assert.equal(commit.entries, 1);
});

Deno.test("a commit that is used again has nothing of its former life", () => {
  const commit = new Commit();
  commit.first = 5 as Position;
  commit.flags = flagIdempotency;
  for (let i = 0; i < 3; i++) commit.add(bytesOf("x".repeat(500)), 7);
  commit.reset();
  commit.first = 26 as Position;
  commit.add(bytesOf("y"), 1);
  const { bytes } = commit.seal(place, 0, 1);
  const { count, first, flags, length } = decodeCommitHeader(bytes, 0, salt, 4096)!;
  assert.deepEqual([count, first, flags, length, commit.entries], [1, 26, 0, 24, 1]);
  assert.deepEqual([...bytes.subarray(48 + 16)], [121, 0, 0, 0, 0, 0, 0, 0]);
});

Deno.test("P16: the room that one large request needed is not kept", () => {
  const commit = new Commit();
  commit.add(new Uint8Array(12 << 20), 1);
  commit.reset();
  commit.add(bytesOf("small"), 1);
  assert.ok(commit.seal(place, 0, 1).bytes.buffer.byteLength <= commitBytesMax);
});

Deno.test("a commit says whether an entry in it has an idempotency key, and only that one does", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim);
  for (const flags of [[0, 0], [0, flagIdempotency], [0], [255]]) {
    for (const flag of flags) trial.writer.append(bytesOf("x"), 1, flag);
    await sim.run(trial.writer.durable());
  }
  assert.deepEqual(commitsOf(sim).map(({ header }) => header.flags), [0, flagIdempotency, 0, flagIdempotency]);
});
