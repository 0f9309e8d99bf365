/** What is not taken is refused with a reason, nothing of it is kept, and the next good request is. One node serves all of these. */
import assert from "node:assert";
import { Buffer } from "node:buffer";
import { gzipSync } from "node:zlib";
import { Connection, Disconnected, getRequest, postRequest } from "./connection.ts";
import { type Node, startNode } from "./node.ts";
import { arrived } from "./output.ts";
import { within } from "./waiting.ts";

let node: Node;
let good = 0;

Deno.test.beforeAll(async () => {
  node = await startNode();
});
Deno.test.afterAll(() => node[Symbol.asyncDispose]());

/** The node takes a message, now as ever, and has kept nothing but these. */
async function assertStillTakes(): Promise<void> {
  const answer = await fetch(`http://${node.http}/log?topic=good&n=${++good}`);
  assert.equal(answer.status, 204);
  const messages = await arrived(`${node.dir}/data/out`, "good", good);
  assert.deepEqual(messages.map(({ data }) => data), Array.from({ length: good }, (_, i) => `{"n":"${i + 1}"}`));
}

interface Sent {
  readonly method?: string;
  readonly target?: string;
  readonly body?: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}
interface Refused {
  readonly status: number;
  readonly code: string;
  readonly field?: string;
  readonly line?: number;
}

/** What may be refused goes to topic "good", so that anything kept of it would be seen. */
function refuses(fact: string, sent: Sent, refused: Refused): void {
  Deno.test(`P4: ${fact} is refused with ${refused.status} ${refused.code}`, async () => {
    const { method = sent.body === undefined ? "GET" : "POST", target = "/log?topic=good", headers } = sent;
    const body = sent.body === undefined ? undefined : Buffer.from(sent.body as string);
    const answer = await fetch(`http://${node.http}${target}`, { method, body, headers });
    const text = await answer.text();
    assert.equal(answer.status, refused.status, text);
    assert.equal(answer.headers.get("content-type"), "application/problem+json");
    const { type, status, field, line, retryable } = JSON.parse(text);
    assert.deepEqual({ type, status, field, line, retryable }, {
      type: `/errors/${refused.code}`,
      status: refused.status,
      field: refused.field,
      line: refused.line,
      retryable: false,
    });
    await assertStillTakes();
  });
}

const bad = { status: 400, code: "bad-message" };
const unsupported = { status: 415, code: "unsupported-type" };
const large = { status: 413, code: "too-large" };
const ndjson = { "content-type": "application/x-ndjson" };

refuses("a message without a topic", { target: "/log?a=1" }, { ...bad, field: "topic" });
refuses("a topic that is a path", { target: "/log?topic=..%2Fgood" }, { ...bad, field: "topic" });
refuses('the topic ".."', { target: "/log?topic=.." }, { ...bad, field: "topic" });
refuses("a topic that comes twice", { target: "/log?topic=good&topic=other" }, { ...bad, field: "topic" });
refuses("a bad percent escape", { target: "/log?topic=good&a=%zz" }, { ...bad, field: "a" });
refuses("an escape that is no UTF-8", { target: "/log?topic=good&a=%ff" }, { ...bad, field: "a" });
refuses("a field only we may set", { target: "/log?topic=good&timestamp=1" }, { ...bad, field: "timestamp" });
refuses("an acknowledgement this listener does not give", { target: "/log?topic=good&ack=memory" }, {
  ...bad,
  field: "ack",
});
refuses("a field of 10 KB", { body: `{"env":"${"e".repeat(10_000)}","data":1}` }, { ...bad, field: "env" });
refuses("a target of 10 KB", { target: `/log?topic=good&a=${"a".repeat(10_000)}` }, { ...large, status: 414 });
refuses("a parameter beside a body", { target: "/log?topic=good&a=1", body: "{}" }, { ...bad, field: "a" });
refuses("an empty body", { body: "" }, bad);
refuses("an empty array", { body: "[]" }, bad);
refuses("a body that is no JSON", { body: "{'a':1}" }, bad);
refuses("JSON that ends early", { body: '{"data":{"a":[1,2' }, bad);
refuses("NDJSON that ends early", { body: '{"data":1}\n{"data":2}\n{"data":', headers: ndjson }, { ...bad, line: 3 });
refuses("two messages on a line", { body: '{"data":1}\n{"data":2} {"data":3}', headers: ndjson }, { ...bad, line: 2 });
refuses("an unknown member beside data", { body: '{"data":1,"dta":2}' }, { ...bad, field: "dta" });
refuses("a field that is an object", { body: '{"env":{},"data":1}' }, { ...bad, field: "env" });
refuses("JSON that is no UTF-8", { body: new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]) }, bad);
refuses("JSON deeper than 64", { body: `{"data":${"[".repeat(65)}${"]".repeat(65)}}` }, bad);
refuses("a body of an unknown type", { body: "<a/>", headers: { "content-type": "text/xml" } }, unsupported);
refuses("a body that says nothing of its type and is no JSON", { body: "hello" }, unsupported);
refuses(
  "another charset",
  { body: "{}", headers: { "content-type": "application/json; charset=utf-16" } },
  unsupported,
);
refuses("an unknown encoding", { body: "{}", headers: { "content-encoding": "br" } }, unsupported);
refuses("a body that is not packed as it says", { body: "{}", headers: { "content-encoding": "gzip" } }, {
  status: 400,
  code: "bad-request",
});
refuses("gzip that ends early", { body: gzipSync("{}").subarray(0, 15), headers: { "content-encoding": "gzip" } }, {
  status: 400,
  code: "bad-request",
});
refuses("a gzip bomb", { body: gzipSync(Buffer.alloc(100 << 20)), headers: { "content-encoding": "gzip" } }, large);
refuses("a body of 9 MB", { body: `{"data":"${"x".repeat(9_000_000)}"}` }, large);
refuses("a message of 1 MB", { body: `{"data":"${"x".repeat(1_000_000)}"}` }, large);
refuses("50 001 messages", { body: '{"data":1}\n'.repeat(50_001), headers: ndjson }, { ...large, line: 50_001 });
refuses("an unknown path", { target: "/no" }, { status: 404, code: "not-found" });
refuses("a path that climbs", { target: "/log/..%2f..%2fetc/passwd" }, { status: 404, code: "not-found" });
refuses("DELETE", { method: "DELETE" }, { status: 405, code: "method-not-allowed" });
refuses("PUT", { method: "PUT", body: "{}" }, { status: 405, code: "method-not-allowed" });
refuses("POST to what only tells", { target: "/status", body: "{}" }, { status: 405, code: "method-not-allowed" });

Deno.test("P4: 10 MB of [ are refused at once, and the node goes on", async () => {
  const begin = performance.now();
  using connection = await Connection.open(node.http);
  const status = await connection.ask(postRequest("/log?topic=good", "application/json", Buffer.alloc(10 << 20, "[")))
    .then(({ status }) => status, (problem) => {
      // The answer may come, and the connection end, before all of it is sent.
      if (problem instanceof Deno.errors.BrokenPipe || problem instanceof Deno.errors.ConnectionReset) return 413;
      throw problem;
    });
  assert.equal(status, 413);
  await assertStillTakes();
  const whole = Buffer.alloc(7 << 20, "[");
  const answer = await fetch(`http://${node.http}/log?topic=good`, { method: "POST", body: whole });
  assert.equal(answer.status, 400);
  await answer.body?.cancel();
  await assertStillTakes();
  assert.ok(performance.now() - begin < 30_000);
});

Deno.test("P4: a body whose sender goes away is not kept", async () => {
  const whole = postRequest("/log?topic=good", "application/x-ndjson", Buffer.from('{"data":1}\n{"data":2}\n'));
  for (const cut of [whole.length - 1, whole.length - 11]) {
    using connection = await Connection.open(node.http);
    await connection.send(whole.subarray(0, cut));
  }
  await assertStillTakes();
});

const begin = "POST /log?topic=good HTTP/1.1\r\nHost: x\r\n";
const chunked = `${begin}Transfer-Encoding: chunked\r\n\r\n`;

/** What no client sends: refused, with nothing kept. Each of these ends with a reply or a closed connection. */
const offences: Readonly<Record<string, string | Uint8Array>> = {
  "garbage": "\x00\x01\x02 what\r\n\r\n",
  "TLS on the plain port": new Uint8Array([0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3, ...new Uint8Array(200)]),
  "HTTP/0.9": "GET /log?topic=good\r\n\r\n",
  "two lengths": `${begin}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x`,
  "a signed length": `${begin}Content-Length: +2\r\n\r\n{}`,
  "a negative length": `${begin}Content-Length: -2\r\n\r\n{}`,
  "a length beyond 64 bits": `${begin}Content-Length: 99999999999999999999\r\n\r\n{}`,
  "both a length and chunks":
    `${begin}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /log?topic=good HTTP/1.1\r\nHost: x\r\n\r\n`,
  "two encodings": `${begin}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
  "a space before a colon": `${begin}Transfer-Encoding : chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
  "a chunk without a length": `${chunked}zz\r\n{}\r\n0\r\n\r\n`,
  "a chunk longer than it says": `${chunked}2\r\n{}XX0\r\n\r\n`,
  "chunks in HTTP/1.0": "POST /log?topic=good HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
  "a folded header": `${begin}X: a\r\n b\r\nContent-Length: 2\r\n\r\n{}`,
  "NUL in a header": `${begin}X: a\0b\r\nContent-Length: 2\r\n\r\n{}`,
  "a bare CR in a header": `${begin}X: a\rb\r\nContent-Length: 2\r\n\r\n{}`,
  "two hosts": `GET /log?topic=good HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n`,
  "a space in the target": getRequest("/log?topic=good&a=a b"),
  "NUL in the target": getRequest("/log?topic=good&a=\0"),
  "a target of 70 KB": getRequest(`/log?topic=good&a=${"a".repeat(70_000)}`),
  "a header of 600 KB": `GET /log?topic=good HTTP/1.1\r\nHost: x\r\nX: ${"a".repeat(600_000)}\r\n\r\n`,
  "500 headers": `GET /log?topic=good HTTP/1.1\r\nHost: x\r\n${"A: b\r\n".repeat(500)}\r\n`,
};

for (const [name, bytes] of Object.entries(offences)) {
  Deno.test(`P4: ${name} on the wire is refused, and nothing of it is kept`, async () => {
    using connection = await Connection.open(node.http);
    const status = await within(`an answer to ${name}`, connection.ask(bytes).then((reply) => reply.status, gone));
    assert.ok(status === undefined || (status >= 400 && status < 500) || status === 501, `${status}`);
    await assertStillTakes();
  });
}

/** A connection that the other end closes is an answer, too. */
function gone(problem: unknown): undefined {
  const closed = [Disconnected, Deno.errors.BrokenPipe, Deno.errors.ConnectionReset];
  if (!closed.some((kind) => problem instanceof kind)) throw problem;
}
