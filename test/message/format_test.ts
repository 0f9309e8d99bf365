import assert from "node:assert/strict";
import fc from "fast-check";
import { contentTypeOf, formatter } from "../../src/message/format.ts";
import { type Message, outputNames } from "../../src/message/message.ts";
import { arrival, idOf, kinds, message } from "./kinds.ts";

const golden = new URL("../golden/envelope-v1.ndjson", import.meta.url);
const decode = (bytes: Uint8Array) => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
const json = formatter("json");
const text = (given: Message, id = "9f3c01aa27de4410-3-42") => decode(json(given, id));

Deno.test("the V1 envelope is for ever what the golden file shows", () => {
  const lines = kinds.map((kind, at) => `${text(kind, idOf(at))}\n`).join("");
  assert.equal(lines, Deno.readTextFileSync(golden));
});

Deno.test("payload bytes of JSON are in the envelope verbatim: large numbers, double keys, order, escapes", () => {
  const data = '{"n":12345678901234567890, "n":1.0 ,"\\u0061":"\\/é","x":{}}';
  assert.ok(text(message({}, data)).endsWith(`,"data":${data}}`));
});

Deno.test("raw is the payload exactly", () => {
  const data = Uint8Array.of(0, 255, 13, 10);
  assert.deepEqual(formatter("raw")(message({}, data), "x"), data);
});

Deno.test("the media type is that of the payload where that is sent as it is, else that of the format", () => {
  const messages = [message({}, "1"), message({}, Uint8Array.of(0, 255))];
  const typesOf = (format: string) => messages.map(contentTypeOf(format));
  assert.deepEqual(typesOf("raw"), ["application/json", "application/octet-stream"]);
  assert.deepEqual(new Set([...typesOf("json"), ...typesOf("json-v2")]), new Set(["application/json"]));
  assert.deepEqual(new Set(typesOf("cloudevents")), new Set(["application/cloudevents+json; charset=UTF-8"]));
  assert.deepEqual(new Set(typesOf("plain '|'")), new Set(["text/plain; charset=UTF-8"]));
  assert.deepEqual(new Set(typesOf("binary")), new Set(["application/octet-stream"]));
});

Deno.test("line ends in a JSON payload become spaces, so a message is one line", () => {
  assert.ok(text(message({}, '{\r\n"a":\n1}')).endsWith(`"data":{  "a": 1}}`));
});

Deno.test("a payload that is no JSON is base64", () => {
  assert.ok(text(message({}, Uint8Array.of(0xff, 0xfe))).endsWith(`,"data_base64":"//4="}`));
});

Deno.test("the submitted time is a number when it was given as one, else the text given", () => {
  const shown = (given: string) => JSON.parse(text(message({ submittedTimestamp: given }))).submitted_timestamp;
  assert.deepEqual(["1772366400000", "-1", "0", "007", "-0", "9007199254740993", "2026-03-01T12:00Z"].map(shown), [
    1772366400000,
    -1,
    0,
    "007",
    "-0",
    "9007199254740993",
    "2026-03-01T12:00Z",
  ]);
});

Deno.test("a submitted time too far from arrival is flagged late or early, and only then", () => {
  const off = (ms: number) =>
    JSON.parse(text(message({ submittedTimestamp: String(arrival + ms) }))).submitted_off as unknown;
  assert.deepEqual([0, -7 * 86_400_000, -7 * 86_400_000 - 1, 600_000, 600_001].map(off), [
    undefined,
    undefined,
    "late",
    undefined,
    "early",
  ]);
});

const anyText = fc.string({ unit: "binary" });
/** Some fields of some texts, as `outputNames` has them. */
const someFields = fc.dictionary(
  fc.constantFrom(...outputNames.map(([name]) => name).filter((name) => name !== "cookies" && name !== "attributes")),
  anyText,
);
const cookies = fc.option(fc.dictionary(fc.string(), fc.string()).map((value) => JSON.stringify(value)), {
  nil: undefined,
});
const wellFormed = (given: string) => JSON.parse(JSON.stringify(given)) as string;

Deno.test("whoever parses the line finds every field and the payload, message after message", () => {
  // One formatter for all runs: what it keeps of the last message must not leak into the next.
  const format = formatter("json");
  fc.assert(
    fc.property(someFields, cookies, fc.string(), fc.json(), (fields, cookies, id, data) => {
      const given = message({ topic: "t", ...fields, ...(cookies === undefined ? {} : { cookies }) }, data);
      const line = decode(format(given, id));
      assert.ok(!/[\r\n]/.test(line));
      const found = JSON.parse(line);
      assert.equal(found.id, id);
      assert.equal(found.timestamp, arrival);
      assert.deepEqual(found.data, JSON.parse(data));
      for (const [name, label] of outputNames) {
        const value = given[name];
        const expected = name === "cookies" && value !== undefined ? JSON.parse(value) : value;
        if (name === "submittedTimestamp") assert.equal(found[label]?.toString(), value);
        else assert.deepEqual(found[label], typeof expected === "string" ? wellFormed(expected) : expected);
      }
    }),
    { numRuns: 1000 },
  );
});

Deno.test("any bytes come back from base64", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (data) => {
    const found = JSON.parse(text(message({}, data)));
    assert.deepEqual(Uint8Array.from(atob(found.data_base64), (letter) => letter.charCodeAt(0)), data);
  }));
});

Deno.test("lines stay as they were when others are written, however long", () => {
  const format = formatter("json");
  const lines = Array.from({ length: 2000 }, (_, i) => {
    const data = JSON.stringify("x".repeat(i % 100 === 0 ? 300_000 : i));
    return { data, line: format(message({ env: `e${i % 3}` }, data), `id${i}`) };
  });
  lines.forEach(({ data, line }, i) => {
    assert.equal(
      decode(line),
      `{"id":"id${i}","timestamp":${arrival},"topic":"t","env":"e${i % 3}","data":${data}}`,
    );
  });
});

Deno.test("attributes and the trace are members like others, attributes as the JSON they are, on one line", () => {
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const given = message({ traceparent, tracestate: "a=1", attributes: '{"source":"/s",\n"n":12345678901234567890}' });
  assert.equal(
    text(given, "i"),
    `{"id":"i","timestamp":${arrival},"topic":"t","traceparent":"${traceparent}","tracestate":"a=1",` +
      `"attributes":{"source":"/s", "n":12345678901234567890},"data":{}}`,
  );
});
