import assert from "node:assert";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { type Bytes, earlyProblem, Head, headEnd, parseHead } from "../../src/ingest/head.ts";
import { isProblem, type Problem } from "../../src/ingest/problem.ts";
import { spanText } from "./fakes.ts";

const bytesOf = (text: string) => Buffer.from(text, "latin1") as unknown as Bytes;

function parse(text: string): Head | Problem {
  const bytes = bytesOf(text);
  const end = headEnd(bytes, 0, bytes.length, 0);
  assert.equal(end, bytes.length, JSON.stringify(text));
  return parseHead(bytes, 0, bytes.length);
}

function head(text: string): Head {
  const parsed = parse(text);
  assert.ok(parsed instanceof Head, JSON.stringify(parsed));
  return parsed;
}

Deno.test("M1.1 a head says what the client said", () => {
  const { method, target, old, keepAlive, length, expectsContinue } = head(
    "POST /log?a=b HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n",
  );
  assert.deepEqual({ method, target: spanText(target), old, keepAlive, length, expectsContinue }, {
    method: "POST",
    target: "/log?a=b",
    old: false,
    keepAlive: false,
    length: 12,
    expectsContinue: true,
  });
});

Deno.test("a field is found by its name in any case, and several lines are one value", () => {
  const parsed = head("GET / HTTP/1.1\r\nHost: x\r\nX-Real:  a \r\nx-real: b\t\r\nX-REAL:\r\n\r\n");
  assert.equal(parsed.header("x-real"), "a, b, ");
  assert.equal(parsed.header("host"), "x");
  for (const name of ["x-rear", "hose", "accept"]) assert.equal(parsed.header(name), null);
});

Deno.test("names whose lengths differ by 32 are not taken for each other", () => {
  const long = "x".repeat(36);
  assert.equal(head(`GET / HTTP/1.0\r\n${long}: y\r\n\r\n`).header("host"), null);
  assert.equal(head(`GET / HTTP/1.0\r\n${long}: y\r\n\r\n`).header(long), "y");
});

Deno.test("a field's value has a character a byte", () => {
  assert.equal(head("GET / HTTP/1.0\r\nX: \xc3\xa9\xff\r\n\r\n").header("x"), "\xc3\xa9\xff");
});

Deno.test("the end of a head is found wherever the bytes are cut", () => {
  const text = "\r\n\rab\n\r\ncd\r\r\n\n\r\n\r\nrest\r\n\r\n";
  const end = text.indexOf("\r\n\r\n") + 4;
  for (let from = 0; from < end - 4; from++) {
    for (let cut = from; cut < text.length; cut++) {
      const bytes = bytesOf(text);
      const first = headEnd(bytes, from, cut, from);
      assert.equal(first, cut >= end ? end : undefined, `${from} ${cut}`);
      assert.equal(first ?? headEnd(bytes, from, text.length, cut), end, `${from} ${cut}`);
    }
  }
});

const token = fc.string({ unit: fc.constantFrom(..."!#$%&'*+-.^_`|~09azAZ"), minLength: 1, maxLength: 20 });
const value = fc.string({ unit: fc.constantFrom(...'\t "(),/:;<=>?@[\\]{}az09~\x80\xff'), maxLength: 40 });
const target = fc.string({ unit: fc.constantFrom(...'/?#%&=+.az09~"<>{}|^`'), maxLength: 60 });
const blank = fc.string({ unit: fc.constantFrom(" ", "\t"), maxLength: 3 });
const fields = fc.array(fc.tuple(token.map((name) => `x${name}`), blank, value, blank), { maxLength: 40 });

Deno.test("whatever is built as RFC 9112 says is read back", () => {
  fc.assert(fc.property(token, target, fields, (method, path, lines) => {
    const text = lines.map(([name, before, text, after]) => `${name}:${before}${text}${after}\r\n`).join("");
    const parsed = head(`${method} /${path} HTTP/1.1\r\nHost: x\r\n${text}\r\n`);
    assert.deepEqual([parsed.method, spanText(parsed.target), parsed.length], [method, `/${path}`, 0]);
    const values = new Map<string, string>();
    for (const [name, , text] of lines) {
      const key = name.toLowerCase();
      const trimmed = text.replace(/^[ \t]+|[ \t]+$/g, "");
      values.set(key, values.has(key) ? `${values.get(key)}, ${trimmed}` : trimmed);
    }
    for (const [name, text] of values) assert.equal(parsed.header(name), text);
  }));
});

Deno.test("P4 a head that is not all there is refused only if the whole would be, and for the same reason", () => {
  const line = fc.constantFrom(
    "Host: x\r\n",
    "X : y\r\n",
    "X: y\n",
    "X: \0\r\n",
    " z\r\n",
    "\r\n",
    `X: ${"y".repeat(400)}\r\n`,
  );
  const first = fc.constantFrom("GET / HTTP/1.1\r\n", "GET / HTTP/1.1\n", "GET  / HTTP/1.1\r\n", "G\0 / HTTP/1.1\r\n");
  fc.assert(fc.property(first, fc.array(line, { maxLength: 100 }), fc.nat(), (start, lines, at) => {
    const text = `${start}${lines.join("")}\r\n\r\n`;
    const bytes = bytesOf(text);
    const end = headEnd(bytes, 0, text.length, 0)!;
    const to = at % end;
    const early = earlyProblem(bytes, 0, to, 0);
    const parsed = parseHead(bytes, 0, end);
    if (early) assert.equal(isProblem(parsed) && parsed.status, early.status);
  }));
});

Deno.test("P4 a bad line that goes beyond the limit is too large, whole or not", () => {
  for (const [length, status] of [[32_700, undefined], [32_800, 431]] as const) {
    const bytes = bytesOf(`GET / HTTP/1.1\r\nX: \0${"y".repeat(length)}\r\n\r\n`);
    const problems = [parseHead(bytes, 0, bytes.length), earlyProblem(bytes, 0, bytes.length - 2, 0)];
    for (const problem of problems) assert.equal((problem as Problem).status, status);
  }
  const open = bytesOf(`GET / HTTP/1.1\r\nX: \0${"y".repeat(32_800)}`);
  assert.equal(earlyProblem(open, 0, open.length, 100)!.status, 431);
});

Deno.test("P4 no field takes long to judge, whatever fills it", () => {
  const names = ["Host", "Connection", "Transfer-Encoding", "Content-Length", "Expect", "X"];
  for (const filler of [" ", ",", " ,", "\t", "%", ":", "a", "close ", "close,", "chunked,", "1"]) {
    for (const name of names) {
      const text = `GET / HTTP/1.0\r\n${name}: a${filler.repeat(32_000 / filler.length)}a\r\n\r\n`;
      const begin = performance.now();
      parse(text);
      assert.ok(performance.now() - begin < 100, `${name} of ${JSON.stringify(filler)}`);
    }
  }
});
