import assert from "node:assert/strict";
import { roomFor } from "../../src/log/mod.ts";

const mib = 1 << 20;
const wanted = { segmentBytes: 64 * mib, reserveBytes: 128 * mib };

Deno.test("on a large disk things are as large as they were asked to be", () => {
  assert.deepEqual(roomFor(64 * 64 * mib, wanted), wanted);
  assert.deepEqual(roomFor(2 ** 50, wanted), wanted);
});

Deno.test("P12: on a small disk segments are a power of two below a 64th of what is free, and at least 1 MiB", () => {
  const sizes = [[4095, 32], [1000, 8], [130, 2], [128, 2], [100, 1], [10, 1], [0, 1]];
  for (const [free, size] of sizes) assert.equal(roomFor(free! * mib, wanted).segmentBytes, size! * mib, `${free} MiB`);
});

Deno.test("P12: on a small disk less is kept back, but never less than two segments", () => {
  assert.equal(roomFor(1600 * mib, wanted).reserveBytes, 100 * mib);
  assert.equal(roomFor(1600 * mib + 15, wanted).reserveBytes, 100 * mib, "whole bytes, and not one too many");
  assert.equal(roomFor(16 * mib, wanted).reserveBytes, 2 * mib);
  assert.equal(roomFor(0, wanted).reserveBytes, 2 * mib);
});

Deno.test("nothing becomes larger than it was asked to be", () => {
  const small = { segmentBytes: 8192, reserveBytes: 0 };
  for (const free of [0, 10 * mib, 2 ** 50]) assert.deepEqual(roomFor(free, small), small);
});
