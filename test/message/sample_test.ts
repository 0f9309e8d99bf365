import assert from "node:assert/strict";
import { sampleOf } from "../../src/message/sample.ts";

const ids = Array.from({ length: 100_000 }, (_, position) => `9f3c01aa27de4410-3-${102_938 + position}`);

Deno.test("M4.16 of messages one after the other a share is taken that is near what was asked for, in every part of them", () => {
  for (const share of [0.001, 0.01, 0.1, 0.5, 0.9]) {
    const takes = sampleOf(share)!;
    const taken = ids.filter(takes).length;
    const spread = 5 * Math.sqrt(ids.length * share * (1 - share));
    assert.ok(Math.abs(taken - ids.length * share) < spread, `${taken} for ${share}`);
  }
  const takes = sampleOf(0.1)!;
  for (let from = 0; from < ids.length; from += 1000) {
    const taken = ids.slice(from, from + 1000).filter(takes).length;
    assert.ok(taken > 50 && taken < 150, `${taken} of a thousand from ${from}`);
  }
});

Deno.test("M4.16 who takes a smaller share takes a part of what a larger share has; a share of 1 is everything", () => {
  const [tenth, half] = [sampleOf(0.1)!, sampleOf(0.5)!];
  assert.ok(ids.filter(tenth).every(half));
  assert.equal(sampleOf(1), undefined);
});

Deno.test("M4.16 what becomes of an id is the same in every version", () => {
  const takes = sampleOf(0.3)!;
  const taken = Array.from({ length: 20 }, (_, i) => i).filter((i) => takes(`order-${i}`));
  assert.deepEqual(taken, [6, 7, 11, 17]);
});
