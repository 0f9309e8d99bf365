import assert from "node:assert/strict";
import fc from "fast-check";
import { Buckets } from "../../src/access/bucket.ts";

/** How many of so many tries at that time get a token. */
function taken(buckets: Buckets, now: number, tries: number, whose = "a"): number {
  let count = 0;
  for (let i = 0; i < tries; i++) if (buckets.take(whose, now) === 0) count++;
  return count;
}

Deno.test("M1.10 a bucket holds a second's tokens, and fills at its rate", () => {
  const buckets = new Buckets({ rate: 10, max: 100 });
  assert.equal(taken(buckets, 5000, 20), 10);
  assert.equal(taken(buckets, 5100, 20), 1);
  assert.equal(taken(buckets, 5350, 20), 2);
  assert.equal(taken(buckets, 5400, 20), 1);
  assert.equal(taken(buckets, 60_000, 20), 10);
});

Deno.test("M1.10 who waits as long as it was told gets a token then, and not before", () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 5000 }), fc.array(fc.nat(2000)), (rate, pauses) => {
    const buckets = new Buckets({ rate, max: 10 });
    let now = 1e9;
    for (const pause of pauses) {
      now += pause;
      const wait = buckets.take("a", now);
      if (wait === 0) continue;
      assert.notEqual(buckets.take("a", now + wait * 0.99 - 0.001), 0);
      now += wait;
      assert.equal(buckets.take("a", now), 0);
    }
  }));
});

Deno.test("M1.10 over any time no more than the rate passes, beyond one second's worth", () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 200 }), fc.array(fc.nat(300), { maxLength: 300 }), (rate, pauses) => {
    const buckets = new Buckets({ rate, max: 10 });
    const [count, now] = pauses.reduce(([count, now], pause) => [count + taken(buckets, now, 3), now + pause], [0, 0]);
    assert.ok(count <= rate + (now / 1000) * rate + 1, `${count} in ${now} ms at ${rate}/s`);
  }));
});

Deno.test("M1.10 each has a bucket of its own", () => {
  const buckets = new Buckets({ rate: 3, max: 100 });
  assert.deepEqual([taken(buckets, 0, 5, "a"), taken(buckets, 0, 5, "b"), taken(buckets, 0, 5, "a")], [3, 3, 0]);
});

Deno.test("M1.10 memory is bounded: the one used least lately is forgotten", () => {
  const buckets = new Buckets({ rate: 1, max: 1000 });
  for (let i = 0; i < 100_000; i++) buckets.take(`address ${i}`, i / 1000);
  assert.equal(buckets.size, 1000);
  const used = new Buckets({ rate: 1, max: 3 });
  for (const whose of ["a", "b", "c"]) used.take(whose, 0);
  used.take("a", 1000);
  used.take("d", 1000);
  assert.deepEqual(["a", "b"].map((whose) => used.take(whose, 1000) === 0), [false, true]);
  assert.notEqual(buckets.take("address 99999", 100), 0);
  assert.equal(buckets.take("address 1", 100), 0);
});
