import assert from "node:assert";
import fc from "fast-check";
import { Scanner } from "../../src/ingest/scanner.ts";
import { bytesOf } from "./fakes.ts";

function scan(bytes: Uint8Array, depthMax = 64): Scanner & { ok: boolean } {
  const scanner = new Scanner(bytes, { depthMax, lines: false, checkUtf8: true });
  const ok = scanner.value() && scanner.peek() < 0;
  return Object.assign(scanner, { ok });
}

function parses(bytes: Uint8Array): boolean {
  try {
    JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
    return true;
  } catch {
    return false;
  }
}

Deno.test("the scanner takes what JSON.parse takes, and nothing else", () => {
  const table = [
    ..."0 -0 1 -1 10 1.5 -1.5e10 1E+2 1e-2 0e1 12345678901234567890 1e999".split(" "),
    ..."00 01 -01 - + +1 .5 1. 1.e1 1e 1e+ 0x1 1_0 NaN Infinity -Infinity".split(" "),
    ..."true false null tru nul falsey True undefined".split(" "),
    '""',
    '"a',
    '"\\u00e9\\n\\"\\\\\\/\\b\\f\\r\\t"',
    '"\\x"',
    '"\\u12"',
    '"\\u12g4"',
    '"\\ud800"',
    '"\n"',
    '"\t"',
    '"\x7f"',
    "'a'",
    "[]",
    "[ ]",
    "[1,]",
    "[,1]",
    "[1 2]",
    "[1",
    "]",
    "{}",
    "{ }",
    '{"a":1}',
    '{"a":1,}',
    '{"a" 1}',
    '{"a":}',
    "{a:1}",
    "{1:1}",
    '{"a":1,"a":2}',
    '{"a":{"b":[{}]}}',
    '{"__proto__":1}',
    "",
    " ",
    " 1 ",
    "\u00a01",
    "\ufeff1",
    "1 1",
    "/**/1",
    "\0",
    '"\0"',
    "[1]\0",
  ];
  for (const text of table) assert.equal(scan(bytesOf(text)).ok, parses(bytesOf(text)), JSON.stringify(text));
});

Deno.test("bytes that are no UTF-8 are refused where they stand", () => {
  const table = [[0xff], [0xc3], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf8, 0x88, 0x80, 0x80, 0x80], [0x80]];
  for (const bad of table) {
    const bytes = new Uint8Array([0x5b, 0x31, 0x2c, 0x22, ...bad, 0x22, 0x5d]);
    const { ok, fault, faultAt } = scan(bytes);
    assert.equal(ok, false);
    assert.match(fault, /UTF-8/);
    assert.equal(faultAt, 3);
  }
});

Deno.test("nesting is counted before anything is built", () => {
  assert.ok(scan(bytesOf("[".repeat(64) + "]".repeat(64))).ok);
  const deep = scan(bytesOf('{"a":'.repeat(65) + "1" + "}".repeat(65)));
  assert.equal(deep.ok, false);
  assert.equal(deep.fault, "nesting deeper than 64");
  assert.ok(scan(bytesOf("[".repeat(1000) + "]".repeat(1000)), 1000).ok);
});

const nested = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.jsonValue({ stringUnit: "binary" }),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(fc.string(), tie("value"), { maxKeys: 4 }),
  ),
})).value;
const document = fc.tuple(nested, fc.constantFrom(undefined, 1, "\t")).map(([value, indent]) =>
  JSON.stringify(value, undefined, indent)
);

Deno.test("every JSON document is taken, up to its last byte", () => {
  fc.assert(fc.property(document, (text) => {
    const bytes = bytesOf(text);
    const scanner = scan(bytes);
    assert.ok(scanner.ok, scanner.fault);
    assert.equal(scanner.at, bytes.length);
  }));
});

Deno.test("a spoiled document is taken exactly when JSON.parse takes it", () => {
  const letters = [...'{}[],:"\\ \n\t0123456789.eE+-truefalsnu/bx'].map((letter) => letter.charCodeAt(0));
  const byte = fc.oneof(fc.constantFrom(...letters), fc.constantFrom(0, 0x1f, 0x7f, 0x80, 0xc3, 0xa9, 0xed, 0xff));
  const change = fc.record({ at: fc.nat(), byte, kind: fc.constantFrom("set", "insert", "remove") });
  fc.assert(
    fc.property(document, fc.array(change, { minLength: 1, maxLength: 3 }), (text, changes) => {
      const bytes = [...bytesOf(text)];
      for (const { at, byte, kind } of changes) {
        const place = at % (bytes.length + 1);
        bytes.splice(place, kind === "insert" ? 0 : 1, ...(kind === "remove" ? [] : [byte]));
      }
      const spoiled = new Uint8Array(bytes);
      assert.equal(scan(spoiled).ok, parses(spoiled), JSON.stringify(String.fromCharCode(...bytes)));
    }),
    { numRuns: 3000 },
  );
});

Deno.test("any sequence of JSON's own letters is judged as JSON.parse does", () => {
  const token = fc.constantFrom(...'{ } [ ] , : "a" "" 1 -2.5e3 true null \\ " - . e 0'.split(" "), " ", "\n");
  fc.assert(
    fc.property(fc.array(token, { maxLength: 12 }), (tokens) => {
      const bytes = bytesOf(tokens.join(""));
      assert.equal(scan(bytes).ok, parses(bytes), JSON.stringify(tokens.join("")));
    }),
    { numRuns: 3000 },
  );
});
