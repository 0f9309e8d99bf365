import assert from "node:assert";
import fc from "fast-check";
import { BadChunk, ChunkedBody } from "../../src/ingest/chunked.ts";
import { TooLarge } from "../../src/ingest/http.ts";
import { bytesOf, textOf } from "./client.ts";

/** Takes the text in steps; how many bytes of it belonged to the body. */
function take(body: ChunkedBody, text: string, step = text.length): number {
  let taken = 0;
  for (let at = 0; at < text.length && !body.done; at += step) taken += body.take(bytesOf(text.slice(at, at + step)));
  return taken;
}

interface Chunk {
  readonly data: string;
  readonly zeros: number;
  readonly extension: string;
}
const extension = fc.constantFrom("", ";a", ";a=b", ';a="b; c"', ";");
const chunks = fc.array(
  fc.record({ data: fc.string({ unit: "binary-ascii", minLength: 1 }), zeros: fc.nat(3), extension }),
  {
    maxLength: 8,
  },
);
const trailer = fc.constantFrom("", "X: y\r\n", "X:\r\nContent-Length: 5\r\n");

function written({ data, zeros, extension }: Chunk): string {
  return `${"0".repeat(zeros)}${data.length.toString(16)}${extension}\r\n${data}\r\n`;
}

Deno.test("M1.2 any chunks in any pieces are the body, and what follows is left", () => {
  fc.assert(fc.property(chunks, trailer, fc.integer({ min: 1, max: 40 }), (parts, end, step) => {
    const text = `${parts.map(written).join("")}0\r\n${end}\r\n`;
    const body = new ChunkedBody(10_000);
    assert.equal(take(body, `${text}GET`, step), text.length);
    assert.ok(body.done);
    assert.equal(textOf(body.whole), parts.map(({ data }) => data).join(""));
  }));
});

Deno.test("P4 chunks of one byte take the room of their bytes", () => {
  const body = new ChunkedBody(1 << 20);
  const buffers = new Set<ArrayBufferLike>();
  for (let i = 0; i < 100_000; i++) {
    take(body, "1\r\nx\r\n");
    buffers.add(body.whole.buffer);
  }
  assert.equal(body.length, 100_000);
  assert.ok(buffers.size < 20, `${buffers.size}`);
  assert.ok(body.whole.buffer.byteLength <= 200_000);
});

Deno.test("P4 a chunk that is too large is refused when its size is read", () => {
  assert.equal(take(new ChunkedBody(10), "a\r\n"), 3);
  assert.throws(() => take(new ChunkedBody(10), "b\r\n"), TooLarge);
  assert.throws(() => take(new ChunkedBody(10), "6\r\nabcdef\r\n5\r\n"), TooLarge);
});

Deno.test("P4 with one byte changed a body is refused, goes on, or ends where it did", () => {
  const text = "3;a=b\r\nabc\r\n1\r\nd\r\n0\r\nX: y\r\n\r\n";
  for (let at = 0; at < text.length; at++) {
    for (let byte = 0; byte < 256; byte++) {
      const body = new ChunkedBody(100);
      const changed = text.slice(0, at) + String.fromCharCode(byte) + text.slice(at + 1);
      try {
        const taken = take(body, changed);
        assert.equal(taken, text.length, `${at} ${byte}`);
      } catch (problem) {
        if (!(problem instanceof BadChunk || problem instanceof TooLarge)) throw problem;
      }
    }
  }
});
