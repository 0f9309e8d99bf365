/** `on_bad=divert`: good lines are taken, bad ones become bad rows of the same request. */
import assert from "node:assert";
import fc from "fast-check";
import { bytesOf, type Node, openNode, problemIn, textOf } from "./fakes.ts";

const lines = { "content-type": "application/x-ndjson" };
const json = { "content-type": "application/json" };
const texts = { "content-type": "text/plain" };
const divert = "/log?topic=t&on_bad=divert";

const open = (): Node => openNode({ bad_topic: "bad" });
/** Topic and data of each message, in the order of the log. */
const kept = (node: Node) => node.log.messages.map(({ topic, data }) => [topic, JSON.parse(textOf(data))]);

Deno.test("M1.2 bad lines go to the bad rows, in their place, with line, field and what came", async () => {
  const node = open();
  const body = '{"x":1}\n{"level":"info","y":2}\r\n\n{"topic":"a b","data":3}\n{broken\n{"x":4} {"x":5}\n{"x":6}\n';
  const answer = await node.ask(divert, { body, headers: lines });
  assert.deepEqual([answer.status, answer.headers["sparkngin-diverted"]], [204, "4"]);
  assert.equal(node.log.entries.length, 1);
  const reasons = kept(node).map(([topic, { reason, ...rest }]) => [topic, typeof reason, rest]);
  assert.deepEqual(reasons, [
    ["t", "undefined", { x: 1 }],
    ["bad", "string", { line: 2, field: "y", raw: '{"level":"info","y":2}\r' }],
    ["bad", "string", { line: 4, field: "topic", raw: '{"topic":"a b","data":3}' }],
    ["bad", "string", { line: 5, raw: "{broken" }],
    ["bad", "string", { line: 6, raw: '{"x":4} {"x":5}' }],
    ["t", "undefined", { x: 6 }],
  ]);
  assert.equal(node.log.messages[1]!.type, "bad-message");
  assert.equal(node.table.get("diverted"), 4);
});

Deno.test("elements of an array are diverted; an array that breaks is refused whole", async () => {
  const node = open();
  const body = '[{"x":1}, 7, {"level":{},"data":{"deep":[1]}}, {"topic":"..","data":1}, {"x":2}]';
  const answer = await node.ask(`${divert}&receipt=1`, { body, headers: json });
  assert.deepEqual(JSON.parse(answer.body as string).diverted, 3);
  assert.equal(JSON.parse(answer.body as string).ids.length, 5);
  const raws = kept(node).map(([, { raw }]) => raw);
  assert.deepEqual(raws, [undefined, "7", '{"level":{},"data":{"deep":[1]}}', '{"topic":"..","data":1}', undefined]);
  const broken = await node.ask(divert, { body: '[{"x":1},{"x":}]', headers: json });
  assert.deepEqual([broken.status, problemIn(broken).line], [400, 2]);
  assert.equal(node.log.entries.length, 1);
});

Deno.test("a body of one bad message, and lines sent as JSON, are diverted too", async () => {
  const node = open();
  await node.ask(divert, { body: '{\n "level": "info",\n "y": 2 }', headers: json });
  await node.ask(divert, { body: '{"level":"info","y":1}\n{"x":2}', headers: json });
  await node.ask(divert, { body: '{"level\n{"x":3}', headers: json });
  assert.deepEqual(kept(node).map(([topic, { raw, line, x }]) => [topic, raw ?? x, line]), [
    ["bad", '{\n "level": "info",\n "y": 2 }', undefined],
    ["bad", '{"level":"info","y":1}', 1],
    ["t", 2, undefined],
    ["bad", '{"level', 1],
    ["t", 3, undefined],
  ]);
});

Deno.test("events of a batch and lines of text are diverted; what is no UTF-8 comes as base64", async () => {
  const node = open();
  const good = '{"specversion":"1.0","id":"1","source":"/s","type":"t","data":1}';
  const headers = { "content-type": "application/cloudevents-batch+json" };
  await node.ask(divert, { body: `[${good},${good.replace("1.0", "2.0")}]`, headers });
  assert.deepEqual(kept(node)[1]![1].field, "specversion");
  const limited = openNode({ bad_topic: "bad", topics_allow: ["other"] });
  const body = Uint8Array.of(...bytesOf("a\n"), 0xff, 0, 0x0a);
  await limited.ask(divert, { body, headers: texts });
  assert.deepEqual(kept(limited).map(([topic, { raw, raw_base64 }]) => [topic, raw, raw_base64]), [
    ["bad", "a", undefined],
    ["bad", undefined, "/wA="],
  ]);
});

Deno.test("what concerns the request or its sender is refused as ever", async () => {
  const node = openNode({ bad_topic: "bad", messages_max: 2, message_max: 1024 });
  const asked: [number, string][] = [
    [413, "{}\n{}\n{}\n"],
    [413, "x\nx\nx\n"],
    [413, `{"x":1}\n{"x":"${"x".repeat(1100)}"}\n`],
    [413, `{"x":1}\n{"level":"${"\\u0001".repeat(160)}","y":1}\n`],
    [400, "\n\n"],
  ];
  for (const [status, body] of asked) {
    const answer = await node.ask(divert, { body, headers: lines });
    assert.equal(answer.status, status, body);
  }
  assert.equal(node.log.entries.length, 0);
});

Deno.test("nobody diverts where no topic is configured for it, by GET, or by another word", async () => {
  const refusals = [
    await openNode().ask(divert, { body: "{}", headers: lines }),
    await openNode().ask("/log?topic=t", { body: "{}", headers: { ...lines, "sparkngin-on-bad": "divert" } }),
    await open().ask("/log?topic=t&on_bad=drop", { body: "{}", headers: lines }),
    await open().ask("/log?topic=t&on_bad=divert"),
    await open().ask(`${divert}&on_bad=divert`, { body: "{}", headers: lines }),
  ];
  for (const answer of refusals) assert.deepEqual([answer.status, problemIn(answer).field], [400, "on_bad"]);
  const node = open();
  const refused = await node.ask("/log?topic=t&on_bad=refuse", { body: '{"x":1}\n{', headers: lines });
  assert.deepEqual([refused.status, problemIn(refused).line], [400, 2]);
  const byHeader = await node.ask("/log?topic=t", {
    body: '{"x":1}\n{',
    headers: { ...lines, "sparkngin-on-bad": "divert" },
  });
  assert.equal(byHeader.headers["sparkngin-diverted"], "1");
  const none = await node.ask(divert, { body: '{"x":1}', headers: lines });
  assert.equal(none.headers["sparkngin-diverted"], "0");
});

Deno.test("whatever lines come, each is one message or one bad row with all its bytes", async () => {
  const piece = fc.constantFrom(
    "{",
    "}",
    '"',
    ":",
    ",",
    '"topic"',
    '"data"',
    '"x"',
    "1",
    "[",
    "]",
    " ",
    "\\u0041",
    "\ufeff",
    "é",
  );
  const line = fc.oneof(
    fc.array(piece, { maxLength: 8 }).map((parts) => parts.join("")),
    fc.json().map((text) => `{"data":${text}}`),
    fc.string({ unit: "binary" }).map((text) => text.replace(/[\r\n]/g, " ")),
  ).filter((text) => text.trim() !== "" && !text.startsWith("\ufeff"));
  await fc.assert(
    fc.asyncProperty(fc.array(line, { minLength: 1, maxLength: 6 }), async (all) => {
      const node = open();
      const answer = await node.ask(divert, { body: bytesOf(all.join("\n")), headers: lines });
      assert.equal(answer.status, 204);
      const { messages } = node.log;
      assert.equal(messages.length, all.length);
      messages.forEach(({ topic, data }, i) => {
        // A line begins where its first byte that is no space stands.
        if (topic === "bad") {
          assert.equal(JSON.parse(textOf(data)).raw, all[i]!.toWellFormed().replace(/^[ \t\r]+/, ""));
        }
      });
    }),
    { numRuns: Number(Deno.env.get("FUZZ") ?? 2000) },
  );
});
