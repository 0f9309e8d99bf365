/** What is sent comes out of the files byte for byte, whatever it came as. One node serves all of these. */
import assert from "node:assert";
import { Buffer } from "node:buffer";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { Connection, getRequest } from "./connection.ts";
import { type Node, startNode } from "./node.ts";
import { arrived, outputFiles, readOutput } from "./output.ts";
import { eventually } from "./waiting.ts";

const config = `
[[destination]]
name = "out"
kind = "file"

[[destination]]
name = "raw"
kind = "file"
format = "raw"
suffix = ".log"
`;
let node: Node;

Deno.test.beforeAll(async () => {
  node = await startNode({ config });
});
Deno.test.afterAll(() => node[Symbol.asyncDispose]());

interface Post {
  readonly topic: string;
  readonly type?: string;
  readonly encoding?: string;
  readonly more?: string;
}

async function post(
  body: string | Uint8Array<ArrayBuffer>,
  { topic, type, encoding, more = "" }: Post,
): Promise<string> {
  const headers = { ...(type && { "content-type": type }), ...(encoding && { "content-encoding": encoding }) };
  const url = `http://${node.http}/log?topic=${topic}${more}`;
  // As bytes, because fetch calls a string text/plain.
  const answer = await fetch(url, { method: "POST", body: Buffer.from(body), headers });
  const text = await answer.text();
  assert.ok(answer.ok, text);
  return text;
}

function out(topic: string, count: number) {
  return arrived(`${node.dir}/data/out`, topic, count);
}

/** What the destination of format raw holds of a topic once it has `bytes` bytes. */
function raw(topic: string, bytes: number): Promise<Buffer> {
  return eventually(`${bytes} raw bytes of ${topic}`, async () => {
    const files = await outputFiles(`${node.dir}/data/out-raw`, topic, [".log", ".log.open"]);
    const found = Buffer.concat(await Promise.all(files.map((file) => Deno.readFile(file))));
    return found.length >= bytes && found;
  });
}

/** Parsed and written again, each of these would become something else. */
const awkward = [
  '{"big":12345678901234567890,"huge":1e999,"one":1.0,"minus":-0}',
  '{ "a" : 1 ,\t"a":2, "b":[ ] , "":{} }',
  '"\\u0041\\ud83d\\ude00 \\/ ä€😀 \\u0000"',
  '{"__proto__":{"x":1},"constructor":null}',
  '[[[[1]]],null,true,false,""]',
  "null",
  "-1.5E+10",
];

Deno.test("M1: GET takes fields and data from the query, and answers that they are on disk", async () => {
  using connection = await Connection.open(node.http);
  const target =
    "/log?topic=get&env=prod&ver=2&type=click&level=warnning&key=k%20y&referrer=http%3A%2F%2Fx%2F&sts=1772366400000" +
    "&a=1&b=%C3%A4+%26&a=2";
  const reply = await connection.ask(getRequest(target));
  assert.equal(reply.status, 204);
  assert.equal(reply.headers.get("sparkngin-ack"), "disk");
  assert.equal(reply.headers.get("cache-control"), "no-store");
  const [message] = await out("get", 1);
  assert.equal(message!.data, '{"a":["1","2"],"b":"ä &"}');
  const { env, version, type, level, key, referrer, submitted_timestamp, ip, peer_ip } = message!.fields;
  assert.deepEqual({ env, version, type, level, key, referrer, submitted_timestamp, ip, peer_ip }, {
    env: "prod",
    version: "2",
    type: "click",
    level: "warning",
    key: "k y",
    referrer: "http://x/",
    submitted_timestamp: 1772366400000,
    ip: "127.0.0.1",
    peer_ip: "127.0.0.1",
  });
});

Deno.test("P3: the payload of a POSTed object is the bytes received", async () => {
  for (const data of awkward) await post(`{"topic":"object","data":${data},"level":"info"}`, { topic: "other" });
  const messages = await out("object", awkward.length);
  assert.deepEqual(messages.map(({ data }) => data), awkward);
});

Deno.test("P3 P6: an array gives its elements, verbatim and in order", async () => {
  const body = `[ ${awkward.map((data) => `{"data":${data}}`).join(" ,\n")} ]`;
  await post(body, { topic: "array", type: "application/json" });
  assert.deepEqual((await out("array", awkward.length)).map(({ data }) => data), awkward);
});

Deno.test("P3 P6: NDJSON gives its lines, verbatim and in order, whatever its line ends", async () => {
  const lines = awkward.map((data) => `{"data":${data}}`);
  await post(lines.join("\r\n"), { topic: "lines", type: "application/x-ndjson" });
  await post(`${lines.join("\n")}\n\n`, { topic: "lines", type: "application/x-ndjson" });
  assert.deepEqual((await out("lines", 2 * awkward.length)).map(({ data }) => data), [...awkward, ...awkward]);
});

Deno.test("M1: a bare JSON object is a message whose topic is in the query", async () => {
  const body = '{"user": "x", "n": 1.0}';
  await post(body, { topic: "bare" });
  assert.equal((await out("bare", 1))[0]!.data, body);
});

Deno.test("P3: text gives one message a line, its bytes as they were", async () => {
  const lines = ["plain", "\u001b[31mred\u0007", " tab\tand spaces ", "ä€😀"];
  await post(`${lines.join("\n")}\n`, { topic: "text", type: "text/plain; charset=utf-8" });
  const messages = await out("text", lines.length);
  assert.deepEqual(messages.map(({ fields }) => Buffer.from(String(fields.data_base64), "base64").toString()), lines);
  const whole = Buffer.from(`${lines.join("\n")}\n`);
  assert.ok((await raw("text", whole.length)).equals(whole));
});

Deno.test("P3: octets are one message, any bytes there are", async () => {
  const bytes = new Uint8Array(70_000).map((_, i) => (i * 31 + (i >> 8)) & 255);
  await post(bytes, { topic: "octets", type: "application/octet-stream" });
  const [message] = await out("octets", 1);
  assert.ok(Buffer.from(String(message!.fields.data_base64), "base64").equals(bytes));
  assert.ok((await raw("octets", bytes.length + 1)).subarray(0, -1).equals(bytes));
});

Deno.test("P3: packed bodies give what was packed", async () => {
  const body = Buffer.from(awkward.map((data) => `{"data":${data}}\n`).join("").repeat(200));
  const type = "application/x-ndjson";
  await post(new Uint8Array(gzipSync(body)), { topic: "packed", type, encoding: "gzip" });
  await post(new Uint8Array(zstdCompressSync(body)), { topic: "packed", type, encoding: "zstd" });
  const messages = await out("packed", 400 * awkward.length);
  assert.deepEqual(messages.map(({ data }) => data), Array(400).fill(awkward).flat());
});

Deno.test("M1: a message of 800 KB arrives whole", async () => {
  const data = JSON.stringify("x".repeat(800_000));
  await post(`{"data":${data}}`, { topic: "large" });
  assert.equal((await out("large", 1))[0]!.data, data);
});

Deno.test("P7: receipt=1 tells the ids that the messages go by, the client's own among them", async () => {
  const body = '[{"data":1},{"id":"mine-1","data":2},{"data":3}]';
  const { ids, ack } = JSON.parse(await post(body, { topic: "receipt", more: "&receipt=1" }));
  assert.equal(ack, "disk");
  assert.equal(ids[1], "mine-1");
  assert.match(ids[0], /^[0-9a-f]{16}-\d+-\d+$/);
  assert.deepEqual((await out("receipt", 3)).map(({ id }) => id), ids);
});

Deno.test("P4: a request is all or nothing, and the answer names the first bad line and its field", async () => {
  const lines = ['{"topic":"whole","data":1}', '{"topic":"whole","data":2}', '{"topic":"no/such","data":3}', "{"];
  const answer = await fetch(`http://${node.http}/log`, { method: "POST", body: Buffer.from(lines.join("\n")) });
  assert.equal(answer.status, 400);
  assert.equal(answer.headers.get("content-type"), "application/problem+json");
  const { type, status, line, field, retryable, title, detail } = await answer.json();
  assert.deepEqual({ type, status, line, field, retryable }, {
    type: "/errors/bad-message",
    status: 400,
    line: 3,
    field: "topic",
    retryable: false,
  });
  assert.ok(title.length > 0 && detail.length > 0);
  await post('{"data":4}', { topic: "whole" });
  await out("whole", 1);
  assert.deepEqual((await readOutput(`${node.dir}/data/out`, "whole")).map(({ data }) => data), ["4"]);
});

Deno.test("P6: requests that come down one pipeline are answered, and kept, in their order", async () => {
  using connection = await Connection.open(node.http);
  const count = 200;
  await connection.send(Array.from({ length: count }, (_, i) => getRequest(`/log?topic=pipe&n=${i}`)).join(""));
  for (let i = 0; i < count; i++) assert.equal((await connection.reply()).status, 204);
  const messages = await out("pipe", count);
  assert.deepEqual(messages.map(({ data }) => data), Array.from({ length: count }, (_, i) => `{"n":"${i}"}`));
});

Deno.test("M1: the pixel and the tracker answer an image, and keep what they were told", async () => {
  const answers = [
    await fetch(`http://${node.http}/log.gif?topic=pixel&page=1`),
    await fetch(`http://${node.http}/tracker/pixel/my-site?page=2`),
    await fetch(`http://${node.http}/log?topic=pixel&page=3`, { headers: { accept: "image/webp,*/*" } }),
  ];
  for (const answer of answers) {
    assert.equal(answer.headers.get("content-type"), "image/gif");
    assert.equal(new TextDecoder("latin1").decode(await answer.bytes()).slice(0, 6), "GIF89a");
  }
  const messages = await out("pixel", 3);
  assert.deepEqual(messages.map(({ data }) => data), ['{"page":"1"}', '{"site":"my-site","page":"2"}', '{"page":"3"}']);
});

Deno.test("M1: HEAD keeps nothing", async () => {
  for (const path of ["/log?topic=head", "/log.gif?topic=head", "/status", "/imok"]) {
    const answer = await fetch(`http://${node.http}${path}`, { method: "HEAD" });
    assert.ok(answer.ok, path);
  }
  await post('{"data":1}', { topic: "head" });
  assert.equal((await out("head", 1)).length, 1);
});
