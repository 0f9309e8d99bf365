import assert from "node:assert/strict";
import { assertListable, originalFields, parseFields, parseFormat } from "../../src/config/format.ts";

Deno.test("a format is a name, and plain has a delimiter: a space unless another is written", () => {
  for (const name of ["json", "json-v2", "binary", "raw", "cloudevents"]) assert.deepEqual(parseFormat(name), { name });
  const delimiters = [["plain", " "], ["plain ' '", " "], ['plain "|"', "|"], ["plain '\\t'", "\t"], [
    "plain '\t'",
    "\t",
  ]];
  for (const [written, delimiter] of delimiters) {
    assert.deepEqual(parseFormat(written!), { name: "plain", delimiter }, written);
  }
  assert.deepEqual(parseFormat("plain '''"), { name: "plain", delimiter: "'" });
});

Deno.test("what is no format says which there are, and what a delimiter may be", () => {
  for (const written of ["", "JSON", "plain ;", "plain '", "yaml", "json '|'"]) {
    assert.throws(
      () => parseFormat(written),
      { name: "TypeError", message: /^one of "json", .*, or "plain ' '"/ },
      written,
    );
  }
  for (const delimiter of ["", '"', "-", "- ", "\\", "\n", "é", "123456789"]) {
    assert.throws(() => parseFormat(`plain '${delimiter}'`), /^TypeError: a delimiter of 1 to 8/, delimiter);
  }
});

Deno.test("fields are written as in 2013, each once", () => {
  assert.deepEqual(parseFields(originalFields).length, 8);
  assert.deepEqual(parseFields("  %ip%\t%cookie_user_id%\n%data% "), ["ip", "cookie_user_id", "data"]);
  assert.deepEqual(parseFields(""), []);
  for (const wrong of ["ip", "%ip", "%nope%", "%ip%%topic%", "%cookie_%", '%cookie_"%', "% ip %"]) {
    assert.throws(() => parseFields(wrong), /^TypeError: fields such as %ip%/, wrong);
  }
  assert.throws(() => parseFields("%ip% %topic% %ip%"), /each field once; %ip% comes twice/);
  assert.throws(() => parseFields(Array.from({ length: 101 }, (_, i) => `%cookie_${i}%`).join(" ")), /at most 100/);
});

Deno.test("a list of fields is for json and plain", () => {
  for (const format of ["json", "plain"]) assertListable(parseFormat(format), "%ip%");
  for (const format of ["json-v2", "binary", "raw", "cloudevents"]) {
    assertListable(parseFormat(format), "");
    assert.throws(() => assertListable(parseFormat(format), "%ip%"), /json or plain beside it/);
  }
});
