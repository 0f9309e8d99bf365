import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { NewKey } from "../../src/access/key.ts";
import { storeKeys } from "../../src/access/key_file.ts";
import { Usage } from "../../src/access/usage.ts";
import type { Config } from "../../src/config/keys.ts";
import { sections } from "../../src/config/keys.ts";
import { defaults } from "../../src/config/options.ts";
import { openGate } from "../../src/ingest/gate.ts";
import { LogFull } from "../../src/log/mod.ts";
import { dir, make, worldWith } from "../access/keys.ts";
import { openNode, problemIn, request } from "./fakes.ts";

function open(settings: Partial<Config["http"]>, ...keys: readonly NewKey[]) {
  const http = { ...defaults(sections.http), ...settings };
  const world = worldWith(...keys.map(({ key }) => key));
  const reports: string[] = [];
  const gate = openGate(http, { world, dir, report: (text) => reports.push(text) });
  const stop = new AbortController();
  void gate?.keepUp(stop.signal);
  return { ...openNode(http, [], { gate }), world, gate, reports };
}

const bearer = ({ shown }: NewKey) => ({ authorization: `Bearer ${shown}` });
const lines = { "content-type": "application/x-ndjson" };

Deno.test("M1.10 where nothing is configured there is no gate", () => {
  assert.equal(open({}).gate, undefined);
});

Deno.test("M1.10 with keys, who shows none is 401, told how, and nothing is kept", async () => {
  const { log, table, ask } = open({ keys: true }, make());
  for (const asked of [{}, { body: "{}" }, { headers: { "content-type": "text/plain" }, body: "a" }]) {
    const answer = await ask("/log?topic=t", asked);
    assert.equal(answer.headers["www-authenticate"], 'Bearer realm="sparkngin", Basic realm="sparkngin"');
    const { status, type, detail, retryable } = problemIn(answer);
    assert.deepEqual([status, type, retryable], [401, "/errors/unauthorized", false]);
    assert.match(detail as string, /send it as "Authorization: Bearer KEY"/);
  }
  assert.equal(log.entries.length, 0);
  assert.deepEqual([table.get("requests"), table.get("refused"), table.get("denied")], [3, 3, 3]);
});

Deno.test("M1.10 a key opens as bearer token and as password of Basic; a wrong one is 401", async () => {
  const key = make();
  const { ask } = open({ keys: true }, key, make());
  const basic = (password: string) => ({ authorization: `Basic ${Buffer.from(`u:${password}`).toString("base64")}` });
  for (const headers of [bearer(key), basic(key.shown)]) {
    assert.equal((await ask("/log?topic=t", { headers })).status, 204);
    assert.equal((await ask("/log?topic=t", { headers, body: "{}" })).status, 204);
  }
  const wrong = [bearer(make()), basic("x"), { authorization: "Digest x" }, { authorization: key.shown }];
  for (const headers of wrong) assert.equal((await ask("/log?topic=t", { headers })).status, 401);
  const digest = await ask("/log?topic=t", { headers: { authorization: "Digest x" } });
  assert.match(problemIn(digest).detail as string, /no key in the Authorization header: write "Bearer KEY"/);
  const answer = await ask("/log?topic=t", { headers: bearer(make()) });
  assert.match(answer.headers["www-authenticate"]!, /error="invalid_token"/);
});

Deno.test("M1.10 a key in its header is none in the query, although both lie in one buffer", async () => {
  const key = make();
  const { handle, log } = open({ keys: true }, key);
  const sent = request("/log?topic=t", { headers: bearer(key) });
  const bytes = Buffer.from(`GET /log?topic=t HTTP/1.1\r\nauthorization: Bearer ${key.shown}\r\n\r\n`);
  const answer = handle({ ...sent, target: { bytes, from: 4, to: 16 } });
  log.commit();
  assert.equal((await answer).status, 204);
});

Deno.test("M1.10 several keys are good at a time, and changes need no restart", async () => {
  const [old, next] = [make({ name: "shop" }), make({ name: "shop" })];
  const { ask, world } = open({ keys: true }, old);
  const statuses = async () => {
    const answers = [
      await ask("/log?topic=t", { headers: bearer(old) }),
      await ask("/log?topic=t", { headers: bearer(next) }),
    ];
    return answers.map(({ status }) => status);
  };
  assert.deepEqual(await statuses(), [204, 401]);
  storeKeys(world.files, dir, [old.key, next.key]);
  await world.run(1001);
  assert.deepEqual(await statuses(), [204, 204]);
  storeKeys(world.files, dir, [next.key]);
  await world.run(1001);
  assert.deepEqual(await statuses(), [401, 204]);
});

Deno.test("M1.10 a secret key in a query is refused and told why, under whatever name it comes", async () => {
  const key = make();
  const { log, ask } = open({ keys: true }, key);
  for (
    const query of [
      `key_id=${key.shown}`,
      `api_key=${key.shown}`,
      `x=1&a=b${key.shown}`,
      `a=sng_&b=${key.shown}&c=sng_`,
    ]
  ) {
    for (const headers of [{}, bearer(key)]) {
      const answer = await ask(`/log?topic=t&${query}`, { headers });
      assert.equal(answer.status, 401);
      assert.match(problemIn(answer).detail as string, /ends up in logs.*revoke it/);
      assert.ok(!(answer.body as string).includes(key.shown));
    }
  }
  assert.match(problemIn(await ask(`/log?${key.shown}`)).detail as string, /ends up in logs/);
  assert.equal(log.entries.length, 0);
  assert.equal((await ask("/log?topic=t&note=sng_", { headers: bearer(key) })).status, 204);
});

Deno.test("M1.10 a key writes to the topics of its scopes, else 403 names the one that lacks", async () => {
  const key = make({ scopes: ["write:web.*", "read"] });
  const { log, ask } = open({ keys: true }, key);
  const headers = bearer(key);
  assert.equal((await ask("/log?topic=web.shop", { headers })).status, 204);
  const answer = await ask("/log?topic=app", { headers });
  const { status, type, detail, field } = problemIn(answer);
  assert.deepEqual([status, type, field], [403, "/errors/forbidden", "topic"]);
  assert.equal(detail, `Key ${key.key.id} lacks the scope "write:app": it has write:web.*, read`);
  assert.match(answer.headers["www-authenticate"]!, /error="insufficient_scope", scope="write:app"/);
  const batch = await ask("/log", {
    headers: { ...headers, ...lines },
    body: '{"topic":"web.a"}\n{"topic":"app"}\n{"topic":"web.b"}',
  });
  assert.deepEqual([batch.status, problemIn(batch).line], [403, 2]);
  assert.equal(log.position, 1);
});

Deno.test("M1.10 a key that may not write, and one that may not read, are told so", async () => {
  const [reader, writer, admin] = [make({ scopes: ["read"] }), make(), make({ scopes: ["admin"] })];
  const { ask, table } = open({ keys: true }, reader, writer, admin);
  const statusOf = async (path: string, key: NewKey) => (await ask(path, { headers: bearer(key) })).status;
  assert.deepEqual(await Promise.all([reader, writer, admin].map((key) => statusOf("/log?topic=t", key))), [
    403,
    204,
    403,
  ]);
  assert.deepEqual(await Promise.all([reader, writer, admin].map((key) => statusOf("/status", key))), [200, 403, 200]);
  assert.equal((await ask("/stat")).status, 401);
  assert.equal(table.get("denied"), 4);
});

Deno.test("M1.10 heartbeat, liveness, readiness and OPTIONS ask for no key", async () => {
  const { ask } = open({ keys: true, rate_per_address: 1 });
  for (const path of ["/imok", "/livez", "/readyz", "/"]) {
    for (let i = 0; i < 3; i++) assert.equal((await ask(path)).status, 200, path);
  }
  assert.equal((await ask("/log", { method: "OPTIONS" })).status, 204);
});

Deno.test("M1.6 M1.10 a pixel key stands in the query, writes to its topics, and is not kept", async () => {
  const pixel = make({ pixel: true, scopes: ["write:web.*"] });
  const { log, table, ask } = open({ keys: true }, pixel);
  const targets = ["/log.gif?topic=web.a&", "/tracker/web.b/site?", "/log?topic=web.c&"];
  for (const target of targets) assert.ok((await ask(`${target}key_id=${pixel.shown}&n=1`)).status < 300, target);
  assert.equal((await ask(`/log?topic=web.d&key_id=${pixel.shown}`, { body: '{"data":1}' })).status, 204);
  assert.deepEqual(log.messages.map(({ topic }) => topic), ["web.a", "web.b", "web.c", "web.d"]);
  assert.ok(!log.entries.some((entry) => Buffer.from(entry).includes("snp_")));
  assert.equal((await ask(`/log?topic=app&key_id=${pixel.shown}`)).status, 403);
  assert.equal((await ask(`/status?key_id=${pixel.shown}`)).status, 401);
  assert.equal((await ask(`/log?topic=web.a&key_id=snp_${"0".repeat(32)}`)).status, 401);
  assert.equal((await ask(`/log?topic=web.a&key_id=${pixel.shown}&key_id=x`)).status, 400);
  const before = log.position;
  assert.equal((await ask(`/log.gif?topic=app&key_id=${pixel.shown}`)).headers["content-type"], "image/gif");
  assert.equal((await ask("/log.gif?topic=web.a")).status, 200);
  assert.deepEqual([log.position, table.get("denied")], [before, 5]);
});

Deno.test("M1.10 without keys key_id means nothing, and is no data either", async () => {
  const { log, ask } = open({});
  assert.equal((await ask("/log?topic=t&key_id=x&a=1")).status, 204);
  assert.equal(Buffer.from(log.messages[0]!.data).toString(), '{"a":"1"}');
});

Deno.test("M1.8 M1.10 a key may ask for acknowledgements that the listener gives nobody else", async () => {
  const [plain, fast] = [make(), make({ ack: ["memory"] })];
  const { ask } = open({ keys: true }, plain, fast);
  const refused = await ask("/log?topic=t&ack=memory", { headers: bearer(plain) });
  assert.equal(refused.status, 400);
  assert.match(problemIn(refused).detail as string, /neither by this listener \(http\.ack\) nor by a key/);
  const taken = await ask("/log?topic=t&ack=memory", { headers: bearer(fast) });
  assert.deepEqual([taken.status, taken.headers["sparkngin-ack"]], [204, "memory"]);
  assert.equal((await ask("/log?topic=t&ack=delivered", { headers: bearer(fast) })).status, 400);
  const asHeader = { ...bearer(fast), "sparkngin-ack": "memory" };
  assert.equal((await ask("/log?topic=t", { headers: asHeader, body: "{}" })).headers["sparkngin-ack"], "memory");
});

Deno.test("M1.10 more requests a second than an address may send are 429, and told when to come again", async () => {
  const { log, table, ask, world } = open({ rate_per_address: 5 });
  const send = async (peer?: string) => await ask("/log?topic=t", peer === undefined ? {} : { peer });
  for (let i = 0; i < 5; i++) assert.equal((await send()).status, 204);
  const answer = await send();
  const { status, type, retryable } = problemIn(answer);
  assert.deepEqual([status, type, retryable], [429, "/errors/too-many-requests", true]);
  assert.equal(answer.headers["retry-after"], "1");
  assert.equal(answer.headers["ratelimit-policy"], '"address";q=5;w=1');
  assert.equal(answer.headers["ratelimit"], '"address";r=0;t=1');
  assert.deepEqual([log.position, table.get("limited"), table.get("refused"), table.get("requests")], [5, 1, 1, 6]);
  assert.equal((await send("192.0.2.8")).status, 204);
  await world.run(201);
  assert.equal((await send()).status, 204);
});

Deno.test("M1.10 an IPv6 /64 is one address, and behind a proxy it is the sender's that counts", async () => {
  const { ask } = open({ rate_per_address: 1, trusted_proxies: ["10.0.0.1"] });
  const statusOf = async (peer: string, forwarded?: string) => {
    const headers: Record<string, string> = forwarded === undefined ? {} : { "x-forwarded-for": forwarded };
    return (await ask("/log?topic=t", { peer, headers })).status;
  };
  assert.equal(await statusOf("2001:db8:0:1::1"), 204);
  assert.equal(await statusOf("2001:db8:0:1:ffff::2"), 429);
  assert.equal(await statusOf("2001:db8:0:2::1"), 204);
  assert.equal(await statusOf("10.0.0.1", "192.0.2.1"), 204);
  assert.equal(await statusOf("10.0.0.1", "192.0.2.2"), 204);
  assert.equal(await statusOf("10.0.0.1", "192.0.2.1"), 429);
  assert.equal(await statusOf("::ffff:192.0.2.2"), 429);
});

Deno.test("M1.10 a key goes by a rate of its own instead of its address's; wrong keys go by the address's", async () => {
  const [fast, plain] = [make({ rate: "3/s" }), make()];
  const { ask, world } = open({ keys: true, rate_per_address: 1 }, fast, plain);
  const statuses = async (headers: Record<string, string>, count: number) => {
    const all: number[] = [];
    for (let i = 0; i < count; i++) all.push((await ask("/log?topic=t", { headers })).status);
    return all;
  };
  assert.deepEqual(await statuses(bearer(fast), 4), [204, 204, 204, 429]);
  assert.deepEqual(await statuses(bearer(plain), 2), [204, 429]);
  await world.run(1001);
  assert.deepEqual(await statuses(bearer(make()), 2), [401, 429]);
  const answer = await ask("/log?topic=t", { headers: bearer(plain) });
  assert.equal(answer.headers["ratelimit-policy"], '"address";q=1;w=1');
});

Deno.test("M1.10 everybody shows the same pixel key, so there the address's rate holds as well", async () => {
  const pixel = make({ pixel: true, scopes: ["write:t"], rate: "100/s" });
  const { ask } = open({ keys: true, rate_per_address: 1 }, pixel);
  const target = `/log?topic=t&key_id=${pixel.shown}`;
  const statusOf = async (peer: string) => (await ask(target, { peer })).status;
  assert.deepEqual([await statusOf("192.0.2.1"), await statusOf("192.0.2.1"), await statusOf("192.0.2.2")], [
    204,
    429,
    204,
  ]);
});

Deno.test("M1.10 a key brings as many messages a day as its quota says; a batch passes whole or not at all", async () => {
  const key = make({ quota: "5/day" });
  const { log, ask, world, gate } = open({ keys: true }, key);
  const send = (count: number) =>
    ask("/log?topic=t", { headers: { ...bearer(key), ...lines }, body: '{"data":1}\n'.repeat(count) });
  assert.equal((await send(3)).status, 204);
  const over = await send(3);
  assert.equal(over.status, 429);
  assert.equal(over.headers["ratelimit-policy"], '"day";q=5;w=86400');
  assert.equal(over.headers["ratelimit"], '"day";r=2;t=43200');
  assert.equal(over.headers["retry-after"], "43200");
  assert.equal((await send(2)).status, 204);
  assert.equal((await ask("/log?topic=t", { headers: bearer(key) })).status, 429);
  assert.equal((await send(6)).status, 429);
  assert.match((await send(1)).headers["ratelimit"]!, /^"day";r=0;/);
  gate!.close();
  assert.equal(new Usage({ world, dir, report() {} }).of(key.key.id), 5);
  await world.run(13 * 3_600_000);
  assert.equal((await send(6)).status, 413);
  assert.equal((await send(5)).status, 204);
  assert.equal(log.position, 10);
});

Deno.test("M1.10 what the log refuses costs nothing of a quota", async () => {
  const key = make({ quota: "1/day" });
  const { log, ask } = open({ keys: true }, key);
  log.refusal = new LogFull("full");
  assert.equal((await ask("/log?topic=t", { headers: bearer(key) })).status, 503);
  log.refusal = undefined;
  assert.equal((await ask("/log?topic=t", { headers: bearer(key) })).status, 204);
  assert.equal((await ask("/log?topic=t", { headers: bearer(key) })).status, 429);
});

Deno.test("P21 M1.10 while the keys cannot be read a request is 503: its sender keeps it and comes again", async () => {
  const key = make();
  const world = worldWith(key.key);
  world.truncateFile(`${dir}/keys`, 20);
  const http = { ...defaults(sections.http), keys: true };
  const { ask, table } = openNode(http, [], { gate: openGate(http, { world, dir, report() {} }) });
  const answer = await ask("/log?topic=t", { headers: bearer(key) });
  const { status, type, retryable } = problemIn(answer);
  assert.deepEqual([status, type, retryable, answer.headers["retry-after"]], [
    503,
    "/errors/keys-unreadable",
    true,
    "1",
  ]);
  assert.deepEqual([table.get("unavailable"), table.get("refused")], [1, 0]);
  assert.equal((await ask("/readyz")).status, 503);
  assert.equal((await ask("/livez")).status, 200);
});

Deno.test("M1.10 the first page shows how to send a key", async () => {
  const { body } = await open({ keys: true }).ask("/");
  assert.equal((body as string).match(/curl -i -H "Authorization: Bearer \$KEY" 'http/g)?.length, 2);
});

Deno.test("M1.10 a node that asks for keys and has none says so at its start", () => {
  assert.match(open({ keys: true }).reports.join(), /there are no keys: .* until sparkngin key create has made one/);
  assert.deepEqual(open({ keys: true }, make()).reports, []);
});
