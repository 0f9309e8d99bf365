import assert from "node:assert/strict";
import { explain, explainItem, itemsIn, meaningOf, waitMsOf } from "../../../adaptors/elasticsearch/answer.ts";

const item = (status: number, type = "", reason = "") => ({ status, type, reason });

Deno.test("Elasticsearch P7: created, and there already, is taken", () => {
  assert.deepEqual([200, 201, 409].map((status) => meaningOf(item(status))), ["taken", "taken", "taken"]);
});

Deno.test("Elasticsearch P15: what is about the document is bad, what is about the index, the rights or the load waits", () => {
  assert.equal(meaningOf(item(400, "mapper_parsing_exception", "failed to parse")), "bad");
  assert.equal(meaningOf(item(413)), "bad");
  for (const status of [401, 403, 404, 429, 500, 503, 302]) assert.equal(meaningOf(item(status)), "held", `${status}`);
  const ofTheIndex = [
    item(400, "index_closed_exception", "closed"),
    item(400, "validation_exception", "this cluster currently has [1000]/[1000] maximum normal shards open"),
    item(400, "illegal_argument_exception", "pipeline with id [p] does not exist"),
    item(400, "illegal_argument_exception", "no write index is defined for alias [a]"),
  ];
  for (const one of ofTheIndex) assert.equal(meaningOf(one), "held", one.reason);
});

Deno.test("Elasticsearch: an answer that cannot be understood, or is about other documents, is none", () => {
  const broken = ["", "<html>", "null", '{"items":1}', '{"items":[]}', '{"items":[{"index":{"status":201}}]}'];
  for (const text of [...broken, '{"items":[{"create":{"status":"201"}}]}', '{"items":[null]}']) {
    assert.throws(() => itemsIn(text, 1), /answer/, text);
  }
  const error = { type: "a", reason: "b", caused_by: { reason: "c" } };
  assert.deepEqual(itemsIn(JSON.stringify({ items: [{ create: { status: 400, error } }] }), 1), [
    item(400, "a", "b: c"),
  ]);
});

Deno.test("Elasticsearch: what an answer says is shown in plain ASCII, and short", () => {
  const hostile = `\x1b[31m\n"ä\u202e${"x".repeat(5000)}`;
  const answer = { status: 401, retryAfter: undefined, text: hostile };
  for (const text of [explainItem(item(400, hostile, hostile)), explain(answer, "http://es:9200")]) {
    assert.match(text, /^[\x20-\x7e…]+$/);
    assert.ok(text.length < 1200);
  }
  assert.match(
    explain(answer, "http://es:9200"),
    /^http:\/\/es:9200 answers 401 \(check username and password, or api_key\)/,
  );
  const known = { ...answer, text: '{"error":{"type":"security_exception","reason":"no\\nway"},"status":401}' };
  assert.match(explain(known, "o"), /: security_exception: no way$/);
});

Deno.test("Elasticsearch: Retry-After in seconds is heeded, anything else is not", () => {
  const wait = (retryAfter: string | undefined) => waitMsOf({ status: 429, text: "", retryAfter });
  assert.deepEqual([wait("7"), wait(undefined), wait("soon"), wait("-1")], [7000, undefined, undefined, undefined]);
});
