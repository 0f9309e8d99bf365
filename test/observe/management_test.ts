import assert from "node:assert/strict";
import { KeyRing } from "../../src/access/key_ring.ts";
import type { Order, Outcome, Standing } from "../../src/deliver/control.ts";
import type { LetterOrder } from "../../src/deliver/letter_order.ts";
import type { Position } from "../../src/log/mod.ts";
import { managementApp, type ManagementParts } from "../../src/observe/management.ts";
import type { TailFilter } from "../../src/observe/tail.ts";
import { dir, make, worldWith } from "../access/keys.ts";
import { SimClock } from "../sim/clock.ts";

function someParts(more: Partial<ManagementParts> = {}): ManagementParts {
  return {
    listen: "127.0.0.1:8081",
    clock: new SimClock(),
    status: () => ({ version: "0.1.0" }),
    metrics: () => "sparkngin_ready 1\n",
    ready: () => undefined,
    async *tail() {},
    order: () => Promise.resolve(undefined),
    reload: () => Promise.resolve({ at: 0, ok: true, text: "nothing has changed", needsRestart: [] }),
    letters: () => Promise.resolve(undefined),
    report: (problem) => assert.fail(problem as Error),
    ...more,
  };
}
function ask(path: string, more: Partial<ManagementParts> = {}, init: RequestInit = {}): Promise<Response> {
  return Promise.resolve(managementApp(someParts(more), new AbortController().signal).request(path, init));
}

Deno.test("/status is the status as JSON, never cached", async () => {
  const answer = await ask("/status");
  assert.deepEqual(await answer.json(), { version: "0.1.0" });
  assert.equal(answer.headers.get("cache-control"), "no-store, no-transform");
});

Deno.test("M7.4 /metrics is in the Prometheus text format", async () => {
  const answer = await ask("/metrics");
  assert.equal(answer.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  assert.equal(await answer.text(), "sparkngin_ready 1\n");
});

Deno.test("/livez is 200 although the node is not ready", async () => {
  assert.equal((await ask("/livez", { ready: () => "full: there is no room" })).status, 200);
});

Deno.test("P21 /readyz is 503 with the reason while requests would be turned away", async () => {
  assert.equal((await ask("/readyz")).status, 200);
  const answer = await ask("/readyz", { ready: () => "full: there is no room" });
  assert.equal(answer.status, 503);
  assert.equal(await answer.text(), "full: there is no room\n");
});

Deno.test("/ lists the endpoints, and each of them exists", async () => {
  const listed = [...(await (await ask("/")).text()).matchAll(/^GET (\/\w+)\b(?!\/)/gm)].map(([, path]) => path!);
  assert.deepEqual(listed, ["/status", "/metrics", "/livez", "/readyz", "/tail"]);
  for (const path of listed) assert.equal((await ask(path)).status, 200, path);
});

Deno.test("what is not there is a 404", async () => {
  assert.equal((await ask("/nothing")).status, 404);
});

Deno.test("M1.11 /tail gives what comes in, a line each, of the topics asked for", async () => {
  const filters: TailFilter[] = [];
  async function* tail(_: AbortSignal, filter: TailFilter): AsyncIterable<Uint8Array> {
    filters.push(filter);
    yield new TextEncoder().encode('{"id":"1"}');
  }
  const answer = await ask("/tail?topic=web.*", { tail });
  assert.equal(answer.headers.get("content-type"), "application/x-ndjson");
  assert.equal(await answer.text(), '{"id":"1"}\n');
  await (await ask("/tail?level=error&env=&type=a,b", { tail })).text();
  assert.deepEqual(filters, [{ topic: "web.*" }, { level: "error", type: "a,b" }]);
});

Deno.test("M1.11 a parameter that /tail or /status does not know is a 400 that names the nearest", async () => {
  const cases = {
    "/tail?topics=web.*": 'Unknown parameter "topics"; did you mean "topic"?',
    "/tail?topic=a&other=x": 'Unknown parameter "other"; known are "topic", "env", "level", "type"',
    "/tail?%1b%0d%0a=x": 'Unknown parameter "\\u001b\\r\\n"; known are "topic", "env", "level", "type"',
    "/status?destination=out": 'Unknown parameter "destination"; expected none',
  };
  for (const [path, detail] of Object.entries(cases)) {
    for (const method of ["GET", "HEAD"]) {
      const answer = await ask(path, { tail: () => assert.fail("no tail is opened") }, { method });
      assert.equal(answer.status, 400, path);
      assert.equal(answer.headers.get("content-type"), "application/problem+json");
      if (method === "GET") assert.deepEqual((await answer.json()).detail, detail);
    }
  }
});

Deno.test("M1.11 /tail gives server-sent events to who asks for them", async () => {
  async function* tail(): AsyncIterable<Uint8Array> {
    yield new TextEncoder().encode('{"id":"1"}');
  }
  const headers = { "Accept": "text/event-stream" };
  const answer = await ask("/tail", { tail }, { headers });
  assert.equal(answer.headers.get("content-type"), "text/event-stream");
  assert.equal(await answer.text(), 'data: {"id":"1"}\n\n');
});

Deno.test("so many tails may be open, no more, and one that ended makes room", async () => {
  const app = managementApp(someParts({ tail: untilAborted }), new AbortController().signal);
  const open: Response[] = [];
  for (let i = 0; i < 16; i++) open.push(await app.request("/tail"));
  assert.ok(open.every(({ status }) => status === 200));
  const refused = await app.request("/tail");
  assert.equal(refused.status, 503);
  assert.equal(refused.headers.get("retry-after"), "10");
  await open[0]!.body!.cancel();
  const again = await app.request("/tail");
  assert.equal(again.status, 200);
  for (const { body } of [...open.slice(1), again]) await body!.cancel();
});

Deno.test("a HEAD for the tail opens none", async () => {
  let opened = 0;
  // deno-lint-ignore require-yield
  async function* tail(): AsyncIterable<Uint8Array> {
    opened++;
  }
  assert.equal((await ask("/tail", { tail }, { method: "HEAD" })).status, 200);
  assert.equal(opened, 0);
});

Deno.test("a tail whose source breaks is reported", async () => {
  const reported: unknown[] = [];
  // deno-lint-ignore require-yield
  async function* tail(): AsyncIterable<Uint8Array> {
    throw new Error("the log is gone");
  }
  const answer = await ask("/tail", { tail, report: (problem) => reported.push(problem) });
  await assert.rejects(answer.text());
  assert.match(String(reported), /the log is gone/);
});

Deno.test("on loopback only loopback names are answered: DNS rebinding gets nothing", async () => {
  const status = async (host: string, listen = "127.0.0.1:8081") =>
    (await ask("/status", { listen }, { headers: { host } })).status;
  for (const host of ["127.0.0.1:8081", "localhost", "LocalHost:8081", "[::1]:8081", "127.0.0.2"]) {
    assert.equal(await status(host), 200, host);
  }
  for (const host of ["evil.com", "evil.com:8081", "localhost.evil.com", "10.0.0.1:8081", "", "a b", "[::1", "x@y"]) {
    assert.equal(await status(host), 421, host);
  }
  assert.equal(await status("collector.example.com", "0.0.0.0:8081"), 200);
});

const standing: Standing = {
  state: "paused",
  position: 7 as Position,
  pending: 3,
  generation: 1,
  start: 0 as Position,
  moved: 0,
};

async function post(path: string, body = "{}", { outcome = standing as Outcome, type = json } = {}) {
  const orders: [string, Order][] = [];
  const order = (name: string, order: Order) => {
    orders.push([name, order]);
    return Promise.resolve(outcome);
  };
  const answer = await ask(path, { order }, { method: "POST", body, headers: { "content-type": type } });
  return { status: answer.status, type: answer.headers.get("content-type"), body: await answer.text(), orders };
}
const json = "application/json";

Deno.test("M4 GET /destinations/NAME/dead streams the dead letters page by page, as they are read", async () => {
  const asked: LetterOrder[] = [];
  const letters: ManagementParts["letters"] = (name, order) => {
    asked.push(order);
    if (name !== "es") return Promise.resolve(undefined);
    const from = (order as { from: number }).from;
    const lines = new TextEncoder().encode(from === 2 ? "" : `{"position":${from}}\n`);
    return Promise.resolve({ lines, next: from < 3 ? from + 1 : undefined });
  };
  const answer = await ask("/destinations/es/dead?topic=web.*&since=2h", { letters });
  assert.equal(answer.headers.get("content-type"), "application/x-ndjson");
  assert.equal(await answer.text(), '{"position":0}\n{"position":1}\n{"position":3}\n');
  assert.deepEqual(asked[1], { do: "list", form: "heads", filter: { topic: "web.*", since: "2h" }, from: 1 });
  assert.equal((await ask("/destinations/bus/dead", { letters })).status, 404);
  assert.equal((await ask("/destinations/es/dead?form=xml", { letters })).status, 400);
  const breaks: ManagementParts["letters"] = (name, order) =>
    (order as { from: number }).from === 0
      ? letters(name, order)
      : Promise.resolve({ refused: "unavailable", why: "its thread does not answer" });
  const reports: unknown[] = [];
  const broken = await ask("/destinations/es/dead", { letters: breaks, report: (problem) => reports.push(problem) });
  await assert.rejects(broken.text());
  assert.equal(reports.length, 1);
});

Deno.test("M4 POST /destinations/NAME/dead/replay and purge give orders for those that are wanted, as JSON only", async () => {
  const asked: LetterOrder[] = [];
  const letters: ManagementParts["letters"] = (_name, order) => {
    asked.push(order);
    return Promise.resolve({ letters: 2, left: 5 });
  };
  const post = (what: string, body: string, type = "application/json") =>
    ask(`/destinations/es/dead/${what}`, { letters }, { method: "POST", body, headers: { "Content-Type": type } });
  const answer = await post("replay", '{"reason":"mapper","position":7}');
  assert.deepEqual([answer.status, await answer.json()], [200, { name: "es", letters: 2, left: 5 }]);
  assert.deepEqual(asked, [{ do: "replay", filter: { reason: "mapper", position: "7" } }]);
  assert.equal((await post("purge", "{}")).status, 200);
  assert.equal((await post("purge", '{"topics":"a"}')).status, 400);
  assert.equal((await post("purge", "[]")).status, 400);
  assert.equal((await post("purge", "{}", "text/plain")).status, 415);
  assert.equal((await post("bury", "{}")).status, 404);
  assert.equal(asked.length, 2);
});

Deno.test("M3.2 POST /destinations/NAME/… gives an order and answers how the destination stands", async () => {
  const { status, body, orders } = await post("/destinations/bus/pause");
  assert.deepEqual([status, JSON.parse(body)], [200, { name: "bus", ...standing }]);
  assert.deepEqual(orders, [["bus", { do: "pause" }]]);
  const given: [string, string, Order][] = [
    ["resume", "", { do: "resume" }],
    ["rewind", '{"to":"2h"}', { do: "rewind", to: "2h" }],
    ["skip", '{"to":102938}', { do: "skip", to: "102938" }],
  ];
  for (const [what, text, order] of given) {
    const path = `/destinations/a%20b/${what}`;
    assert.deepEqual((await post(path, text, { type: `${json}; charset=utf-8` })).orders, [["a b", order]]);
  }
});

Deno.test("an order that does not come as JSON is refused, because a form of any web page could send it", async () => {
  for (
    const type of ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonx"]
  ) {
    const { status, orders } = await post("/destinations/bus/pause", "{}", { type });
    assert.deepEqual([status, orders], [415, []], type);
  }
});

Deno.test("an order from a page whose name was made to point here is refused", async () => {
  const headers = { "content-type": json, host: "evil.com" };
  const answer = await ask("/destinations/bus/pause", {
    order: () => assert.fail("it was given"),
  }, { method: "POST", body: "{}", headers });
  assert.equal(answer.status, 421);
});

Deno.test("M3.2 an order that cannot be understood is a 400", async () => {
  const bad: [string, string][] = [
    ["rewind", "{}"],
    ["rewind", '{"to":1.5}'],
    ["rewind", '{"to":null}'],
    ["skip", '{"to":"now","more":1}'],
    ["pause", '{"to":"now"}'],
    ["pause", "[]"],
    ["pause", "{"],
    ["rewind", `{"to":"${"x".repeat(5000)}"}`],
  ];
  for (const [what, body] of bad) {
    const answer = await post(`/destinations/bus/${what}`, body);
    assert.deepEqual([answer.status, answer.type, answer.orders], [400, "application/problem+json", []], body);
  }
});

Deno.test("M3.2 a refusal is problem+json with the reason", async () => {
  const refused = { impossible: 409, bad: 400, unavailable: 503 } as const;
  for (const [how, status] of Object.entries(refused)) {
    const outcome = { refused: how as keyof typeof refused, why: "Because" };
    const answer = await post("/destinations/bus/rewind", '{"to":"1"}', { outcome });
    assert.deepEqual([answer.status, answer.type], [status, "application/problem+json"]);
    const { detail, retryable } = JSON.parse(answer.body);
    assert.deepEqual([detail, retryable], ["Because", how === "unavailable"]);
  }
});

Deno.test("M3.2 a destination or an order that there is not is a 404", async () => {
  const headers = { "content-type": json };
  assert.equal((await ask("/destinations/none/pause", {}, { method: "POST", body: "{}", headers })).status, 404);
  assert.equal((await post("/destinations/bus/explode")).status, 404);
});

Deno.test("an order by another method than POST, and a question by another than GET, is a 405 that says which", async () => {
  const mine = { reload: () => assert.fail("it was carried out") };
  const headers = { "content-type": json };
  const orders = ["/reload", "/destinations/bus/pause", "/destinations/bus/skip", "/destinations/bus/dead/purge"];
  for (const path of orders) {
    for (const method of ["GET", "HEAD", "PUT", "DELETE"]) {
      const answer = await ask(path, mine, { method, headers });
      assert.deepEqual([answer.status, answer.headers.get("allow")], [405, "POST"], `${method} ${path}`);
    }
  }
  for (const path of ["/", "/status", "/metrics", "/livez", "/readyz", "/tail", "/destinations/bus/dead"]) {
    const answer = await ask(path, mine, { method: "POST", headers, body: "{}" });
    assert.deepEqual([answer.status, answer.headers.get("allow")], [405, "GET, HEAD"], path);
    const { detail, type } = await answer.json();
    assert.deepEqual([detail, type], ["Ask with GET or HEAD", "/errors/method-not-allowed"]);
  }
  assert.equal((await ask("/destinations/bus/explode")).status, 404);
});

Deno.test("a field that an order does not know is refused with the nearest that it knows", async () => {
  const given: [string, string, RegExp][] = [
    ["rewind", '{"too":"2h"}', /^Unknown field "too" in rewind; did you mean "to"\?$/],
    ["skip", '{"to":"now","force":true}', /^Unknown field "force" in skip; known are "to"$/],
    ["pause", '{"to":"now"}', /^Unknown field "to" in pause; expected an empty body or \{\}$/],
    ["rewind", "{}", /^Expected \{"to": POSITION or TIME\}/],
    ["resume", "[]", /^Expected a JSON object as the body of resume$/],
    ["dead/purge", '{"topics":"web.*"}', /^Unknown field "topics" in purge; did you mean "topic"\?$/],
    ["dead/purge", '{"__proto__":1}', /^Unknown field "__proto__" in purge/],
    ["dead/replay", '{"topic":["a"]}', /^Expected a text as topic$/],
    ["dead/purge", "{", /^Expected a JSON object/],
    ["dead/purge", `{"reason":"${"x".repeat(5000)}"}`, /too long for purge$/],
    ["pause", JSON.stringify({ ["\n".repeat(500)]: 1 }), /^Unknown field "(\\n){60}…" in pause/],
  ];
  const letters = () => assert.fail("it was carried out");
  for (const [what, body, expected] of given) {
    const init = { method: "POST", headers: { "content-type": json }, body };
    const answer = await ask(`/destinations/bus/${what}`, { letters, order: letters }, init);
    assert.equal(answer.status, 400, body);
    assert.match((await answer.json()).detail, expected);
  }
});

Deno.test("what an order is to do is never taken from the query: a purge would take all", async () => {
  const letters = () => assert.fail("it was carried out");
  const parts = { letters, order: letters, reload: letters };
  const paths = ["/destinations/es/dead/purge?topic=web", "/destinations/es/pause?x", "/reload?dry_run=1"];
  for (const path of paths) {
    const answer = await ask(path, parts, { method: "POST", headers: { "content-type": json }, body: "{}" });
    assert.equal(answer.status, 400, path);
    assert.match(
      (await answer.json()).detail,
      /^Unknown parameter "\w+" in the query of \w+; what it takes stands in the/,
    );
  }
  const listed = await ask("/destinations/es/dead?topics=web", parts);
  assert.equal((await listed.json()).detail, 'Unknown parameter "topics"; did you mean "topic"?');
});

Deno.test("M1.10 with keys, looking needs the scope read and orders need admin; health is open", async () => {
  const [reader, admin, writer] = [["read"], ["admin"], ["write"]].map((scopes) => make({ scopes }));
  const world = worldWith(...[reader, admin, writer].map((one) => one!.key));
  const orders: string[] = [];
  const more = {
    listen: "0.0.0.0:8081",
    keys: new KeyRing({ world, dir, report: (text) => assert.fail(text) }),
    order: (name: string) => Promise.resolve(void orders.push(name)),
  };
  const statusOf = async (path: string, key?: string, init: RequestInit = {}) => {
    const headers = { "content-type": json, ...(key && { authorization: `Bearer ${key}` }) };
    return (await ask(path, more, { ...init, headers })).status;
  };
  for (const path of ["/status", "/metrics", "/tail", "/"]) {
    const keys = [undefined, reader!.shown, admin!.shown, writer!.shown, make().shown];
    assert.deepEqual(await Promise.all(keys.map((key) => statusOf(path, key))), [401, 200, 200, 403, 401], path);
  }
  const post = { method: "POST", body: "{}" };
  const given = [undefined, reader!.shown, writer!.shown, admin!.shown];
  const statuses = await Promise.all(given.map((key) => statusOf("/destinations/bus/pause", key, post)));
  assert.deepEqual([statuses, orders], [[401, 403, 403, 404], ["bus"]]);
  for (const path of ["/livez", "/readyz"]) assert.equal(await statusOf(path), 200);
  assert.equal(await statusOf(`/status?key=${reader!.shown}`, reader!.shown), 401);
});

Deno.test("M1.10 who lacks a key or a scope is told which", async () => {
  const reader = make({ scopes: ["read"] });
  const keys = new KeyRing({ world: worldWith(reader.key), dir, report: (text) => assert.fail(text) });
  const without = await ask("/status", { keys });
  assert.equal(without.headers.get("www-authenticate"), 'Bearer realm="sparkngin", Basic realm="sparkngin"');
  assert.equal(without.headers.get("content-type"), "application/problem+json");
  assert.match((await without.json()).detail, /Authorization: Bearer KEY/);
  const headers = { "content-type": json, authorization: `Bearer ${reader.shown}` };
  const lacking = await ask("/destinations/bus/pause", { keys }, { method: "POST", body: "{}", headers });
  const { detail, type } = await lacking.json();
  assert.deepEqual([detail, type], [`Key ${reader.key.id} lacks the scope "admin": it has read`, "/errors/forbidden"]);
});

Deno.test("an unexpected problem is reported, and told without its details", async () => {
  const reported: unknown[] = [];
  const status = () => {
    throw new Error("secret inside");
  };
  const answer = await ask("/status", { status, report: (problem) => reported.push(problem) });
  assert.equal(answer.status, 500);
  assert.ok(!(await answer.text()).includes("secret"));
  assert.equal(reported.length, 1);
});

// deno-lint-ignore require-yield
async function* untilAborted(signal: AbortSignal): AsyncIterable<Uint8Array> {
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

Deno.test("M8.1 POST /reload says what came of it; a page of another origin cannot ask for it", async () => {
  let asked = 0;
  const reload = () => {
    asked++;
    return Promise.resolve({ at: 0, ok: false, text: "line 3: unknown key", needsRestart: ["http.listen"] });
  };
  assert.equal((await ask("/reload", { reload }, { method: "POST" })).status, 415);
  assert.equal(asked, 0);
  const json = { "content-type": "application/json" };
  const answer = await ask("/reload", { reload }, { method: "POST", headers: json, body: "{}" });
  assert.deepEqual(await answer.json(), {
    at: "1970-01-01T00:00:00.000Z",
    ok: false,
    text: "line 3: unknown key",
    needs_restart: ["http.listen"],
  });
  assert.equal((await ask("/reload", { reload }, { method: "POST", headers: json })).status, 200);
  const config = JSON.stringify({ config: "/etc/other.toml" });
  const refused = await ask("/reload", { reload }, { method: "POST", headers: json, body: config });
  assert.equal(refused.status, 400);
  assert.match((await refused.json()).detail, /^Unknown field "config" in reload; expected an empty body or \{\}$/);
  assert.equal(asked, 2);
});
