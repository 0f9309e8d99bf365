import assert from "node:assert/strict";
import { pauseAfter } from "../../src/deliver/backoff.ts";

Deno.test("pauses double from 100 ms to 30 s, half of each by chance", () => {
  assert.deepEqual([0, 1, 2, 8, 9, 1000].map((tries) => pauseAfter(tries, () => 1)), [
    100,
    200,
    400,
    25_600,
    30_000,
    30_000,
  ]);
  assert.deepEqual([0, 9].map((tries) => pauseAfter(tries, () => 0)), [50, 15_000]);
});
