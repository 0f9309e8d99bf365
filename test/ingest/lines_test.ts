import assert from "node:assert/strict";
import process from "node:process";
import fc from "fast-check";
import { Lines } from "../../src/ingest/lines.ts";
import { bytesOf } from "./fakes.ts";

/** The lines of pieces that come one by one, and how many were too long. */
function linesOf(pieces: readonly Uint8Array[], most = 10): [lines: string[], tooLong: number] {
  const found: string[] = [];
  let tooLong = 0;
  const lines = new Lines(most, () => tooLong++);
  const each = (line: Uint8Array) => void found.push(String.fromCharCode(...line));
  for (const piece of pieces) {
    const room = piece.slice();
    lines.add(room, each);
    room.fill(0);
  }
  lines.finish(each);
  return [found, tooLong];
}

Deno.test("lines are whole however their bytes come; empty ones and carriage returns before the end are left out", () => {
  assert.deepEqual(linesOf([bytesOf("a\r\n\n\r\nb"), bytesOf("c\nd")]), [["a", "bc", "d"], 0]);
  assert.deepEqual(linesOf([]), [[], 0]);
});

Deno.test("a line that is too long is passed over once, to its end, wherever it is cut", () => {
  assert.deepEqual(linesOf(["0123456789\n", "01234", "567890", "more", "more\nb\n0123456789A\n"].map(bytesOf)), [
    ["0123456789", "b"],
    2,
  ]);
  assert.deepEqual(linesOf([bytesOf("0123456789A")]), [[], 1]);
});

Deno.test("a line that comes byte by byte takes no more room than its bytes", () => {
  const most = 1 << 20;
  const lines = new Lines(most, () => assert.fail("too long"));
  const before = process.memoryUsage().rss;
  for (let i = 0; i < most; i++) lines.add(Uint8Array.of(65 + i % 26), () => assert.fail("no end"));
  const grown = process.memoryUsage().rss - before;
  let found = "";
  lines.finish((line) => found = new TextDecoder().decode(line));
  assert.equal(found, Array.from({ length: most }, (_, i) => String.fromCharCode(65 + i % 26)).join(""));
  assert.ok(grown < 192 << 20, `${grown}`);
});

Deno.test("any bytes in any pieces give the lines that they give at once", () => {
  const bytes = fc.array(fc.constantFrom(0, 10, 13, 65, 255), { maxLength: 60 }).map((all) => Uint8Array.from(all));
  fc.assert(fc.property(bytes, fc.array(fc.nat(60)), (bytes, cuts) => {
    const ends = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length];
    const pieces = ends.slice(1).map((end, i) => bytes.subarray(ends[i], end));
    const expected = String.fromCharCode(...bytes).split("\n");
    const whole = expected.filter((line) => line.length <= 10).map((line) => line.replace(/\r$/, ""));
    const [lines, tooLong] = linesOf(pieces);
    assert.deepEqual(lines, whole.filter((line) => line !== ""));
    assert.equal(tooLong, expected.filter((line) => line.length > 10).length);
  }));
});
