import assert from "node:assert/strict";
import { boundsOf, roundsFor } from "./bounds.ts";

const twentyFive = Array.from({ length: 25 }, (_, number) => 1 + (number - 12) / 100);

Deno.test("of 25 values the median lies between the eighth and the eighth from the end", () => {
  assert.deepEqual(boundsOf(twentyFive), { low: 0.95, high: 1.05 });
});

Deno.test("few values say little: the bounds are the least and the greatest", () => {
  assert.deepEqual(boundsOf([1.1, 0.9, 1]), { low: 0.9, high: 1.1 });
});

Deno.test("twice the spread takes four times the rounds", () => {
  const wide = twentyFive.map((value) => 1 + 2 * (value - 1));
  const [few, many] = [roundsFor(twentyFive, 0.05), roundsFor(wide, 0.05)];
  assert.ok(Math.abs(many / few - 4) < 0.1, `${few} and ${many}`);
  assert.equal(roundsFor([1, 1, 1], 0.05), 1);
});
