import assert from "node:assert";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { type Body, type BodyRules, parseBody } from "../../src/ingest/body.ts";
import { isProblem, type Problem } from "../../src/ingest/problem.ts";
import type { Message } from "../../src/message/message.ts";
import { decodeEntry, EntryWriter } from "../../src/message/wire.ts";
import { arrival, bytesOf, rulesWith, textOf } from "./fakes.ts";

interface Sent extends Partial<Omit<Body, "bytes">> {
  readonly rules?: Partial<BodyRules>;
}

function read(bytes: string | Uint8Array, sent: Sent): Message[] | Problem {
  const body = {
    bytes: typeof bytes === "string" ? bytesOf(bytes) : bytes,
    type: sent.type ?? null,
    encoding: sent.encoding ?? null,
    ...(sent.fromPage && { fromPage: sent.fromPage }),
  };
  const entry = new EntryWriter();
  entry.begin({ timestamp: arrival });
  const rules = { ...rulesWith(sent.rules), bodyMax: sent.rules?.bodyMax ?? 1 << 20 };
  return parseBody(body, rules, entry) ?? decodeEntry(entry.bytes());
}

function take(bytes: string | Uint8Array, sent: Sent): string[] {
  const messages = read(bytes, sent);
  assert.ok(!isProblem(messages), JSON.stringify(messages));
  return messages.map(({ data }) => textOf(data));
}

function refuse(bytes: string | Uint8Array, sent: Sent): Problem {
  const problem = read(bytes, sent);
  assert.ok(isProblem(problem), `${JSON.stringify(sent)} was taken`);
  return problem;
}

const form = "application/x-www-form-urlencoded";
const two = '{"x":1}\n{"x":2}';

Deno.test("M1.2 from a page, text that begins as JSON is JSON: pages cannot say so without asking first", () => {
  const fromPage = () => true;
  for (const type of ["text/plain;charset=UTF-8", "text/plain"]) {
    assert.deepEqual(take(' {"x":1}', { type, fromPage }), ['{"x":1}']);
    assert.deepEqual(take('[{"x":1},{"x":2}]', { type, fromPage }), ['{"x":1}', '{"x":2}']);
    assert.deepEqual(take(two, { type, fromPage }), ['{"x":1}', '{"x":2}']);
    assert.deepEqual(take("a\n{}", { type, fromPage }), ["a", "{}"]);
    assert.deepEqual(take('"x"', { type, fromPage }), ['"x"']);
    assert.deepEqual(take(two, { type, fromPage: () => false }), ['{"x":1}', '{"x":2}']);
    assert.equal(refuse("{x", { type, fromPage }).code, "bad-message");
  }
  const octets = { type: "application/octet-stream", fromPage: () => assert.fail("nobody needs to know") };
  assert.deepEqual(take("[1]", octets), ["[1]"]);
  assert.deepEqual(take("plain", { ...octets, type: "text/plain" }), ["plain"]);
});

Deno.test("M1.2 the type says what a body is", () => {
  const table: [string | undefined, string, string[]][] = [
    ["application/json", '{"x":1}', ['{"x":1}']],
    ["Application/JSON; Charset=UTF-8", '[{"x":1}]', ['{"x":1}']],
    ['application/json;charset="utf-8"', two, two.split("\n")],
    ["application/x-ndjson", two, two.split("\n")],
    ["application/ndjson", two, two.split("\n")],
    ["application/jsonl", two, two.split("\n")],
    ["text/plain", "a\r\n\nb \n\r\nc", ["a", "b ", "c"]],
    ["text/plain; charset=us-ascii", "{}", ["{}"]],
    ["application/octet-stream", "a\nb", ["a\nb"]],
    ["application/octet-stream", "", [""]],
    [undefined, two, two.split("\n")],
    ["", ' [{"x":1}]', ['{"x":1}']],
    [form, '\ufeff {"x":1}', ['{"x":1}']],
  ];
  for (const [type, body, wanted] of table) assert.deepEqual(take(body, { type }), wanted, `${type} ${body}`);
});

Deno.test("text and bytes may be any bytes, and are no JSON", () => {
  const bytes = new Uint8Array([0xff, 0, 0x0a, 0x80]);
  const [whole] = read(bytes, { type: "application/octet-stream" }) as Message[];
  assert.deepEqual([whole!.data, whole!.dataIsJson], [bytes, false]);
  const lines = read(bytes, { type: "text/plain" }) as Message[];
  assert.deepEqual(lines.map(({ data }) => [...data]), [[0xff, 0], [0x80]]);
});

Deno.test("a type, charset or encoding that is not known is refused with 415", () => {
  const table: [string, Sent][] = [
    ["<a/>", { type: "text/xml" }],
    ["{}", { type: "application/json-seq" }],
    ["{}", { type: "application/json, text/plain" }],
    ["{}", { type: "application/json; charset=utf-16" }],
    ["{}", { type: "text/plain; charset=iso-8859-1" }],
    ["topic=a&b=c", { type: form }],
    ["hello", {}],
    ["{}", { type: "application/json", encoding: "deflate" }],
    ["{}", { type: "application/json", encoding: "br" }],
    ["{}", { type: "application/json", encoding: "gzip, gzip" }],
  ];
  for (const [body, sent] of table) {
    const problem = refuse(body, sent);
    assert.equal(problem.code, "unsupported-type", JSON.stringify(sent));
    assert.match(problem.detail, /send /);
  }
});

Deno.test("a body without messages is refused", () => {
  for (const type of [undefined, form, "application/json", "application/x-ndjson", "text/plain"]) {
    for (const body of ["", "\n", "\r\n\n"]) assert.match(refuse(body, { type }).detail, /no|neither/i, `${type}`);
  }
  assert.match(refuse("[]", { type: "application/json" }).detail, /no message/);
  assert.match(refuse("", {}).detail, /no message/);
});

Deno.test("curl -d of a file with lines gets a hint", () => {
  assert.match(refuse('{"x":1}{"x":2}', { type: form }).detail, /--data-binary/);
});

Deno.test("M1.2 gzip and zstd bodies are unpacked", () => {
  for (
    const [encoding, pack] of [["gzip", gzipSync], ["GZIP", gzipSync], ["x-gzip", gzipSync], [
      "zstd",
      zstdCompressSync,
    ]] as const
  ) {
    assert.deepEqual(take(pack(bytesOf(two)), { type: "application/json", encoding }), two.split("\n"));
  }
  assert.deepEqual(take(two, { encoding: "identity" }), two.split("\n"));
});

Deno.test("a packed body in several parts is read to its end", () => {
  for (const [encoding, pack] of [["gzip", gzipSync], ["zstd", zstdCompressSync]] as const) {
    const body = new Uint8Array([...pack(bytesOf('{"x":1}\n')), ...pack(bytesOf('{"x":2}\n'))]);
    assert.deepEqual(take(body, { type: "application/x-ndjson", encoding }), two.split("\n"), encoding);
  }
});

Deno.test("P4 nothing of a packed body is taken when it was cut off, wherever that was", () => {
  const body = bytesOf(Array.from({ length: 300 }, (_, i) => `{"x":${i * 7919}}\n`).join(""));
  for (const [encoding, pack] of [["gzip", gzipSync], ["zstd", zstdCompressSync]] as const) {
    const packed = pack(body);
    for (let length = 0; length < packed.length; length++) {
      const problem = refuse(packed.subarray(0, length), { type: "application/x-ndjson", encoding });
      assert.equal(problem.code, "bad-request", `${encoding} ${length}`);
    }
  }
});

Deno.test("what is behind or instead of a packed body is refused", () => {
  for (const [encoding, pack] of [["gzip", gzipSync], ["zstd", zstdCompressSync]] as const) {
    const packed = pack(bytesOf('{"x":1}'));
    for (
      const bad of [[...packed, ...bytesOf("garbage!!")], [...bytesOf('{"x":1}')], [...bytesOf("nothing like it")]]
    ) {
      assert.equal(refuse(new Uint8Array(bad), { encoding }).code, "bad-request", encoding);
    }
  }
});

Deno.test("a bomb is refused at the limit of bodies", () => {
  const zeros = new Uint8Array(20_000_000);
  for (const [encoding, pack] of [["gzip", gzipSync], ["zstd", zstdCompressSync]] as const) {
    const packed = pack(zeros);
    assert.ok(packed.length < 50_000);
    assert.equal(refuse(packed, { type: "text/plain", encoding }).code, "too-large", encoding);
    const parts = new Uint8Array([...pack(new Uint8Array(700_000)), ...pack(new Uint8Array(700_000))]);
    assert.equal(refuse(parts, { type: "text/plain", encoding }).code, "too-large", encoding);
  }
  assert.equal(refuse("x".repeat(101), { type: "text/plain", rules: { bodyMax: 100 } }).code, "too-large");
});

Deno.test("a body that is exactly as large as allowed is taken", () => {
  const body = "x".repeat(1000);
  const rules = { bodyMax: 1000 };
  const type = "text/plain";
  assert.deepEqual(take(body, { type, rules }), [body]);
  assert.deepEqual(take(gzipSync(body), { type, rules, encoding: "gzip" }), [body]);
  assert.deepEqual(take(zstdCompressSync(bytesOf(body)), { type, rules, encoding: "zstd" }), [body]);
});

Deno.test("a zstd body may not ask for a huge window", () => {
  // Magic, a descriptor without sizes, a window of 128 MiB, one empty last block.
  const packed = new Uint8Array([0x28, 0xb5, 0x2f, 0xfd, 0x00, 17 << 3, 0x01, 0x00, 0x00]);
  const problem = refuse(packed, { type: "text/plain", encoding: "zstd" });
  assert.match(problem.detail, /window/);
});

Deno.test("lines of text keep to the limits, and say which line does not", () => {
  const type = "text/plain";
  const long = refuse(`a\n\n${"x".repeat(101)}\n`, { type, rules: { messageMax: 100 } });
  assert.deepEqual([long.code, long.line], ["too-large", 3]);
  const many = refuse("a\nb\n\nc", { type, rules: { messagesMax: 2 } });
  assert.deepEqual([many.code, many.line], ["too-large", 4]);
});
