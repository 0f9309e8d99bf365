import assert from "node:assert/strict";
import { Bound } from "../../src/ingest/bound.ts";

const minute = 60_000;

/** What it is after each of so many minutes without a lack. */
function overMinutes(bound: Bound, from: number, count: number): number[] {
  return Array.from({ length: count }, (_, at) => {
    bound.rise((from + at + 1) * minute);
    return bound.most;
  });
}

Deno.test("P12 a bound on connections is lowered by a quarter at least, and leaves handles for others", () => {
  const bound = new Bound(1000);
  assert.deepEqual([bound.lower(2000, 0), bound.most], [true, 750]);
  assert.deepEqual([bound.lower(164, 1), bound.most], [true, 100]);
  assert.deepEqual([bound.lower(70, 2), bound.most], [true, 16]);
  assert.deepEqual([bound.lower(0, 3), bound.most], [false, 16]);
});

Deno.test("P12 without a lack a bound on connections rises by a quarter of the way each minute, and once says that it is back", () => {
  const bound = new Bound(100);
  bound.lower(80, 0);
  assert.deepEqual([bound.rise(minute - 1), bound.most], [false, 16]);
  assert.deepEqual(overMinutes(bound, 0, 4), [37, 53, 65, 74]);
  let back = 0;
  for (let at = 5; at < 60; at++) if (bound.rise(at * minute)) back++;
  assert.deepEqual([bound.most, back], [100, 1]);
});

Deno.test("P12 a lack puts the rise off, and a lack after a rise for twice as long, an hour at most", () => {
  const bound = new Bound(100);
  bound.lower(80, 0);
  bound.lower(80, minute - 1);
  assert.deepEqual(overMinutes(bound, 0, 2), [16, 37]);
  bound.lower(80, 2 * minute);
  assert.deepEqual(overMinutes(bound, 2, 3), [16, 37, 37]);
  for (let hour = 1; hour < 20; hour++) {
    bound.lower(80, hour * 60 * minute);
    assert.equal(bound.most, 16);
    bound.rise((hour + 1) * 60 * minute);
    assert.equal(bound.most, 37);
  }
});

Deno.test("P12 a bound that was never lowered stays", () => {
  const bound = new Bound(100);
  assert.deepEqual(overMinutes(bound, 0, 3), [100, 100, 100]);
  assert.equal(bound.rise(10 * minute), false);
});
