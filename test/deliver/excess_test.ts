import assert from "node:assert/strict";
import { Excess } from "../../src/deliver/excess.ts";

const mebibyte = 1 << 20;

function watched(batchBytes: number) {
  const memory = { kept: 0, garbage: 0 };
  const ends: string[] = [];
  const excess = new Excess({
    batchBytes,
    kept: () => memory.kept + memory.garbage,
    collect: () => memory.garbage = 0,
    end: (why) => ends.push(why),
  });
  return { memory, ends, excess };
}

Deno.test("P16: a thread that keeps more than its heap's worth outside of it, garbage apart, is ended", () => {
  const { memory, ends, excess } = watched(mebibyte);
  memory.garbage = 1000 * mebibyte;
  excess.after(64 * mebibyte);
  assert.deepEqual(ends, []);
  memory.kept = 257 * mebibyte;
  excess.after(63 * mebibyte);
  assert.deepEqual(ends, []);
  excess.after(mebibyte);
  assert.deepEqual(ends, ["its runtime keeps 257 MiB outside of its heap"]);
});

Deno.test("P16: large batches need more", () => {
  const { memory, ends, excess } = watched(64 * mebibyte);
  memory.kept = 500 * mebibyte;
  excess.after(64 * mebibyte);
  assert.deepEqual(ends, []);
});
