import assert from "node:assert/strict";
import { bodyOf, gather, type Line, LineCutter } from "../../src/send/chunk.ts";
import { realWorld } from "../../src/os/deno.ts";
import { chunk, someLines, textOf } from "./lines.ts";

const { clock } = realWorld();
const utf8 = new TextEncoder();

function cut(blocks: readonly string[]): Line[] {
  const cutter = new LineCutter("f");
  return [...blocks.flatMap((block) => cutter.cut(utf8.encode(block))), ...cutter.end()];
}

Deno.test("M6 lines are the same however their bytes come", () => {
  const text = "one\r\n\n  \ntwo äö\nthree";
  const whole = cut([text]);
  assert.deepEqual(textOf({ lines: whole }), ["one", "two äö", "three"]);
  assert.deepEqual(whole.map(({ number }) => number), [1, 4, 5]);
  assert.deepEqual(whole.map(({ end }) => end), [5, 18, 23]);
  for (let at = 0; at <= text.length; at++) assert.deepEqual(cut([text.slice(0, at), text.slice(at)]), whole);
  assert.deepEqual(cut([...text]), whole);
});

Deno.test("a body is the lines with their ends", () => {
  assert.equal(new TextDecoder().decode(bodyOf(chunk(["a", "bc"]))), "a\nbc\n");
});

Deno.test("a file without a line end is no file of lines", () => {
  const cutter = new LineCutter("big");
  const block = new Uint8Array(8 << 20).fill(0x61);
  assert.throws(() => {
    for (let i = 0; i < 20; i++) cutter.cut(block);
  }, /^Error: big:1 is longer than 64 MiB/);
});

Deno.test("lines are gathered up to the limits of a request", async () => {
  const gathered = async (limit: { lines: number; bytes: number }, texts: string[]) => {
    const found: string[][] = [];
    const batches = (async function* () {
      for (const text of texts) yield someLines([text]);
    })();
    for await (const lines of gather(batches, { ...limit, lingerMs: 60_000 }, clock)) found.push(textOf({ lines }));
    return found;
  };
  assert.deepEqual(await gathered({ lines: 2, bytes: 100 }, ["a", "b", "c"]), [["a", "b"], ["c"]]);
  assert.deepEqual(await gathered({ lines: 9, bytes: 4 }, ["a", "b", "c", "longer", "d"]), [["a", "b"], ["c"], [
    "longer",
  ], ["d"]]);
  assert.deepEqual(await gathered({ lines: 9, bytes: 4 }, []), []);
});

Deno.test("a line does not wait for ever for others", async () => {
  const never = Promise.withResolvers<void>();
  const batches = (async function* () {
    yield someLines(["a"]);
    await never.promise;
  })();
  const chunks = gather(batches, { lines: 9, bytes: 99, lingerMs: 1 }, clock);
  assert.deepEqual(textOf({ lines: (await chunks.next()).value! }), ["a"]);
  never.resolve();
  assert.equal((await chunks.next()).done, true);
});
