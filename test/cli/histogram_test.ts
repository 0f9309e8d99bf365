import assert from "node:assert/strict";
import { Histogram } from "../../src/cli/histogram.ts";

Deno.test("a histogram tells percentiles to 3 %, and the largest exactly", () => {
  const times = new Histogram();
  for (let ms = 1; ms <= 10_000; ms++) times.add(ms);
  for (const share of [0.01, 0.5, 0.9, 0.99, 0.999]) {
    const [told, real] = [times.at(share), share * 10_000];
    assert.ok(told >= real * 0.999 && told <= real * 1.032, `${share}: ${told} for ${real}`);
  }
  assert.deepEqual([times.at(1), times.most, times.count, times.mean], [10_000, 10_000, 10_000, 5000.5]);
});

Deno.test("nothing and next to nothing are told, too", () => {
  const times = new Histogram();
  assert.deepEqual([times.at(0.5), times.mean, times.doublings()], [0, 0, []]);
  times.add(0);
  times.add(0.003);
  times.add(1e12);
  assert.equal(times.count, 3);
  assert.equal(times.at(1), 1e12);
  assert.equal(times.doublings().reduce((sum, { count }) => sum + count, 0), 3);
});
