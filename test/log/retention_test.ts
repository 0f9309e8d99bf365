import assert from "node:assert/strict";
import fc from "fast-check";
import { freeBefore, type Position, type SegmentFact } from "../../src/log/mod.ts";

const day = 86_400_000;
const now = Date.UTC(2026, 2, 1);

/** Segments of 10 messages and 100 bytes, made an hour apart, the last one now. */
function segments(count: number): SegmentFact[] {
  return Array.from({ length: count }, (_, i) => ({
    name: `${i}`,
    id: `${i}`,
    base: 10 * i as Position,
    bytes: 100,
    created: now - (count - 1 - i) * 3_600_000,
  }));
}
function free(count: number, limits: { passed?: number; at?: number; retainMs?: number; retainBytes?: number } = {}) {
  const { passed = 1e6, at = now, retainMs = day, retainBytes = 1e6 } = limits;
  return freeBefore(segments(count), { passed: passed as Position, now: at, retainMs, retainBytes });
}

Deno.test("P13: what a destination has not passed stays, however old or large", () => {
  for (const passed of [0, 5, 9]) assert.equal(free(5, { passed, at: now + 1000 * day, retainBytes: 0 }), undefined);
  assert.equal(free(5, { passed: 10, retainBytes: 0 }), 10);
});

Deno.test("P13: what everybody has passed stays until it is old, or the log is too large", () => {
  assert.equal(free(5), undefined);
  assert.equal(free(5, { at: now + 22 * 3_600_000 }), 10, "the second segment was made more than a day ago");
  assert.equal(free(5, { at: now + 20 * 3_600_000 }), undefined);
  assert.equal(free(5, { at: now + 21 * 3_600_000 }), undefined, "a day ago, not more");
  assert.equal(free(5, { at: now + 21 * 3_600_000 + 1 }), 10);
  assert.equal(free(5, { retainBytes: 500 }), undefined);
  assert.equal(free(5, { retainBytes: 499 }), 10);
});

Deno.test("P13: the last segment is never given back, and one goes at a time", () => {
  for (const count of [0, 1]) assert.equal(free(count, { at: now + 1000 * day, retainBytes: 0 }), undefined);
  assert.equal(free(10, { at: now + 1000 * day, retainBytes: 0 }), 10);
});

Deno.test("P17: a clock that jumps frees nothing that is undelivered, and keeps nothing for ever", () => {
  fc.assert(fc.property(fc.integer({ min: -4e12, max: 4e12 }), fc.nat(200), (jump, passed) => {
    const before = free(20, { passed, at: now + jump, retainBytes: 0 });
    assert.ok((before ?? 0) <= passed);
  }));
  assert.equal(free(5, { at: 0, retainBytes: 100 }), 10, "by size, whatever the clock says");
});
