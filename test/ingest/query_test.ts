import assert from "node:assert";
import fc from "fast-check";
import { fieldLengthMax, type Fields } from "../../src/message/message.ts";
import { decodeEntry, EntryWriter } from "../../src/message/wire.ts";
import { isProblem, type Problem } from "../../src/ingest/problem.ts";
import { dataOf, parseQuery, type Query } from "../../src/ingest/query.ts";
import { arrival, spanOf, textOf } from "./fakes.ts";

/** A query, and the fields that every message of its request has. */
interface Read extends Query {
  readonly fields: Fields;
}

function read(search: string): Read | Problem {
  const entry = new EntryWriter();
  entry.begin({ timestamp: arrival });
  const query = parseQuery(spanOf(search), entry);
  if (isProblem(query)) return query;
  entry.open();
  entry.shut();
  const [{ timestamp: _, submittedMs: __, data: ___, dataIsJson: ____, ...fields }] = decodeEntry(entry.bytes()) as [
    any,
  ];
  assert.equal(query.topic, fields.topic);
  return { ...query, fields };
}

function parse(search: string): Read {
  const query = read(search);
  assert.ok(!isProblem(query), JSON.stringify(query));
  return query;
}

function dataIn(search: string): string {
  return textOf(dataOf(parse(search).others));
}

Deno.test("M1.1 the query of 2013 is one message", () => {
  const { fields, others } = parse(
    "level=info&type=http&stimestamp=134545634345&ver=1.0&topic=test&env=testdata&ip=1.1.1.1",
  );
  assert.deepEqual(fields, {
    level: "info",
    type: "http",
    submittedTimestamp: "134545634345",
    version: "1.0",
    topic: "test",
    env: "testdata",
    ip: "1.1.1.1",
  });
  assert.equal(others.size, 0);
});

Deno.test("M1.1 short and long names mean the same field", () => {
  const pairs = [
    ["ver", "version"],
    ["stimestamp", "submitted_timestamp"],
    ["time_stamp", "submitted_timestamp"],
    ["sts", "submitted_timestamp"],
    ["user-agent", "user_agent"],
  ];
  for (const [short, long] of pairs) assert.deepEqual(parse(`${short}=1`).fields, parse(`${long}=1`).fields, short);
});

Deno.test("the slip of the pen of 2013 is read as the level it means", () => {
  assert.equal(parse("level=warnning").fields.level, "warning");
});

Deno.test("M1.1 parameters that are no field become the data, in their order", () => {
  const table = [
    ["topic=t", "{}"],
    ["", "{}"],
    ["&&", "{}"],
    ["b=2&topic=t&a=1", '{"b":"2","a":"1"}'],
    ["flag", '{"flag":""}'],
    ["flag=", '{"flag":""}'],
    ["=x", '{"":"x"}'],
    ["a=b=c", '{"a":"b=c"}'],
    ["a=1&b=2&a=3&a=4", '{"a":["1","3","4"],"b":"2"}'],
    ["a=x+y%20z%2B", '{"a":"x y z+"}'],
    ["%61+b=1", '{"a b":"1"}'],
    ["a=%22%5C%0A%00", '{"a":"\\"\\\\\\n\\u0000"}'],
    ["a=%C3%A9%F0%9F%98%80", '{"a":"é😀"}'],
    ["a=é", '{"a":"é"}'],
    ['a="{|}', '{"a":"\\"{|}"}'],
    ["__proto__=1&constructor=2&toString=3", '{"__proto__":"1","constructor":"2","toString":"3"}'],
  ];
  for (const [search, data] of table) assert.equal(dataIn(search!), data, search);
});

Deno.test("an encoded name is the field it spells", () => {
  assert.deepEqual(parse("t%6fpic=test").fields, { topic: "test" });
});

Deno.test("empty values of fields count as absent", () => {
  assert.deepEqual(parse("env=&ver&level=&topic=t&id=&ip=").fields, { topic: "t" });
});

Deno.test("a query is refused with the name of the field", () => {
  const table = [
    ["topic=", "topic"],
    ["topic", "topic"],
    ["topic=a%2Fb", "topic"],
    ["topic=..", "topic"],
    ["topic=a%00b", "topic"],
    ["topic=%D0%B0", "topic"],
    [`topic=${"t".repeat(250)}`, "topic"],
    ["topic=a&topic=b", "topic"],
    ["ver=1&version=2", "version"],
    ["env=a&env=a", "env"],
    ["id=with%20space", "id"],
    [`id=${"i".repeat(129)}`, "id"],
    [`env=${"e".repeat(fieldLengthMax + 1)}`, "env"],
    [`user_agent=${"e".repeat(fieldLengthMax + 1)}`, "user_agent"],
    ["env=%", "env"],
    ["env=%4", "env"],
    ["env=%zz", "env"],
    ["env=%FF", "env"],
    ["env=%C0%AF", "env"],
    ["env=%ED%A0%80", "env"],
    ["env=a%F0%9F", "env"],
    ["x=%FF", "x"],
    ["%FF=x", "%FF"],
    ["x=\ufffd", "x"],
    ["timestamp=1", "timestamp"],
    ["peer_ip=1.1.1.1", "peer_ip"],
    ["cookies=a", "cookies"],
    ["cookies=[]", "cookies"],
    ["cookies=%7B%22a%22:1%7D", "cookies"],
    ["receipt=yes", "receipt"],
    ["ack=disk&ack=disk", "ack"],
  ];
  for (const [search, field] of table) {
    const problem = read(search!);
    assert.ok(isProblem(problem), search);
    assert.equal(problem.code, "bad-message");
    assert.equal(problem.field, field, search);
    assert.ok(problem.detail.length < 250, problem.detail);
  }
});

Deno.test("cookies are a JSON object of strings, kept as written", () => {
  assert.equal(parse("cookies=%7B%22a%22:+%22b%22%7D").fields.cookies, '{"a": "b"}');
});

Deno.test("ack and receipt are for us, not data", () => {
  const query = parse("ack=disk&receipt=1&a=b");
  assert.equal(query.ack, "disk");
  assert.equal(query.receipt, true);
  assert.equal(textOf(dataOf(query.others)), '{"a":"b"}');
  assert.equal(parse("receipt=0").receipt, false);
});

Deno.test("P3 whatever text is encoded comes out as it was", () => {
  const text = fc.string({ unit: "binary", maxLength: 20 }).filter((one) => !one.includes("\ufffd") && one !== "");
  fc.assert(fc.property(fc.array(fc.tuple(text, text), { maxLength: 8 }), (pairs) => {
    const own = pairs.map(([name, value]) => [`x${name}`, value] as const);
    const search = own.map((pair) => pair.map(encodeURIComponent).join("=")).join("&");
    const wanted = new Map<string, string[]>();
    for (const [name, value] of own) wanted.set(name, [...wanted.get(name) ?? [], value]);
    const found = [...parse(search).others].map(([name, value]) => [name, [value].flat()]);
    assert.deepEqual(found, [...wanted]);
  }));
});

Deno.test("no query at all makes the parser throw", () => {
  const piece = fc.oneof(
    fc.constantFrom("topic", "=", "&", "%", "%4", "%41", "+", "id", "cookies", "é", "\ud800"),
    fc.string(),
  );
  fc.assert(fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
    const query = read(pieces.join(""));
    if (!isProblem(query)) JSON.parse(textOf(dataOf(query.others)));
    else assert.ok(query.field !== undefined);
  }));
});
