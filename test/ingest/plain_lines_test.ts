import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { parseJson } from "../../src/ingest/json.ts";
import { KnownNames } from "../../src/ingest/fields.ts";
import { PlainLines } from "../../src/ingest/plain_lines.ts";
import { isProblem, type Problem } from "../../src/ingest/problem.ts";
import { decodeEntry, EntryWriter } from "../../src/message/wire.ts";
import type { Message } from "../../src/message/message.ts";
import { arrival, bytesOf, rulesWith } from "./fakes.ts";

const rules = rulesWith({ topic: "fallback" });

/** The messages, or what is wrong. */
function parsed(body: Uint8Array, form: "lines" | "any"): Message[] | Problem {
  const entry = new EntryWriter();
  entry.begin({ timestamp: arrival });
  return parseJson(body, form, rules, entry) ?? decodeEntry(entry.bytes().slice());
}

/** How many messages and lines were plain, and behind which byte the first is that was not. */
function taken(text: string, changes: Parameters<typeof rulesWith>[0] = {}): [number, number, number] {
  // As `json.ts` has them: there is one memory for all.
  const lines = new PlainLines(new KnownNames(["data", "header", "traces", "instructions"]));
  const entry = new EntryWriter();
  entry.begin({ timestamp: arrival });
  assert.ok(lines.begin(bytesOf(text), rulesWith({ topic: "fallback", ...changes }), entry, true));
  const run = lines.take(0);
  return [entry.count, run?.lines ?? 0, run?.end ?? 0];
}

function joined(parts: readonly Uint8Array[], separator: string): Uint8Array {
  return Buffer.concat(parts.flatMap((part, i) => i === 0 ? [part] : [bytesOf(separator), part]));
}

const space = fc.constantFrom("", "", "", "", " ", "\t", "\r", "  ");
const knownName = fc.constantFrom(
  ...[
    "topic",
    "level",
    "type",
    "env",
    "ver",
    "version",
    "ip",
    "key",
    "stimestamp",
    "sts",
    "submitted_timestamp",
    "data",
  ],
  ...["user_agent", "user-agent", "referrer", "id", "cookies", "traceparent", "tracestate", "timestamp", "peer_ip"],
  ...["header", "traces", "instructions", "top\\u0069c", "Topic", "dat", "dataa", "submitted_timestamp_of_it"],
);
const name = fc.oneof({ weight: 9, arbitrary: knownName }, { weight: 1, arbitrary: fc.string().map(inside) });
const value = fc.oneof(
  fc.constantFrom('"a"', '"b"', '"c.d"', '"warnning"', '"critical"', '""', "1395012345634", '"1395012345634"', "null"),
  fc.string({ unit: "binary" }).map((text) => JSON.stringify(text)),
  fc.constantFrom(
    "-0.5e+7",
    "01",
    "1.",
    "-",
    "true",
    "nul",
    '"\\x"',
    '"\\u12g4"',
    "[]",
    "{}",
    "[{},[1,2]]",
    '{"a":[]}',
  ),
  fc.json({ noUnicodeString: false } as object),
  fc.integer({ min: 100, max: 9000 }).map((length) => JSON.stringify("x".repeat(length))),
);
const member = fc.tuple(space, name, space, space, value, space)
  .map(([a, name, b, c, value, d]) => `${a}"${name}"${b}:${c}${value}${d}`);
const edit = fc.record({ at: fc.nat(), byte: fc.nat(255), kind: fc.constantFrom("change", "insert", "remove") });
const line = fc.record({ members: fc.array(member, { maxLength: 8 }), edits: fc.array(edit, { maxLength: 2 }) })
  .map(({ members, edits }) => {
    const bytes = [...bytesOf(`{${members.join(",")}}`)];
    for (const { at, byte, kind } of edits) {
      bytes.splice(at % bytes.length, kind === "insert" ? 0 : 1, ...(kind === "remove" ? [] : [byte]));
    }
    return Uint8Array.from(bytes);
  })
  // Alone, they would say something of the whole body.
  .filter((bytes) => !bytes.includes(0x0a) && bytes[0] === 0x7b);

function inside(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

Deno.test("P3 P4: lines taken many at a time are those that are taken one by one, or refused", () => {
  const good = bytesOf('{"topic":"a","level":"info","data":{"n":1}}');
  fc.assert(
    fc.property(line, (bytes) => {
      const alone = parsed(bytes, "any");
      const lines = parsed(joined([good, bytes, good], "\n"), "lines");
      if (isProblem(alone)) {
        assert.ok(isProblem(lines), `taken: ${Buffer.from(bytes)}`);
        assert.deepEqual([lines.code, lines.field, lines.line], [alone.code, alone.field, 2]);
        return;
      }
      const list = parsed(joined([bytesOf("["), joined([good, bytes, good], ","), bytesOf("]")], ""), "any");
      assert.deepEqual(lines, list);
    }),
    { numRuns: 5000 },
  );
});

Deno.test("P3: a body of any length is taken line by line, whatever of it is in hand at once", () => {
  const count = fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(count, fc.boolean(), (lengths, ends) => {
      const messages = lengths.map((length, i) => bytesOf(`{"topic":"t${i % 12}","data":"${"d".repeat(length)}"}`));
      const lines = parsed(joined([...messages, ...(ends ? [bytesOf("")] : [])], "\n"), "lines");
      const list = parsed(joined([bytesOf("["), joined(messages, ","), bytesOf("]")], ""), "any");
      assert.ok(!isProblem(lines));
      assert.deepEqual(lines, list);
    }),
    { numRuns: 40 },
  );
});

Deno.test("plain lines are taken at once, and it stops before the first that is not", () => {
  const plain = '{"topic":"a","level":"critical","stimestamp":1395012345634,"data":[{"b":"\\n\\u00e9"},-1.5e3,null]}\n';
  assert.deepEqual(taken(plain.repeat(3)), [3, 3, plain.length * 3]);
  assert.deepEqual(taken(`\n \n${plain}\r\n{}`), [2, 5, plain.length + 7]);
  assert.deepEqual(taken('{"any":{"thing":true}}\n{}\n'), [2, 2, 26]);
  const others = [
    ...[
      '{"topic":"a","id":"1"}',
      '{"topic":"\\u0061"}',
      '{"topic":"a","topic":"a"}',
      '{"topic":"a b"}',
      '{"level":true}',
    ],
    ...[
      '{"cookies":{}}',
      '{"level":"warnning"}',
      '{"stimestamp":1}',
      '{"a":1,"topic":"a"}',
      '{"a":1}{"b":2}',
      "[]",
      '{"a"',
    ],
    ...[
      `{"data":${"[".repeat(61)}${"]".repeat(61)}}`,
      `{"data":"${"d".repeat(16_000)}"}`,
      '{"ip":null}',
      '{"header":{}}',
    ],
  ];
  for (const other of others) assert.deepEqual(taken(`${plain}${other}\n`), [1, 1, plain.length], other);
  assert.deepEqual(taken(plain.repeat(3), { messagesMax: 2 }), [2, 2, plain.length * 2]);
  assert.deepEqual(taken(plain.repeat(3), { messageMax: 50 }), [0, 0, 0]);
  assert.deepEqual(taken(plain.repeat(3), { depthMax: 2 }), [0, 0, 0]);
  assert.deepEqual(taken("{}\n", { topic: undefined }), [0, 0, 0]);
});
