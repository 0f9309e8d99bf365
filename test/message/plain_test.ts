import assert from "node:assert/strict";
import fc from "fast-check";
import { type ListedName, parseFields, parseFormat } from "../../src/config/format.ts";
import { formatter } from "../../src/message/format.ts";
import { parsePlain } from "../../src/message/plain.ts";
import { message } from "./kinds.ts";

const decode = (bytes: Uint8Array) => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
const encode = (text: string) => new TextEncoder().encode(text);
const wellFormed = (text: string | undefined) => text?.toWellFormed();

const someDelimiter = fc.oneof(
  fc.constantFrom(" ", "\t", ", ", "aa", "a-", "--x", " - ", "''", "::"),
  fc.string({ minLength: 1, maxLength: 8, unit: "grapheme-ascii" }),
).filter((delimiter) => !delimiter.includes("\\") && isDelimiter(delimiter));

function isDelimiter(delimiter: string): boolean {
  try {
    return parseFormat(`plain '${delimiter}'`).name === "plain";
  } catch {
    return false;
  }
}

/** Made of what delimiters, quotes and marks are made of, so that they meet. */
const awkward = fc.string({ unit: fc.constantFrom(..."a-x ,:'\"\\\t\n\0\u0085\u2028é\ud800") });
const someValue = fc.oneof(awkward, fc.string({ unit: "binary" }), fc.constantFrom("-", "", " ", "base64:", '"'));
const listed = ["id", "env", "type", "ip", "user-agent", "key", "schema"] as const;
const fieldOf = {
  env: "env",
  type: "type",
  ip: "ip",
  "user-agent": "userAgent",
  key: "key",
  schema: "schema",
} as const;

Deno.test("M2.3 whoever parses a plain line finds every value again, whatever it holds and whatever the delimiter", () => {
  fc.assert(
    fc.property(
      fc.shuffledSubarray([...listed], { minLength: 1 }),
      fc.dictionary(fc.constantFrom("env", "type", "ip", "userAgent", "key", "schema"), someValue),
      someValue,
      someDelimiter,
      (names, fields, id, delimiter) => {
        const format = formatter(`plain '${delimiter}'`, names.map((name) => `%${name}%`).join(" "));
        const given = message(fields);
        const line = decode(format(given, id));
        assert.ok(!/[\r\n\u2028]/.test(line));
        const expected = names.map((name) => wellFormed(name === "id" ? id : given[fieldOf[name]]));
        assert.deepEqual(parsePlain(line, delimiter).map(wellFormed), expected);
      },
    ),
    { numRuns: 5000 },
  );
});

Deno.test("M2.3 any payload comes back from a plain line", () => {
  const format = formatter("plain", "%topic% %data%");
  fc.assert(fc.property(fc.oneof(fc.uint8Array(), someValue.map(encode)), (data) => {
    const [, text = ""] = parsePlain(decode(format(message({}, data), "x")), " ");
    const found = text.startsWith("base64:")
      ? Uint8Array.from(atob(text.slice(7)), (letter) => letter.charCodeAt(0))
      : encode(text);
    assert.deepEqual(found, data);
  }));
});

Deno.test("lines that nobody wrote are refused, or read; never for ever", () => {
  fc.assert(fc.property(awkward, someDelimiter, (line, delimiter) => {
    try {
      parsePlain(line, delimiter);
    } catch (problem) {
      assert.ok(problem instanceof TypeError);
    }
  }));
  assert.throws(() => parsePlain('"a', " "), /a quote without end at character 1/);
  assert.throws(() => parsePlain('a "b"c', " "), /no delimiter at character 6/);
  assert.throws(() => parsePlain('"\\q"', " "), /no quoted value/);
});

Deno.test("a list of fields of every name there is can be written", () => {
  const names: ListedName[] = parseFields("%id% %timestamp% %time_stamp% %submitted_timestamp% %cookie_a% %cookies%");
  const list = names.map((name) => `%${name}%`).join(" ");
  const given = message({ cookies: '{"a":"1"}', submittedTimestamp: "5" });
  assert.equal(
    decode(formatter("plain", list)(given, "x")),
    `x ${given.timestamp} ${given.timestamp} 5 1 "{\\"a\\":\\"1\\"}"`,
  );
});
