import assert from "node:assert/strict";
import fc from "fast-check";
import { formatter } from "../../src/message/format.ts";
import { outputNames } from "../../src/message/message.ts";
import { message } from "./kinds.ts";

const write = formatter("cloudevents");
const decode = (bytes: Uint8Array) => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
/** RFC 3339 as the specification asks for it. */
const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

Deno.test("M2.3 whatever the fields hold, the line is a CloudEvent 1.0: its attributes are there, and are texts that may be there", () => {
  const someFields = fc.dictionary(
    fc.constantFrom(...outputNames.map(([name]) => name).filter((name) => name !== "topic" && name !== "attributes")),
    fc.string({ unit: "binary" }),
  );
  const submitted = fc.record({ submittedMs: fc.double() }, { requiredKeys: [] });
  fc.assert(fc.property(someFields, submitted, fc.json(), (fields, ms, data) => {
    const line = decode(write(message({ ...fields, ...ms }, data), "9f3c01aa27de4410-1-0"));
    assert.ok(!/[\r\n]/.test(line));
    const { data: payload, ...attributes } = JSON.parse(line);
    assert.deepEqual(payload, JSON.parse(data));
    assert.ok(line.endsWith(`,"data":${data}}`));
    for (const [name, value] of Object.entries(attributes)) {
      assert.match(name, /^[a-z0-9]{1,20}$/);
      // deno-lint-ignore no-control-regex
      assert.ok(typeof value === "string" && value !== "" && !/[\x00-\x1f\x7f-\x9f\ud800-\udfff]/u.test(value));
    }
    assert.equal(attributes.specversion, "1.0");
    assert.match(attributes.time, time);
    assert.match(attributes.recordedtime, time);
    for (const needed of ["id", "source", "type"]) assert.ok(needed in attributes);
  }));
});

Deno.test("M1.7 what came as a CloudEvent goes on with the attributes it had", () => {
  const attributes =
    '{"specversion":"1.0","source":"https://example.com/x","subject":"s","n":7,"datacontenttype":"text/x+json"}';
  const given = message({
    type: "com.example.made",
    key: "k",
    attributes,
    submittedTimestamp: "2026-03-01T12:00:00.1234Z",
  });
  assert.deepEqual(JSON.parse(decode(write(given, "own id"))), {
    ...JSON.parse(attributes),
    id: "own id",
    type: "com.example.made",
    time: "2026-03-01T12:00:00.1234Z",
    recordedtime: "2026-03-01T12:00:00.000Z",
    topic: "t",
    partitionkey: "k",
    data: {},
  });
});
