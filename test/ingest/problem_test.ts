import assert from "node:assert";
import { problemAnswer, quoted } from "../../src/ingest/problem.ts";

Deno.test("M1.10 a problem is problem+json that says what to do", () => {
  const { status, headers, body } = problemAnswer({ code: "bad-message", detail: "d", line: 3, field: "topic" });
  assert.equal(status, 400);
  assert.deepEqual(headers, { "content-type": "application/problem+json", "cache-control": "no-store" });
  assert.deepEqual(JSON.parse(body as string), {
    type: "/errors/bad-message",
    title: "The message cannot be taken",
    status: 400,
    detail: "d",
    line: 3,
    field: "topic",
    retryable: false,
  });
});

Deno.test("P4 who may come again is told when", () => {
  const { status, headers, body } = problemAnswer({ code: "disk-full", detail: "d", outcome: "unknown" });
  assert.equal(status, 503);
  assert.equal(headers["retry-after"], "1");
  const { retryable, outcome } = JSON.parse(body as string);
  assert.deepEqual([retryable, outcome], [true, "unknown"]);
});

Deno.test("a sender's text is quoted in printable letters, a hundred at most", () => {
  assert.equal(quoted("a b"), '"a b"');
  assert.equal(quoted('"\\'), '"\\"\\\\"');
  assert.equal(quoted("\x1b[31m\r\n\0\x7f\u202eé"), '"\\u001b[31m\\u000d\\u000a\\u0000\\u007f\\u202e\\u00e9"');
  for (const unit of ["x", "\0", '"', "😀"]) {
    const shown = quoted(unit.repeat(500));
    assert.ok(shown.length <= 100 && shown.endsWith('…"'), shown);
  }
});
