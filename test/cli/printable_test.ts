import assert from "node:assert/strict";
import { printable, printableJson } from "../../src/cli/printable.ts";

Deno.test("every character that could drive a terminal or hide becomes an escape", () => {
  const hostile = ["\x00", "\x07", "\x08", "\t", "\n", "\r", "\x1b", "\x7f", "\x80", "\x9b", "\x9f"];
  const hidden = ["\u061c", "\u200b", "\u200e", "\u2028", "\u202e", "\u2066", "\ufeff", "\ud800"];
  for (const character of [...hostile, ...hidden]) {
    assert.match(printable(`a${character}b`), /^a\\(x[0-9a-f]{2}|u[0-9a-f]{4})b$/);
  }
});

Deno.test("letters of every script, signs and emoji stay as they are", () => {
  for (const text of ["plain ~!", "Grüße", "日本語", "👍🏽", "עברית", "\u00a0"]) assert.equal(printable(text), text);
});

Deno.test("JSON made harmless means the same", () => {
  const json = '{"a\u202e":\r\n\t"\u009b\u007f\u2028"}';
  const safe = printableJson(json);
  assert.equal(printable(safe), safe);
  assert.deepEqual(JSON.parse(safe), JSON.parse(json));
});
