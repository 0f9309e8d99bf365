import assert from "node:assert/strict";
import { verdictOf } from "../../src/send/verdict.ts";
import { chunk, reply } from "./lines.ts";

const objects = chunk(["1", "2", "3"]);
const texts = chunk(["1", "2", "3"], "lines");

Deno.test("M6 what an answer means for the lines that were sent", () => {
  for (const status of [200, 202, 204]) assert.deepEqual(verdictOf(reply(status), objects), { kind: "taken" });
  const later = { kind: "later", pauseMs: 0, why: "w", away: true } as const;
  assert.deepEqual(verdictOf(reply(503, { detail: "w", retryable: true }, "2"), objects), { ...later, pauseMs: 2000 });
  assert.deepEqual(verdictOf(reply(500, { detail: "w" }), objects), later);
  assert.deepEqual(verdictOf(reply(429, { detail: "w" }, "7"), objects), { ...later, pauseMs: 7000, away: false });
  assert.deepEqual(verdictOf(reply(409, { detail: "w" }), objects), { ...later, away: false });
  assert.deepEqual(verdictOf(reply(400, { detail: "w", line: 2 }), objects), { kind: "bad", index: 1, why: "w" });
  assert.deepEqual(verdictOf(reply(413, { detail: "w", line: 3 }), texts), { kind: "bad", index: 2, why: "w" });
  assert.deepEqual(verdictOf(reply(413, { detail: "w" }), texts), { kind: "split", why: "w" });
  assert.deepEqual(verdictOf(reply(413, { detail: "w" }), chunk(["1"], "lines")), { kind: "bad", index: 0, why: "w" });
  assert.deepEqual(verdictOf(reply(401, { detail: "w" }), objects), { kind: "refused", status: 401, why: "w" });
});

Deno.test("what is wrong with every line of text is no fault of the first", () => {
  const missing = reply(400, { detail: 'Field "topic" is missing', field: "topic", line: 1 });
  assert.equal(verdictOf(missing, texts).kind, "refused");
  assert.equal(verdictOf(missing, objects).kind, "bad");
});

Deno.test("an answer from something else than the server is understood by its status", () => {
  const page = (status: number, retryAfter?: string) => ({ status, retryAfter, text: "<html>" });
  assert.deepEqual(verdictOf(page(502, "Fri, 31 Dec 1999 23:59:59 GMT"), objects), {
    ...{ kind: "later", pauseMs: 0, why: "it answered 502", away: true },
  });
  assert.deepEqual(verdictOf(page(404), objects), { kind: "refused", status: 404, why: "it answered 404" });
  for (const line of [0, -1, 99, "2", 1.5]) assert.equal(verdictOf(reply(400, { line }), objects).kind, "refused");
  assert.equal(verdictOf(page(429, "999999999"), objects).kind, "later");
});
