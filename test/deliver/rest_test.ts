import assert from "node:assert/strict";
import { Rest } from "../../src/deliver/rest.ts";
import { SimClock } from "../sim/clock.ts";

const mebibyte = 1 << 20;

function resting() {
  const clock = new SimClock();
  const collected: number[] = [];
  const rest = new Rest({ clock, collect: () => collected.push(clock.elapsed()) });
  return { clock, collected, rest };
}

Deno.test("P16: what a burst has left is given back once it is over, and once", async () => {
  const { clock, collected, rest } = resting();
  for (let second = 0; second < 10; second++) {
    for (let batch = 0; batch < 10; batch++) rest.after(mebibyte);
    await clock.run(1000);
  }
  assert.deepEqual(collected, []);
  await clock.run(60_000);
  assert.equal(collected.length, 1);
  assert.ok(collected[0]! <= 14_000, `after ${collected[0]} ms`);
});

Deno.test("P16: a trickle after a burst does not put it off; one alone is none", async () => {
  const { clock, collected, rest } = resting();
  const trickle = async () => {
    for (let second = 0; second < 100; second++) {
      rest.after(1000);
      await clock.run(1000);
    }
  };
  await trickle();
  assert.deepEqual(collected, []);
  rest.after(20 * mebibyte);
  await trickle();
  assert.equal(collected.length, 1);
});
