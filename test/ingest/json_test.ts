import assert from "node:assert";
import fc from "fast-check";
import { type JsonForm, parseJson } from "../../src/ingest/json.ts";
import { isProblem, type Problem } from "../../src/ingest/problem.ts";
import type { Rules } from "../../src/ingest/rules.ts";
import { decodeEntry, EntryWriter } from "../../src/message/wire.ts";
import { fieldLengthMax, type Message } from "../../src/message/message.ts";
import { arrival, bytesOf, rulesWith, textOf } from "./fakes.ts";

/** As a destination will see them, or what is wrong. */
function parsed(body: string | Uint8Array, form: JsonForm, rules: Partial<Rules>): Message[] | Problem {
  const entry = new EntryWriter();
  entry.begin({ timestamp: arrival });
  const problem = parseJson(typeof body === "string" ? bytesOf(body) : body, form, rulesWith(rules), entry);
  if (problem !== undefined) return problem;
  const messages = decodeEntry(entry.bytes());
  assert.equal(messages.length, entry.count);
  return messages;
}

function parse(body: string | Uint8Array, form: JsonForm = "any", rules: Partial<Rules> = {}): Message[] {
  const messages = parsed(body, form, rules);
  assert.ok(!isProblem(messages), JSON.stringify(messages));
  return messages;
}

function refuse(body: string | Uint8Array, form: JsonForm = "any", rules: Partial<Rules> = {}): Problem {
  const problem = parsed(body, form, rules);
  assert.ok(isProblem(problem), `taken: ${typeof body === "string" ? body.slice(0, 200) : body}`);
  return problem;
}

/** Fields that are set, and the data as text. */
function seen({ timestamp: _, submittedMs: __, data, dataIsJson: ___, ...fields }: Message): unknown[] {
  return [fields, textOf(data)];
}

Deno.test("M1.2 one object is one message", () => {
  const body =
    '{"level":"info","type":"http","stimestamp":1395012345634,"version":"1.0","topic":"test","env":"testdata",' +
    '"ip":"1.1.1.1","user_agent":"Mozilla/5.0","referrer":"http://www.example.com/","data":{"sid":"01"}}';
  const [message, ...more] = parse(body);
  assert.equal(more.length, 0);
  assert.deepEqual(seen(message!), [{
    level: "info",
    type: "http",
    submittedTimestamp: "1395012345634",
    version: "1.0",
    topic: "test",
    env: "testdata",
    ip: "1.1.1.1",
    userAgent: "Mozilla/5.0",
    referrer: "http://www.example.com/",
  }, '{"sid":"01"}']);
  assert.equal(message!.submittedMs, 1_395_012_345_634);
});

Deno.test("M1.2 an array and lines hold the same messages", () => {
  const objects = ['{"topic":"a","data":1}', '{"topic":"b","data":[2]}', '{"x":"bare"}'];
  const wanted = [[{ topic: "a" }, "1"], [{ topic: "b" }, "[2]"], [{}, '{"x":"bare"}']];
  const bodies: [string, JsonForm][] = [
    [`[${objects.join(",")}]`, "any"],
    [` [ ${objects.join(" ,\r\n")} ] \n`, "any"],
    [objects.join("\n"), "any"],
    [objects.join("\n"), "lines"],
    [`\n\n${objects.join("\r\n\r\n \t")}\r\n\n`, "lines"],
    [`\ufeff${objects.join("\n")}`, "lines"],
    [`\ufeff[${objects.join(",")}]`, "any"],
  ];
  for (const [body, form] of bodies) assert.deepEqual(parse(body, form).map(seen), wanted, body);
});

Deno.test("an object over several lines is one message", () => {
  const data = '{\n    "a": [\n 1,\n 2 ]\n  }';
  assert.deepEqual(parse(`{\n  "topic": "t",\n  "data": ${data}\n}\n`).map(seen), [[{ topic: "t" }, data]]);
});

Deno.test("P3 the bytes of a payload are those received", () => {
  const values = [
    "12345678901234567890",
    "1e999",
    "1.0",
    "-0",
    '{"a":1,"a":2}',
    '{"b":1,"a":{ "z" : 1 }}',
    '{"__proto__":{"x":1},"constructor":1}',
    '"\\ud800"',
    '"\\u0000"',
    '"\\u00e9\\/"',
    '"é😀\u2028"',
    "null",
    "false",
    '""',
    "[]",
    "{}",
    '" \\" } "',
  ];
  for (const value of values) {
    for (const body of [`{"topic":"t","data":${value}}`, `{"data" : ${value} ,"topic":"t"}`]) {
      const [message] = parse(body);
      assert.equal(textOf(message!.data), value);
      assert.equal(message!.dataIsJson, true);
    }
    const bare = `{ "x" : ${value} }`;
    assert.equal(textOf(parse(`  ${bare}  `)[0]!.data), bare);
  }
});

Deno.test("an object of unknown members only is itself the data", () => {
  assert.deepEqual(parse('{"user":"x","msg":1}').map(seen), [[{}, '{"user":"x","msg":1}']]);
  assert.deepEqual(parse("{}").map(seen), [[{}, "{}"]]);
  assert.deepEqual(parse('{"__proto__":1}').map(seen), [[{}, '{"__proto__":1}']]);
});

Deno.test("a message without data has an empty object", () => {
  assert.deepEqual(parse('{"topic":"t"}').map(seen), [[{ topic: "t" }, "{}"]]);
});

Deno.test("fields may be strings, numbers or null", () => {
  const body =
    '{"version":1.10,"key":12345678901234567890,"submitted_timestamp":1e3,"id":7,"env":null,"level":"warnning",' +
    '"type":"","topic":"\\u0074\\u0065st","referrer":"\\u00e9\\"é"}';
  const wanted = {
    version: "1.10",
    key: "12345678901234567890",
    submittedTimestamp: "1e3",
    id: "7",
    level: "warning",
    topic: "test",
    referrer: 'é"é',
  };
  assert.deepEqual(parse(body).map(seen), [[wanted, "{}"]]);
});

Deno.test("a name is known by what it says, not by how it is escaped", () => {
  assert.deepEqual(parse('{"t\\u006fpic":"t","d\\u0061ta":1}').map(seen), [[{ topic: "t" }, "1"]]);
  assert.equal(refuse('{"topic":"t","t\\u006fpic":"t"}').field, "topic");
});

Deno.test("cookies are an object of strings, kept as written", () => {
  assert.equal(parse('{"cookies":{ "a" : "é\\n" }}')[0]!.cookies, '{ "a" : "é\\n" }');
  for (const bad of ['"a=b"', "1", "[]", '{"a":1}', '{"a":{"b":"c"}}', "true"]) {
    assert.equal(refuse(`{"cookies":${bad}}`).field, "cookies", bad);
  }
});

Deno.test("a refusal names the field", () => {
  const long = "x".repeat(fieldLengthMax + 1);
  const table = [
    ['{"topic":""}', "topic"],
    ['{"topic":"a/b"}', "topic"],
    ['{"topic":".."}', "topic"],
    ['{"topic":"a\\u0000"}', "topic"],
    ['{"topic":"\u0430"}', "topic"],
    [`{"topic":"${"t".repeat(250)}"}`, "topic"],
    ['{"topic":"a","topic":"a"}', "topic"],
    ['{"ver":"1","version":"1"}', "version"],
    ['{"data":1,"data":1}', "data"],
    ['{"data":1,"foo":1}', "foo"],
    ['{"foo":1,"data":1}', "foo"],
    ['{"topic":"t","foo":1,"bar":2}', "foo"],
    ['{"__proto__":1,"topic":"t"}', "__proto__"],
    ['{"\\u001b[31m":1,"topic":"t"}', "\\u001b[31m"],
    ['{"":1,"topic":"t"}', ""],
    ['{"timestamp":1}', "timestamp"],
    ['{"peer_ip":"1.1.1.1"}', "peer_ip"],
    ['{"env":true}', "env"],
    ['{"env":[]}', "env"],
    ['{"env":{}}', "env"],
    ['{"env":"\\ud800"}', "env"],
    ['{"env":"\\udc00\\ud800"}', "env"],
    ['{"id":"a b"}', "id"],
    [`{"id":"${"i".repeat(129)}"}`, "id"],
    [`{"env":"${long}"}`, "env"],
    [`{"user-agent":"${long}"}`, "user_agent"],
    [`{"cookies":{"a":"${long}"}}`, "cookies"],
  ];
  for (const [body, field] of table) {
    const problem = refuse(body!);
    assert.equal(problem.field, field, body);
    assert.equal(problem.code, "bad-message");
    assert.ok(problem.detail.length < 250);
    assert.equal(refuse(`\n{"x":1}\n${body}\n{"x":1}`, "lines").line, 3);
    assert.equal(refuse(`[{"x":1},{"x":\n1},${body}]`).line, 3);
  }
});

Deno.test("unknown members are sent to data, reserved ones to the right name", () => {
  assert.match(refuse('{"topic":"t","foo":1}').detail, /"foo".*put it in "data"/);
  assert.match(refuse('{"timestamp":1}').detail, /submitted_timestamp/);
});

Deno.test("a message of no topic is refused with its line", () => {
  const admit = (topic?: string): Problem | undefined =>
    topic === undefined ? { code: "bad-message", detail: "missing", field: "topic" } : undefined;
  const problem = refuse('{"topic":"a"}\n\n{"x":1}', "lines", { topic: undefined, admit });
  assert.deepEqual([problem.line, problem.field], [3, "topic"]);
  parse('{"topic":"a"}\n\n{"x":1}', "lines", { topic: "default", admit });
});

Deno.test("broken JSON is refused with line and byte", () => {
  const table: [string, number, RegExp][] = [
    ['{"a":1}\n{"a":}', 2, /at byte 6: .*unexpected "}"/],
    ['{"a":1}\n{"a":1} {"a":1}', 2, /at byte 9: .*more than one message/],
    ['{"a":1}\n{"a":1},', 2, /at byte 8: .*more than one message/],
    ['{"a":1}\n\n{"a":\n1}', 3, /at byte 6: .*a line end inside a message/],
    ['{"a":1}\n"text"', 2, /at byte 1: .*no JSON object/],
    ['{"a":1}\n[1]', 2, /no JSON object/],
    ['{"a":1}\n{"a":"x', 2, /at byte 6: .*a string without end/],
    ['{"a":1}\n{', 2, /an end too early/],
    ['{"a":1}\n{"a":1,}', 2, /unexpected "}"/],
    ['{"a":1}\n{"a" 1}', 2, /unexpected "1"/],
    ['{"a":1}\n{"a":"\\x"}', 2, /a bad escape/],
    ['{"a":1}\n{"a":"\t"}', 2, /a control character/],
    ['{"a":1}\n{"a":01}', 2, /unexpected "1"/],
    ['{"a":1}\n\ufeff{"a":1}', 2, /no JSON object/],
  ];
  for (const [body, line, detail] of table) {
    const problem = refuse(body, "lines");
    assert.equal(problem.line, line, body);
    assert.match(problem.detail, detail);
  }
  const elements: [string, number][] = [['[{"a":1},{"a":}]', 2], ['[{"a":1},]', 2], ['[{"a":1},1]', 2], ["[[]]", 1]];
  for (const [body, line] of elements) assert.equal(refuse(body).line, line, body);
  for (const body of ["[", '[{"a":1}', '[{"a":1}]]', '[{"a":1}]\n{}', '[{"a":1} {"a":1}]']) refuse(body);
});

Deno.test("bytes that are no UTF-8 are refused with their line", () => {
  const bad = (bytes: number[]) =>
    new Uint8Array([...bytesOf('{"a":"é"}\n{"a":"'), ...bytes, ...bytesOf('"}\n{"a":1}')]);
  for (const bytes of [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xc0, 0xaf]]) {
    const problem = refuse(bad(bytes), "lines");
    assert.equal(problem.line, 2);
    assert.match(problem.detail, /no UTF-8/);
  }
  const inName = new Uint8Array([...bytesOf('{"'), 0xff, ...bytesOf('":1}')]);
  assert.match(refuse(inName).detail, /no UTF-8/);
});

Deno.test("limits are told with the line they were met at", () => {
  const longer = `{"a":"${"x".repeat(1000)}"}`;
  const byLength = refuse(`{"a":1}\n${longer}`, "lines", { messageMax: 1000 });
  assert.deepEqual([byLength.code, byLength.line], ["too-large", 2]);
  parse(longer, "lines", { messageMax: longer.length });
  const byCount = refuse('{"a":1}\n'.repeat(4), "lines", { messagesMax: 3 });
  assert.deepEqual([byCount.code, byCount.line], ["too-large", 4]);
  assert.equal(refuse("[{},{},{},{}]", "any", { messagesMax: 3 }).line, 4);
  const byDepth = refuse(`{}\n{"data":${"[".repeat(64)}${"]".repeat(64)}}`, "lines");
  assert.deepEqual([byDepth.code, byDepth.line], ["bad-message", 2]);
  assert.match(byDepth.detail, /deeper than 64/);
  parse(`{"data":${"[".repeat(63)}${"]".repeat(63)}}`);
});

Deno.test("ten megabytes of brackets are refused after a few bytes", () => {
  for (const unit of ["[", '{"a":', '{"data":[', "[{"]) {
    const problem = refuse(unit.repeat(10_000_000 / unit.length));
    assert.ok(isProblem(problem));
  }
});

const value = fc.jsonValue({ maxDepth: 3, stringUnit: "binary" }).map((one) => JSON.stringify(one));
const word = fc.stringMatching(/^[a-z]{1,8}$/);
const message = fc.record({
  topic: word,
  env: fc.string({ unit: "binary", maxLength: 20 }),
  key: fc.nat(),
  data: value,
});

Deno.test("whatever JSON writes comes through in every form", () => {
  fc.assert(fc.property(fc.array(message, { minLength: 1, maxLength: 6 }), (messages) => {
    const objects = messages.map(({ topic, env, key, data }) =>
      `{"topic":${JSON.stringify(topic)},"data":${data},"env":${JSON.stringify(env)},"key":${key}}`
    );
    const wanted = messages.map(({ topic, env, key, data }) => [
      { topic, key: String(key), ...(env === "" ? {} : { env }) },
      data,
    ]);
    assert.deepEqual(parse(objects.join("\n"), "lines").map(seen), wanted);
    assert.deepEqual(parse(`[${objects.join(",")}]`).map(seen), wanted);
    for (const [i, object] of objects.entries()) assert.deepEqual(parse(object).map(seen), [wanted[i]]);
  }));
});

Deno.test("what is no JSON is never taken, what is taken is JSON", () => {
  const letter = fc.constantFrom(...'{}[],:"\\ \n0.e-tru', "é", "topic", '"data":', '"topic":"a"', '{"x":1}', "\n");
  const spoiled = fc.tuple(message, fc.array(fc.tuple(fc.nat(), letter), { minLength: 1, maxLength: 3 })).map(
    ([{ topic, data }, changes]) => {
      let text = `{"topic":"${topic}","data":${data}}`;
      for (const [at, piece] of changes) {
        const place = at % (text.length + 1);
        text = text.slice(0, place) + piece + text.slice(place + (at % 2));
      }
      return text;
    },
  );
  const parses = (text: string): boolean => {
    try {
      JSON.parse(text);
      return true;
    } catch {
      return false;
    }
  };
  fc.assert(
    fc.property(spoiled, (text) => {
      const found = parsed(text, "lines", {});
      const lines = text.split("\n").filter((line) => line.trim() !== "");
      const sound = lines.every((line) => parses(line.toWellFormed()));
      if (!isProblem(found)) {
        assert.ok(sound, text);
        for (const { data } of found) JSON.parse(textOf(data));
      } else if (found.field === undefined) {
        assert.ok(!sound || lines.some((line) => !line.trim().startsWith("{")), `${text}: ${found.detail}`);
      }
    }),
    { numRuns: 2000 },
  );
});

const header =
  '"header":{"topic":"t","env":"e","version":1.0,"key":"k","id":"own","schema":"urn:s","cookies":{"a":"b"}}';
const headerFields = {
  topic: "t",
  env: "e",
  version: "1.0",
  key: "k",
  id: "own",
  schema: "urn:s",
  cookies: '{"a":"b"}',
};

Deno.test("M5.2 of a V2 message the header fills the fields, and the data is verbatim; alone, in arrays and in lines", () => {
  const data = '{"n":12345678901234567890, "n":1.0 ,"header":{}}';
  const [first, last] = [`{${header},"data":${data}}`, `{"data":${data} , ${header}}`];
  for (
    const [body, form] of [[first, "any"], [`[${first},${last}]`, "any"], [`${first}\n${last}\n`, "lines"]] as const
  ) {
    for (const message of parse(body, form)) assert.deepEqual(seen(message), [headerFields, data]);
  }
  const spread = first.replace("{", "{\n").replace(',"data":', '\n,\r\n"data":');
  assert.deepEqual(seen(parse(spread)[0]!), [headerFields, data]);
});

Deno.test("M5.2 what the server of 2014 wrote is understood: its data is verbatim, and names the type", () => {
  const data = '{"type":"LogSample","data":"eyJhIjoxfQ==","serializeType":"json"}';
  const switches = '"notifyError":false,"traceEnable":true,"instructionEnable":false';
  const body =
    `{"header":{"version":1.0,"topic":"t","key":"k",${switches}},"data":${data},"traces":null,"instructions":[]}`;
  assert.deepEqual(seen(parse(body)[0]!), [{ version: "1.0", topic: "t", key: "k", type: "LogSample" }, data]);
  const typed = body.replace('"topic":"t"', '"topic":"t","type":"own"');
  assert.deepEqual(seen(parse(typed)[0]!)[0], { version: "1.0", topic: "t", key: "k", type: "own" });
  const bare = '{"header":{"topic":"t"},"data":[1],"traces":null}';
  assert.deepEqual(seen(parse(bare)[0]!), [{ topic: "t" }, "[1]"]);
});

Deno.test("M5.2 what format json-v2 writes can be sent again: the time it was taken becomes the time it was submitted", () => {
  const taken = '"id":"i","timestamp":1772366400000,"topic":"t","peer_ip":"10.0.0.1"';
  const [message] = parse(`{"header":{${taken}},"data":1}`);
  assert.deepEqual(seen(message!), [{ id: "i", topic: "t", submittedTimestamp: "1772366400000" }, "1"]);
  assert.equal(message!.submittedMs, 1_772_366_400_000);
  for (
    const header of [`${taken},"submitted_timestamp":5,"submitted_off":"late"`, `"submitted_timestamp":5,${taken}`]
  ) {
    assert.equal(parse(`{"header":{${header}},"data":1}`)[0]!.submittedTimestamp, "5");
  }
});

Deno.test("M5.2 a refusal of an envelope names the line and the field in its header", () => {
  const good = '{"header":{"topic":"t"},"data":1}\n';
  const found = (header: string, beside = '"data":1') => {
    const { line, field } = refuse(`${good}{"header":${header},${beside}}\n`, "lines");
    return [line, field];
  };
  assert.deepEqual(found('{"topic":"a b"}'), [2, "header.topic"]);
  assert.deepEqual(found('{"topic":"t","nope":1}'), [2, "header.nope"]);
  assert.deepEqual(found('{"topic":"t","ver":1,"version":2}'), [2, "header.version"]);
  assert.deepEqual(found('{"topic":{}}'), [2, "header.topic"]);
  assert.deepEqual(found('{"topic":"t","cookies":[]}'), [2, "header.cookies"]);
  assert.deepEqual(found('{"topic":"t","timestamp":{}}'), [2, "header.submitted_timestamp"]);
  assert.deepEqual(found("{}", '"data":1,"level":"info"'), [2, "header"]);
  assert.deepEqual(found("{}", '"data":1,"more":"info"'), [2, "more"]);
  assert.deepEqual(found("{}", '"data":1,"header":{}'), [2, "header"]);
  assert.deepEqual(found('"text"'), [2, "header"]);
});

Deno.test("an object with a header and without data is data, as it always was", () => {
  for (const body of ['{"header":{"topic":"x"}}', '{"traces":[],"a":1}', '{"header":1,"instructions":2}']) {
    assert.deepEqual(seen(parse(body)[0]!), [{}, body]);
  }
  assert.equal(refuse('{"header":{},"level":"info"}').field, "header");
});

Deno.test("whatever stands in an envelope, it is taken or refused, and what is taken is its data", () => {
  const some = fc.record({ header: fc.jsonValue(), data: fc.jsonValue(), traces: fc.jsonValue() }, {
    requiredKeys: ["data"],
  });
  fc.assert(fc.property(some, (value) => {
    const messages = parsed(JSON.stringify(value), "any", {});
    if (!isProblem(messages)) assert.equal(textOf(messages[0]!.data), JSON.stringify(value.data));
  }));
});
