import assert from "node:assert/strict";
import { LineBuffer, tailLimits, tailStream } from "../../src/observe/tail.ts";
import { SimClock } from "../sim/clock.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array | undefined) => bytes === undefined ? undefined : new TextDecoder().decode(bytes);
const never = new AbortController().signal;

/** A source that gives these lines and then waits until it is told to stop. */
function linesThenWait(lines: readonly string[], ended: () => void = () => {}) {
  return async function* (signal: AbortSignal): AsyncIterable<Uint8Array> {
    try {
      for (const line of lines) yield encode(line);
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    } finally {
      ended();
    }
  };
}
async function* justLines(lines: Iterable<string>): AsyncIterable<Uint8Array> {
  for (const line of lines) yield encode(line);
}
/** Lets what is ready run, without any time passing. */
async function settle(clock: SimClock): Promise<void> {
  await clock.run(0);
}

Deno.test("M1.11 lines come in order, each with one end", async () => {
  const clock = new SimClock();
  const stream = tailStream(() => justLines(['{"a":1}', '{"a":\n2,\r\n"b":3}']), {
    clock,
    limits: tailLimits,
    signal: never,
  });
  assert.equal(await clock.run(new Response(stream).text()), '{"a":1}\n{"a": 2,  "b":3}\n');
});

Deno.test("M1.11 as events: one a line, lost ones under a name of their own, a comment while it is quiet", async () => {
  const clock = new SimClock();
  const limits = { ...tailLimits, linesMax: 1, quietMs: 50 };
  const source = async function* () {
    for (const line of ["1", "2", "3"]) yield encode(line);
    await clock.sleep(60);
    yield encode('{"a":\n4}');
  };
  const stream = tailStream(source, { clock, limits, signal: never, form: "events" });
  const wanted = 'data: 1\n\ndata: 2\n\nevent: lost\ndata: {"lost":1}\n\n:\n\ndata: {"a": 4}\n\n';
  assert.equal(await clock.run(new Response(stream).text()), wanted);
});

Deno.test("M1.11 a reader that is too slow loses lines, and is told how many", () => {
  const buffer = new LineBuffer({ linesMax: 2, bytesMax: 1000 });
  for (const line of ["1", "2", "3", "4", "5"]) buffer.put(encode(line));
  assert.equal(decode(buffer.take()), '1\n2\n{"lost":3}\n');
  buffer.put(encode("6"));
  assert.equal(decode(buffer.take()), "6\n");
});

Deno.test("what waits for a reader is bounded by bytes, but one line of any size gets through", () => {
  const buffer = new LineBuffer({ linesMax: 100, bytesMax: 10 });
  buffer.put(encode("x".repeat(50)));
  buffer.put(encode("y"));
  assert.equal(decode(buffer.take()), `${"x".repeat(50)}\n{"lost":1}\n`);
});

Deno.test("losses are told even when nothing comes after them", () => {
  const buffer = new LineBuffer({ linesMax: 1, bytesMax: 10 });
  buffer.put(encode("1"));
  buffer.put(encode("2"));
  buffer.end();
  assert.equal(decode(buffer.take()), '1\n{"lost":1}\n');
  assert.equal(buffer.take(), undefined);
});

Deno.test("a source that never waits lets others run", async () => {
  const clock = new SimClock();
  let given = 0;
  async function* endless(signal: AbortSignal): AsyncIterable<Uint8Array> {
    for (; !signal.aborted; given++) yield encode("x");
  }
  const stop = new AbortController();
  const stream = tailStream(endless, { clock, limits: { ...tailLimits, linesMax: 10 }, signal: stop.signal });
  const reader = stream.getReader();
  assert.ok(decode((await reader.read()).value)!.startsWith("x\n"));
  stop.abort();
  await settle(clock);
  assert.ok(given < 10_000, String(given));
});

Deno.test("a reader that goes away ends its source", async () => {
  const clock = new SimClock();
  let ended = false;
  const source = linesThenWait(["1"], () => ended = true);
  const reader = tailStream(source, { clock, limits: tailLimits, signal: never }).getReader();
  assert.equal(decode((await reader.read()).value), "1\n");
  await reader.cancel();
  await settle(clock);
  assert.ok(ended);
});

Deno.test("the end of the server ends the stream", async () => {
  const clock = new SimClock();
  const stop = new AbortController();
  const stream = tailStream(linesThenWait(["1"]), { clock, limits: tailLimits, signal: stop.signal });
  const text = new Response(stream).text();
  await settle(clock);
  stop.abort();
  assert.equal(await clock.run(text), "1\n");
});

Deno.test("a quiet tail sends an empty line now and then, so that a dead connection is noticed", async () => {
  const clock = new SimClock();
  const reader = tailStream(linesThenWait([]), { clock, limits: tailLimits, signal: never }).getReader();
  const read = reader.read();
  await clock.run(tailLimits.quietMs + 1);
  assert.equal(decode((await read).value), "\n");
  await reader.cancel();
});

Deno.test("a source that breaks breaks the stream, after the lines it gave", async () => {
  const clock = new SimClock();
  async function* broken(): AsyncIterable<Uint8Array> {
    yield encode("1");
    throw new Error("the log is gone");
  }
  const reader = tailStream(broken, { clock, limits: tailLimits, signal: never }).getReader();
  await settle(clock);
  assert.equal(decode((await reader.read()).value), "1\n");
  await assert.rejects(reader.read(), /the log is gone/);
});
