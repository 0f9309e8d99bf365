/** CloudEvents in their three modes, from the SDK for JavaScript and from senders that do it otherwise. */
import assert from "node:assert";
import { CloudEvent, HTTP } from "cloudevents";
import fc from "fast-check";
import { Envelope } from "../../src/message/envelope.ts";
import type { Message } from "../../src/message/message.ts";
import { bytesOf, type Node, openNode, problemIn, textOf } from "./fakes.ts";

const structured = { "content-type": "application/cloudevents+json; charset=utf-8" };
const batch = { "content-type": "application/cloudevents-batch+json" };
const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/** As a sender does it: header fields and body. */
interface Sent {
  readonly headers: Record<string, string>;
  readonly body: string | Uint8Array;
}

async function take({ headers, body }: Sent, target = "/log?topic=t"): Promise<Message[]> {
  const node = openNode();
  const answer = await node.ask(target, { headers, body, method: "POST" });
  assert.equal(answer.status, 204, String(answer.body));
  return node.log.messages;
}

async function refuse({ headers, body }: Sent, target = "/log?topic=t"): Promise<Record<string, unknown>> {
  const node: Node = openNode();
  const answer = await node.ask(target, { headers, body, method: "POST" });
  assert.equal(answer.status, 400, `${JSON.stringify(headers)} ${body} was taken`);
  assert.equal(node.log.entries.length, 0);
  return problemIn(answer);
}

const attributesOf = (message: Message): unknown => JSON.parse(message.attributes!);

const whole = {
  id: "A-1",
  source: "/shop/cart",
  type: "com.example.added",
  time: "2026-03-01T12:00:00Z",
  subject: "cart 7 ☃",
  dataschema: "https://example.com/schema",
  datacontenttype: "application/json",
  topic: "orders",
  partitionkey: "user 7",
  comexampleext: 'Zoë "%25"',
  comexamplenumber: 5,
  traceparent: trace,
};

function assertWhole(message: Message, number: number | string): void {
  const { id, type, topic, key, submittedMs, traceparent } = message;
  assert.deepEqual(
    [id, type, topic, key, submittedMs, traceparent],
    ["A-1", "com.example.added", "orders", "user 7", Date.UTC(2026, 2, 1, 12), trace],
  );
  const { specversion, ...rest } = attributesOf(message) as Record<string, unknown>;
  assert.equal(specversion, "1.0");
  assert.deepEqual(rest, {
    source: "/shop/cart",
    subject: "cart 7 ☃",
    dataschema: "https://example.com/schema",
    datacontenttype: "application/json",
    comexampleext: 'Zoë "%25"',
    comexamplenumber: number,
  });
}

/** The SDK does not encode what header fields cannot hold (HTTP Protocol Binding 3.1.3.2), so we do it for it. */
function encoded(headers: Record<string, unknown>): Record<string, string> {
  const code = (value: string) => value.replace(/[^!#$&-~]/gu, (letter) => encodeURIComponent(letter));
  return Object.fromEntries(
    Object.entries(headers).map((
      [name, value],
    ) => [name.toLowerCase(), name === "content-type" ? String(value) : code(String(value))]),
  );
}

Deno.test("M1.7 a binary event of the SDK becomes one message with all its attributes", async () => {
  const { headers, body } = HTTP.binary(new CloudEvent({ ...whole, data: { n: 1 } }));
  const [message, ...more] = await take({ headers: encoded(headers), body: body as string }, "/log");
  assert.equal(more.length, 0);
  assertWhole(message!, "5");
  assert.deepEqual([textOf(message!.data), message!.dataIsJson], ['{"n":1}', true]);
});

Deno.test("M1.7 a structured event of the SDK, too", async () => {
  const { headers, body } = HTTP.structured(new CloudEvent({ ...whole, data: { n: 1 } }));
  const [message] = await take({ headers: headers as Record<string, string>, body: body as string }, "/log");
  assertWhole(message!, 5);
  assert.deepEqual([textOf(message!.data), message!.dataIsJson], ['{"n":1}', true]);
});

Deno.test("M1.7 a batch is as many messages, all or none", async () => {
  const events = ["a", "b", "c"].map((id) => new CloudEvent({ ...whole, id, data: id }));
  const body = JSON.stringify(events);
  const messages = await take({ headers: batch, body });
  assert.deepEqual(messages.map(({ id, data }) => [id, textOf(data)]), [["a", '"a"'], ["b", '"b"'], ["c", '"c"']]);
  const bad = body.replace('"id":"b"', '"id":""');
  assert.deepEqual([
    (await refuse({ headers: batch, body: bad })).line,
    (await refuse({ headers: batch, body: bad })).field,
  ], [
    2,
    "id",
  ]);
});

Deno.test("data is kept byte for byte, whatever it is", async () => {
  const bytes = Uint8Array.of(0, 255, 10, 34);
  const event = new CloudEvent({ ...whole, datacontenttype: "image/png", data: bytes });
  const binary = HTTP.binary(event);
  const [first] = await take({ headers: encoded(binary.headers), body: bytes });
  assert.deepEqual([first!.data, first!.dataIsJson], [bytes, false]);
  const [second] = await take({ headers: structured, body: HTTP.structured(event).body as string });
  assert.deepEqual([second!.data, second!.dataIsJson], [bytes, false]);
  const data = '{"n":12345678901234567890, "n":1.0 ,"\\u0061":"\\/é"}';
  const [third] = await take({ headers: structured, body: eventWith(`,"data":${data}`) });
  assert.equal(textOf(third!.data), data);
  const [fourth] = await take({ headers: { ...minimal, "content-type": "text/plain" }, body: "{hello\n" });
  assert.deepEqual([textOf(fourth!.data), fourth!.dataIsJson], ["{hello\n", false]);
});

Deno.test("an event without data has none, and one of the JSON null has that", async () => {
  const [binary] = await take({ headers: minimal, body: "" });
  const [event] = await take({ headers: structured, body: eventWith("") });
  const [nothing] = await take({ headers: structured, body: eventWith(',"data":null,"subject":null') });
  assert.deepEqual([binary, event, nothing].map((one) => [textOf(one!.data), one!.dataIsJson]), [
    ["", true],
    ["", true],
    [
      "null",
      true,
    ],
  ]);
  assert.equal("subject" in (attributesOf(nothing!) as object), false);
  const line = textOf(new Envelope("v1").line(binary!, "i"));
  assert.deepEqual(Object.keys(JSON.parse(line)).includes("data"), false);
});

Deno.test("the SDK says JSON of any text: what is none is kept as the bytes it is", async () => {
  const { headers, body } = HTTP.binary(new CloudEvent({ ...whole, data: "no JSON" }));
  const [message] = await take({ headers: encoded(headers), body: body as string });
  assert.deepEqual([textOf(message!.data), message!.dataIsJson], ["no JSON", false]);
});

Deno.test("an id that ours cannot be stays with the attributes", async () => {
  const [message] = await take({ headers: { ...minimal, "ce-id": "%E2%98%83 1" }, body: "" });
  assert.equal(message!.id, undefined);
  assert.equal((attributesOf(message!) as { id: string }).id, "☃ 1");
});

Deno.test("header fields may be quoted, escaped, or UTF-8 as it is", async () => {
  const values = ['"a \\"b\\" %41"', "%c3%a4", "\xc3\xa4", "a%25b", '"half'];
  const headers = Object.fromEntries(values.map((value, i) => [`ce-x${i}`, value]));
  const [message] = await take({ headers: { ...minimal, ...headers }, body: "" });
  const found = attributesOf(message!) as Record<string, string>;
  assert.deepEqual(values.map((_, i) => found[`x${i}`]), ['a "b" A', "ä", "ä", "a%b", '"half']);
});

Deno.test("the topic is that of the event, else of the query, else of the listener; else it is missing", async () => {
  assert.deepEqual((await take({ headers: { ...minimal, "ce-topic": "own" }, body: "" }))[0]!.topic, "own");
  assert.deepEqual((await take({ headers: minimal, body: "" }, "/log?topic=asked"))[0]!.topic, "asked");
  const node = openNode({ topic: "usual" });
  await node.ask("/log", { headers: minimal, body: "", method: "POST" });
  assert.equal(node.log.messages[0]!.topic, "usual");
  for (const sent of [{ headers: minimal, body: "" }, { headers: structured, body: eventWith("") }]) {
    assert.equal((await refuse(sent, "/log")).field, "topic");
  }
});

Deno.test("a trace that is none is dropped", async () => {
  const [message] = await take({ headers: { ...minimal, "ce-traceparent": "x" }, body: "" });
  assert.equal(message!.traceparent, undefined);
});

const minimal = { "ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "t" };
const eventWith = (more: string) => `{"specversion":"1.0","id":"1","source":"/s","type":"t"${more}}`;

Deno.test("what is no event is refused by the name of the attribute", async () => {
  const headers: [string, Record<string, string>][] = [
    ["specversion", { "ce-specversion": "0.3" }],
    ["specversion", { "ce-specversion": "" }],
    ["id", { "ce-id": "" }],
    ["source", { "ce-source": "" }],
    ["type", { "ce-type": "" }],
    ["type", { "ce-type": "x".repeat(8193) }],
    ["time", { "ce-time": "yesterday" }],
    ["time", { "ce-time": "1395012345634" }],
    ["topic", { "ce-topic": "a b" }],
    ["datacontenttype", { "ce-datacontenttype": "text/plain" }],
    ["data", { "ce-data": "x" }],
    ["a_b", { "ce-a_b": "x" }],
    ["x", { "ce-x": "%e2%98" }],
    ["x", { "ce-x": "\xff" }],
    ["attributes", { "ce-x": "x".repeat(65_536) }],
  ];
  for (const [field, more] of headers) {
    assert.equal((await refuse({ headers: { ...minimal, ...more }, body: "" })).field, field, JSON.stringify(more));
  }
  const { "ce-source": _, ...without } = minimal;
  assert.equal((await refuse({ headers: without, body: "" })).field, "source");
  const bodies: [string | undefined, string][] = [
    ["source", '{"specversion":"1.0","id":"1","type":"t"}'],
    ["id", eventWith("").replace('"id":"1"', '"id":1')],
    ["x", eventWith(',"x":{}')],
    ["x", eventWith(',"x":[]')],
    ["x", eventWith(',"x":"\\ud800"')],
    ["x", eventWith(',"x":1,"x":2')],
    ["X", eventWith(',"X":1')],
    ["__proto__", eventWith(',"__proto__":1')],
    ["data", eventWith(',"data":1,"data":2')],
    ["data", eventWith(',"data":1,"data_base64":"AA=="')],
    ["data_base64", eventWith(',"data_base64":"A"')],
    ["data_base64", eventWith(',"data_base64":7')],
    [undefined, eventWith(',"data":{]')],
    [undefined, `${eventWith("")}${eventWith("")}`],
    [undefined, `[${eventWith("")}]`],
    [undefined, "[]"],
  ];
  for (const [field, body] of bodies) {
    assert.equal((await refuse({ headers: structured, body })).field, field, body);
  }
  assert.equal((await refuse({ headers: batch, body: eventWith("") })).field, undefined);
  assert.equal((await refuse({ headers: batch, body: "[]" })).field, undefined);
});

Deno.test("other formats of CloudEvents are not supported, and this is said", async () => {
  const answer = await openNode().ask("/log", {
    headers: { "content-type": "application/cloudevents+avro" },
    body: "x",
  });
  assert.equal(answer.status, 415);
  assert.match(problemIn(answer).detail as string, /application\/cloudevents\+json/);
});

const name = fc.stringMatching(/^[a-z0-9]{1,20}$/);
const value = fc.oneof(fc.string({ unit: "binary" }).filter((text) => text.isWellFormed()), fc.integer(), fc.boolean());

Deno.test("whatever attributes an event has come back in the V1 envelope", async () => {
  const mapped = ["type", "topic", "env", "version", "level", "ip", "referrer", "useragent", "partitionkey"];
  const known = [...mapped, "specversion", "id", "source", "time", "data", "traceparent", "tracestate"];
  const others = fc.dictionary(name.filter((one) => !known.includes(one)), value, { noNullPrototype: true });
  await fc.assert(
    fc.asyncProperty(others, async (attributes) => {
      const body = JSON.stringify({ specversion: "1.0", id: "1", source: "/s", type: "t", ...attributes, data: 1 });
      const [message] = await take({ headers: structured, body });
      const line = JSON.parse(textOf(new Envelope("v1").line(message!, "i")));
      assert.deepEqual(line.attributes, { specversion: "1.0", source: "/s", ...attributes });
    }),
    { numRuns: 300 },
  );
});

Deno.test("any bytes as an event are taken or refused", async () => {
  const start = fc.constantFrom("", eventWith("").slice(0, -1), `[${eventWith("")}`, `[${eventWith("").slice(0, -1)},`);
  const piece = fc.constantFrom(
    '"',
    ":",
    ",",
    "{",
    "}",
    "[",
    "]",
    "\\u00",
    '"data":',
    '"data_base64":"',
    "null",
    "1",
    "\ud800",
  );
  const end = fc.array(fc.oneof(piece, fc.string({ unit: "binary", maxLength: 5 })), { maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(start, end, fc.constantFrom(structured, batch), async (start, end, headers) => {
      const answer = await openNode().ask("/log?topic=t", { headers, body: bytesOf(start + end.join("")) });
      assert.ok([204, 400].includes(answer.status), String(answer.status));
    }),
    { numRuns: Number(Deno.env.get("FUZZ") ?? 2000) },
  );
  await fc.assert(
    fc.asyncProperty(fc.dictionary(name, fc.string({ unit: "binary" })), async (given) => {
      const more = Object.entries(given).map(([name, text]) => [`ce-${name}`, text.replace(/[^\x20-\xff]/g, "\xe9")]);
      const headers = { ...minimal, ...Object.fromEntries(more) };
      const answer = await openNode().ask("/log?topic=t", { headers, body: "x" });
      assert.ok([204, 400].includes(answer.status), String(answer.status));
    }),
    { numRuns: 1000 },
  );
});
