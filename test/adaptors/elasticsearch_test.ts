/** The Elasticsearch adaptor against real nodes of Elasticsearch and OpenSearch. One of each serves most tests. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import elasticsearch from "../../adaptors/elasticsearch/mod.ts";
import { defaults, type Options } from "../../src/config/options.ts";
import type { Adaptor, Delivery, Result } from "../../src/deliver/adaptor.ts";
import type { Position } from "../../src/log/mod.ts";
import { formatter } from "../../src/message/format.ts";
import type { Message } from "../../src/message/message.ts";
import { realWorld } from "../../src/os/deno.ts";
import { Between, type Elastic, missing, type Product, products, startElastic } from "../services/elasticsearch.ts";
import { makeCertificates } from "../services/certificates.ts";
import { type Answer, type Got, startReceiver } from "../services/receiver.ts";
import { examine, type Examinee, never } from "./contract.ts";

type ElasticOptions = Options<typeof elasticsearch.options>;

const world = realWorld();
const needs = missing();
const running = new Map<Product, Promise<Elastic>>();

Deno.test.afterAll(async () => {
  for (const elastic of running.values()) await (await elastic).stop();
});

/** Started by the first who asks. */
function node(product: Product): Promise<Elastic> {
  const known = running.get(product);
  if (known) return known;
  const started = startElastic(product, { settings: { "action.auto_create_index": "-missing*,+*" } });
  running.set(product, started);
  return started;
}

function open(options: Partial<ElasticOptions>, signal = never()): Promise<Adaptor> {
  const place = {
    destination: "es",
    dir: "/nonexistent",
    world,
    position: 0 as Position,
    generation: 1,
    notice() {},
  };
  return elasticsearch.open({ ...defaults(elasticsearch.options), ...options }, place, signal);
}

let indexes = 0;

for (const product of products) {
  examine(product, elasticsearch, () => begin(product), needs === undefined ? {} : { needs });
}

async function begin(product: Product): Promise<Examinee> {
  const elastic = await node(product);
  const between = await Between.begin(elastic.url);
  const index = `exam-${indexes++}`;
  await elastic.createIndex(index);
  return {
    topic: index,
    open(_, signal) {
      between.harm = undefined;
      return open({ nodes: [between.url], index: "%topic%", timeout: 8000 }, signal);
    },
    bodies: async () => (await elastic.read(index)).map(({ source }) => bodyOf(source)),
    ids: async () => (await elastic.read(index)).map(({ id }) => id),
    // Not once: over a kept connection that breaks a request is sent again at once.
    breakMidBatch: () => void (between.harm = { cutAfter: 500 }),
    loseAnswer: () => void (between.harm = "no answer"),
    fallSilent: () => void (between.harm = "silence"),
    leave: () => between.end(),
  };
}

function bodyOf({ message, data_base64 }: Record<string, any>): Uint8Array {
  return message === undefined ? Buffer.from(data_base64, "base64") : Buffer.from(message);
}

function fact(name: string, run: (elastic: Elastic) => Promise<void>): void {
  for (const product of products) {
    const text = `${product}: ${name}${needs === undefined ? "" : ` (needs ${needs})`}`;
    Deno.test({ name: text, ignore: needs !== undefined, fn: async () => await run(await node(product)) });
  }
}

const json = formatter("json");
const arrival = Date.UTC(2026, 2, 1, 12, 30);

function messages(count: number, one: (n: number) => Partial<Message> & { json?: string } = () => ({})): Delivery[] {
  return Array.from({ length: count }, (_, n) => {
    const { json: given = `{"n":${n}}`, ...more } = one(n);
    const message: Message = {
      ...{ topic: "t", timestamp: arrival, data: Buffer.from(given), dataIsJson: true },
      ...more,
    };
    const id = `9f3c01aa27de4410-1-${n}`;
    return { id, position: n as Position, message, body: Buffer.from(json(message, id)) };
  });
}

async function send(options: Partial<ElasticOptions>, batch: readonly Delivery[]): Promise<Result> {
  const adaptor = await open(options);
  try {
    return await adaptor.send(batch, never());
  } finally {
    await adaptor.close();
  }
}

fact("P7 a batch sent again adds nothing: what is there under its id counts as taken", async (elastic) => {
  await elastic.createIndex("again");
  const batch = messages(50);
  for (let times = 0; times < 2; times++) {
    const { refused, again } = await send({ nodes: [elastic.url], index: "again" }, batch);
    assert.deepEqual([refused, again], [[], []]);
  }
  assert.deepEqual((await elastic.read("again")).map(({ id }) => id), batch.map(({ id }) => id));
});

fact("P15 what does not fit the mapping is refused with the reason, its neighbours are taken", async (elastic) => {
  await elastic.createIndex("strict", { properties: { data: { properties: { n: { type: "long" } } } } });
  const batch = messages(20, (n) => n % 7 === 3 ? { json: `{"n":"no number ${n}"}` } : {});
  const { refused, again } = await send({ nodes: [elastic.url], index: "strict", compression: "gzip" }, batch);
  assert.deepEqual(refused.map(({ delivery }) => delivery.position), [3, 10, 17]);
  assert.match(refused[0]!.reason, /^400 mapper_parsing_exception: failed to parse field \[data\.n\]/);
  assert.deepEqual([again, await elastic.count("strict")], [[], 17]);
});

fact("a JSON payload as a text is at odds with no mapping", async (elastic) => {
  await elastic.createIndex("texts");
  const batch = messages(3, (n) => ({ json: ['{"a":1}', "[1,\n2]", '"x"'][n]! }));
  const { refused } = await send({ nodes: [elastic.url], index: "texts", data: "text" }, batch);
  assert.deepEqual(refused, []);
  assert.deepEqual((await elastic.read("texts")).map(({ source }) => source.data_text), ['{"a":1}', "[1,\n2]", '"x"']);
});

fact("an index that is not there and is not made waits alone, and says so", async (elastic) => {
  const batch = messages(10, (n) => ({ topic: n % 2 ? "missing-one" : "made" }));
  const adaptor = await open({ nodes: [elastic.url], index: "%topic%" });
  const { refused, again, stalled, trouble } = await adaptor.send(batch, never());
  assert.deepEqual([refused, again, stalled], [[], batch.filter((_, n) => n % 2 === 1), ["missing-one"]]);
  assert.match(trouble!, /^index "missing-one": 404 index_not_found_exception: .*auto_create_index/);
  await elastic.createIndex("missing-one");
  assert.deepEqual((await adaptor.send(again, never())).again, []);
  await adaptor.close();
  assert.deepEqual([await elastic.count("made"), await elastic.count("missing-one")], [5, 5]);
});

fact(
  "P15 an index that may only be read (a full disk makes it so) waits, and goes on when it may be written",
  async (elastic) => {
    await elastic.createIndex("blocked");
    const blocks = (on: boolean) =>
      elastic.must("PUT", "/blocked/_settings", { "index.blocks.read_only_allow_delete": on || null });
    await blocks(true);
    const adaptor = await open({ nodes: [elastic.url], index: "blocked" });
    const batch = messages(10);
    const { refused, again, trouble } = await adaptor.send(batch, never());
    assert.deepEqual([refused, again], [[], batch]);
    assert.match(trouble!, /cluster_block_exception/);
    await blocks(false);
    assert.deepEqual((await adaptor.send(again, never())).again, []);
    await adaptor.close();
    assert.equal(await elastic.count("blocked"), 10);
  },
);

fact("an index that is closed is no message's fault", async (elastic) => {
  await elastic.createIndex("closed");
  await elastic.must("POST", "/closed/_close");
  const { refused, again, trouble } = await send({ nodes: [elastic.url], index: "closed" }, messages(2));
  assert.deepEqual([refused.length, again.length], [0, 2]);
  assert.match(trouble!, /index_closed_exception/);
});

fact("hostile fields make no other index, and no other document", async (elastic) => {
  const hostile = [
    'x"},"_id":"other',
    '../../_all\n{"delete":{}}',
    "*,-a?b c#d",
    "ÄÖ€\u0000\u2028",
    "UPPER",
    "a".repeat(5000),
    "%topic%",
  ];
  const batch = messages(hostile.length, (n) => ({ topic: "Evil.Topic", env: hostile[n]!, level: hostile[n]! }));
  const { refused, again } = await send({ nodes: [elastic.url], index: "hostile-%topic%-%env%" }, batch);
  assert.deepEqual([refused.map(({ delivery }) => delivery.position), again], [[5], []]);
  assert.match(refused[0]!.reason, /is no name of an index: it is longer than 255 bytes/);
  const hits = await elastic.read("hostile-*");
  assert.equal(hits.length, hostile.length - 1);
  for (const { index, id, source } of hits) {
    assert.match(index, /^hostile-evil\.topic-[a-z0-9._-]+$/);
    const { message } = batch.find((one) => one.id === id)!;
    assert.deepEqual([source.env, source.level], [message.env, message.level]);
  }
});

fact(
  "a document has the fields of the message, its time, and its payload: as JSON, as a text, or in base64",
  async (elastic) => {
    await elastic.createIndex("plain");
    const bytes = [Buffer.from("a line\nand another\u2028"), Buffer.from([0xff, 0, 10])];
    const batch = messages(
      4,
      (n) =>
        n < 2 ? { json: ['{"a":\r\n{"b":123456789012}}', "null"][n]!, env: "e" } : {
          data: bytes[n - 2]!,
          dataIsJson: false,
        },
    );
    assert.deepEqual((await send({ nodes: [elastic.url], index: "plain" }, batch)).refused, []);
    const sources = (await elastic.read("plain")).map(({ source }) => source);
    assert.deepEqual(sources.map((source) => source["@timestamp"]), Array(4).fill("2026-03-01T12:30:00.000Z"));
    assert.deepEqual([sources[0]!.id, sources[0]!.topic, sources[0]!.env], [batch[0]!.id, "t", "e"]);
    assert.equal(sources[0]!.data.a.b, 123456789012);
    assert.deepEqual(sources.map(({ data, message, data_base64 }) => [typeof data, message, data_base64]), [
      ["object", undefined, undefined],
      ["object", undefined, undefined],
      ["undefined", "a line\nand another\u2028", undefined],
      ["undefined", undefined, bytes[1]!.toString("base64")],
    ]);
  },
);

fact("format raw makes of a payload that is an object the document itself", async (elastic) => {
  await elastic.createIndex("raw");
  const batch = messages(3, (n) => ({
    json: ['{"a":1}', '{"@timestamp":"2020-01-01T00:00:00Z","a":2}', "{ }"][n]!,
  })).map((one) => ({ ...one, body: one.message.data }));
  assert.deepEqual((await send({ nodes: [elastic.url], index: "raw" }, batch)).refused, []);
  assert.deepEqual((await elastic.read("raw")).map(({ source }) => source), [
    { "@timestamp": "2026-03-01T12:30:00.000Z", a: 1 },
    { "@timestamp": "2020-01-01T00:00:00Z", a: 2 },
    { "@timestamp": "2026-03-01T12:30:00.000Z" },
  ]);
});

fact("ecs writes the Elastic Common Schema, with the payload under sparkngin", async (elastic) => {
  await elastic.createIndex("ecs");
  const full: Partial<Message> = {
    ...{ env: "prod", version: "1.0", type: "click", level: "warning", key: "k", ip: "10.0.0.1", peerIp: "10.0.0.2" },
    ...{ referrer: "https://x.example/ä", userAgent: "curl/8", cookies: '{"sid":"1"}', submittedMs: arrival - 1000 },
    traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  };
  const batch = messages(3, (n) => [full, { ip: "10.0.0.0/24", data: Buffer.from("text"), dataIsJson: false }, {}][n]!);
  assert.deepEqual((await send({ nodes: [elastic.url], index: "ecs", ecs: true }, batch)).refused, []);
  const [first, second, third] = (await elastic.read("ecs")).map(({ source }) => source);
  assert.deepEqual(first, {
    "@timestamp": "2026-03-01T12:30:00.000Z",
    ecs: { version: "8.11" },
    event: { kind: "event", id: batch[0]!.id, sequence: 0, created: "2026-03-01T12:29:59.000Z" },
    labels: { topic: "t", env: "prod", version: "1.0", type: "click", key: "k", peer_ip: "10.0.0.2" },
    log: { level: "warning" },
    source: { ip: "10.0.0.1", address: "10.0.0.1" },
    url: { original: "https://x.example/ä" },
    http: { request: { referrer: "https://x.example/ä" } },
    user_agent: { original: "curl/8" },
    trace: { id: "0af7651916cd43dd8448eb211c80319c" },
    span: { id: "b7ad6b7169203331" },
    sparkngin: { cookies: { sid: "1" }, data: { n: 0 } },
  });
  assert.deepEqual([second!.message, second!.source, second!.sparkngin], ["text", { address: "10.0.0.0/24" }, {}]);
  assert.deepEqual(third!.sparkngin, { data: { n: 2 } });
});

fact("an index is named by the day of arrival", async (elastic) => {
  assert.deepEqual((await send({ nodes: [elastic.url], index: "day-%date%-%month%" }, messages(1))).refused, []);
  assert.equal(await elastic.count("day-2026.03.01-2026.03"), 1);
});

fact("of several nodes one that is gone is left out, and all arrives", async (elastic) => {
  await elastic.createIndex("several");
  const between = await Between.begin(elastic.url);
  const adaptor = await open({ nodes: ["http://127.0.0.1:1", between.url, elastic.url], index: "several" });
  const batch = messages(60);
  for (let at = 0; at < 60; at += 10) {
    if (at === 30) await between.end();
    assert.deepEqual((await adaptor.send(batch.slice(at, at + 10), never())).again, []);
  }
  await adaptor.close();
  assert.equal(await elastic.count("several"), 60);
});

fact("large batches go in several requests, whose size is limited", async (elastic) => {
  await elastic.createIndex("large", { enabled: false });
  const batch = messages(40, (n) => ({ json: JSON.stringify({ n, text: "x".repeat(n === 20 ? 600_000 : 50_000) }) }));
  const { refused, again } = await send({ nodes: [elastic.url], index: "large", request_max: 300_000 }, batch);
  assert.deepEqual([refused, again, await elastic.count("large")], [[], [], 40]);
});

Deno.test({
  name: `opensearch: a template makes a data stream, which takes what has a time${needs ? ` (needs ${needs})` : ""}`,
  ignore: needs !== undefined,
  async fn() {
    const elastic = await node("opensearch");
    await elastic.must("PUT", "/_index_template/logs", {
      index_patterns: ["logs-*-*"],
      data_stream: {},
      priority: 500,
    });
    const batch = messages(30, () => ({ topic: "Web", env: "Prod" }));
    for (let times = 0; times < 2; times++) {
      assert.deepEqual(await send({ nodes: [elastic.url] }, batch), { refused: [], again: [] });
    }
    assert.equal(await elastic.count("logs-web-prod"), 30);
    const { data_streams: streams } = await elastic.must("GET", "/_data_stream/logs-web-prod");
    assert.equal(streams[0].indices.length, 1);
  },
});

/** What a cluster says that takes everything. */
function takeAll({ method, text }: Got): Answer {
  if (method === "GET") return { status: 200, text: "{}" };
  const items = Array.from({ length: text.split("\n").length >> 1 }, () => ({ create: { status: 201 } }));
  return { status: 200, text: JSON.stringify({ items }) };
}

Deno.test("Elasticsearch: requests carry the login, the pipeline and the compression, and escape them", async () => {
  await using receiver = await startReceiver();
  receiver.answer = takeAll;
  const nodes = [receiver.url];
  await send({ nodes, username: "ü", password: "p:w", pipeline: "a/b&c=d", compression: "gzip" }, messages(3));
  const [hello, bulk] = receiver.all;
  assert.deepEqual([hello!.method, hello!.path], ["GET", "/in/"]);
  assert.match(bulk!.path, /^\/in\/_bulk\?filter_path=[^&]+&pipeline=a%2Fb%26c%3Dd$/);
  assert.equal(bulk!.headers.authorization, `Basic ${Buffer.from("ü:p:w").toString("base64")}`);
  assert.deepEqual([bulk!.headers["content-encoding"], bulk!.text.split("\n").length], ["gzip", 7]);
  await send({ nodes, api_key: "a2V5" }, messages(1));
  assert.equal(receiver.all.at(-1)!.headers.authorization, "ApiKey a2V5");
  await assert.rejects(open({ nodes, username: "a" }), /username and password need each other/);
  await assert.rejects(open({ nodes, api_key: "a\nb" }), /no header can hold/);
});

Deno.test("Elasticsearch P15: 413 halves the request until it fits; a document that alone is too large is refused", async () => {
  await using receiver = await startReceiver();
  receiver.answer = (got) => got.body.length > 1500 ? { status: 413, text: "too large" } : takeAll(got);
  const batch = messages(40, (n) => n === 13 ? { json: JSON.stringify("x".repeat(3000)) } : {});
  const { refused, again } = await send({ nodes: [receiver.url] }, batch);
  assert.deepEqual([refused.map(({ delivery }) => delivery.position), again], [[13], []]);
  assert.match(refused[0]!.reason, /answers 413 \(request_max is larger than http\.max_content_length\)/);
  const sent = receiver.taken.flatMap(({ text }) => text.match(/(?<="_id":")[^"]+/g) ?? []);
  assert.deepEqual(sent, batch.filter((_, n) => n !== 13).map(({ id }) => id));
});

Deno.test("Elasticsearch: 429 for a whole request waits as long as it says; 429 for a document brings that one again alone", async () => {
  await using receiver = await startReceiver();
  receiver.answer = (got) =>
    got.method === "GET" ? takeAll(got) : { status: 429, headers: { "retry-after": "7" }, text: "{}" };
  const batch = messages(10);
  const { refused, again, waitMs, trouble } = await send({ nodes: [receiver.url] }, batch);
  assert.deepEqual([refused, again, waitMs], [[], batch, 7000]);
  assert.match(trouble!, /answers 429 \(too many requests\)/);
  const error = { type: "es_rejected_execution_exception", reason: "queue" };
  receiver.answer = (got) => {
    const items = batch.map((_, n) => ({ create: n === 4 ? { status: 429, error } : { status: 201 } }));
    return got.method === "GET" ? takeAll(got) : { status: 200, text: JSON.stringify({ items }) };
  };
  assert.deepEqual((await send({ nodes: [receiver.url] }, batch)).again, [batch[4]]);
});

Deno.test("Elasticsearch: what is no answer to what was sent decides nothing, and is not believed", async () => {
  await using receiver = await startReceiver();
  const texts = ["", "<html>", '{"items":[]}', `{"items":[${"1,".repeat(1_000_000)}1]}`, " ".repeat(2_000_000)];
  const answers: Answer[] = [
    ...texts.map((text) => ({ status: 200, text })),
    { status: 302, headers: { location: "http://127.0.0.1:1/" }, text: "" },
    ...[204, 401, 403, 404, 500, 503].map((status) => ({ status, text: status === 204 ? "" : "\x1b[31m" })),
  ];
  for (const answer of answers) {
    receiver.answer = (got) => got.method === "GET" ? takeAll(got) : answer;
    const adaptor = await open({ nodes: [receiver.url] });
    const outcome = await adaptor.send(messages(3), never()).catch((problem: Error) => problem);
    if (outcome instanceof Error) assert.match(outcome.message, /^[\x20-\x7e]+$/, JSON.stringify(answer).slice(0, 80));
    else assert.deepEqual([outcome.refused, outcome.again.length], [[], 3]);
    await adaptor.close();
  }
  receiver.answer = () => ({ status: 401, text: "" });
  await assert.rejects(open({ nodes: [receiver.url] }), /check username and password, or api_key/);
});

Deno.test("Elasticsearch: TLS with an authority of one's own and a certificate to show; without them it says so", async (test) => {
  const openssl = new Deno.Command("openssl", { args: ["version"], stdout: "null", stderr: "null" });
  if (!(await openssl.output().then(() => true, () => false))) {
    return void await test.step({ name: "needs openssl", ignore: true, fn() {} });
  }
  const dir = await Deno.makeTempDir({ prefix: "sparkngin-test-" });
  try {
    const { ca, server, client } = await makeCertificates(dir);
    await using receiver = await startReceiver({ tls: { ...server, clientCA: ca } });
    receiver.answer = takeAll;
    const nodes = [receiver.url];
    const shown = { tls_ca: ca, tls_cert: client.cert, tls_key: client.key };
    assert.deepEqual(await send({ nodes, ...shown }, messages(2)), { refused: [], again: [] });
    await assert.rejects(open({ nodes }), /Cannot send to any node: https:\/\/localhost:\d+: .*certificate/i);
    await assert.rejects(open({ nodes, tls_ca: ca }), /Cannot send to any node/);
    await assert.rejects(open({ nodes: ["http://127.0.0.1:1"], tls_ca: ca }), /does not begin with https:/);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
