/** W3C Trace Context: kept with the message, whoever says it, and dropped when it is none. */
import assert from "node:assert";
import { isTraceparent, isTracestate } from "../../src/ingest/trace.ts";
import { openNode } from "./fakes.ts";

const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const other = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
const json = { "content-type": "application/json" };

Deno.test("a traceparent is what Trace Context 3.2 says, and later versions may say more", () => {
  const later = parent.replace("00", "cc");
  for (const good of [parent, other, later, `${later}-what-the-future-will-be`]) assert.ok(isTraceparent(good), good);
  const bad = [
    "",
    "00",
    parent.toUpperCase(),
    `${parent}-more`,
    ` ${parent}`,
    parent.replace("00-", "ff-"),
    `${later}.more`,
    parent.slice(0, -1),
    parent.replace("0af7651916cd43dd8448eb211c80319c", "0".repeat(32)),
    parent.replace("b7ad6b7169203331", "0".repeat(16)),
    `${parent}, ${other}`,
    `${later}-${"x".repeat(10_000)}`,
  ];
  for (const text of bad) assert.ok(!isTraceparent(text), text);
});

Deno.test("a tracestate is a list of at most 32 keys with values", () => {
  const many = (count: number) => Array.from({ length: count }, (_, i) => `k${i}=v`).join(",");
  for (const good of ["a=1", "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7", "t@v=x y", "a=1,, b=2 ", many(32)]) {
    assert.ok(isTracestate(good), good);
  }
  for (const text of ["", ",", "a", "a=", "=1", "A=1", "a=b=c", "a=\u00e9", many(33), `a=${"x".repeat(257)}`]) {
    assert.ok(!isTracestate(text), text);
  }
});

Deno.test("M1.10: the trace of a request is that of its messages, unless they name their own", async () => {
  const { log, ask } = openNode();
  const headers = { traceparent: parent, tracestate: "a=1" };
  await ask("/log?topic=t", { headers });
  await ask(`/log?topic=t&traceparent=${other}&tracestate=b%3D2`, { headers });
  await ask(`/log?topic=t&traceparent=${other}`, { headers });
  const body =
    `[{"data":1},{"data":2,"traceparent":"${other}"},{"tracestate":"c=3","traceparent":"${other}","data":3}]`;
  await ask("/log?topic=t", { body, headers: { ...headers, ...json } });
  assert.deepEqual(log.messages.map(({ traceparent, tracestate }) => [traceparent, tracestate]), [
    [parent, "a=1"],
    [other, "b=2"],
    [other, undefined],
    [parent, "a=1"],
    [other, undefined],
    [other, "c=3"],
  ]);
});

Deno.test("a trace that is none is dropped, and nothing is refused for it", async () => {
  const { log, ask } = openNode();
  await ask("/log?topic=t", { headers: { traceparent: `${parent}, ${other}`, tracestate: "a=1" } });
  await ask("/log?topic=t", { headers: { traceparent: parent, tracestate: "\xff" } });
  await ask("/log?topic=t&traceparent=x&tracestate=a%3D1", { headers: { traceparent: parent } });
  const bodies = [
    '{"traceparent":"x","data":1}',
    '{"traceparent":{"a":[1]},"tracestate":7}',
    '{"traceparent":"\\ud800"}',
  ];
  for (const body of bodies) assert.equal((await ask("/log?topic=t", { body, headers: json })).status, 204);
  assert.deepEqual(log.messages.map(({ traceparent, tracestate }) => [traceparent, tracestate]), [
    [undefined, undefined],
    [parent, undefined],
    [parent, undefined],
    [undefined, undefined],
    [undefined, undefined],
    [undefined, undefined],
  ]);
});

Deno.test("an object that is itself the data may have a trace", async () => {
  const { log, ask } = openNode();
  const body = `{"msg":"hello","traceparent":"${parent}"}`;
  await ask("/log?topic=t", { body, headers: json });
  const [message] = log.messages;
  assert.deepEqual([message!.traceparent, new TextDecoder().decode(message!.data)], [parent, body]);
});
