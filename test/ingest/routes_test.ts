import assert from "node:assert";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { accepted, type Answer, BodyLost } from "../../src/ingest/http.ts";
import { Repeats } from "../../src/ingest/repeats.ts";
import { nodeStates } from "../../src/observe/table.ts";
import { SimClock } from "../sim/clock.ts";
import { LogExhausted, LogFull, LogStopped } from "../../src/log/mod.ts";
import { arrival, type Asked, bytesOf, openNode, problemIn, request, textOf } from "./fakes.ts";

const json = { "content-type": "application/json" };
const lines = { "content-type": "application/x-ndjson" };

function withoutUndefined(message: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(message).filter(([, value]) => value !== undefined));
}

Deno.test("M1.1 GET /log with the query of 2013 stores one message", async () => {
  const { log, ask } = openNode();
  const target =
    "/sparkngin/log?level=info&type=http&stimestamp=134545634345&ver=1.0&topic=test&env=testdata&ip=1.1.1.1";
  const answer = await ask(target, { headers: { "user-agent": "curl/8", "referer": "http://a/" } });
  assert.equal(answer.status, 204);
  assert.deepEqual(answer.headers, { "sparkngin-ack": "disk", "cache-control": "no-store" });
  assert.equal(log.entries.length, 1);
  assert.deepEqual(withoutUndefined(log.messages[0]!), {
    timestamp: arrival,
    level: "info",
    type: "http",
    submittedTimestamp: "134545634345",
    submittedMs: 134_545_634_345,
    version: "1.0",
    topic: "test",
    env: "testdata",
    ip: "1.1.1.1",
    peerIp: "192.0.2.7",
    referrer: "http://a/",
    userAgent: "curl/8",
    data: bytesOf("{}"),
    dataIsJson: true,
  });
});

Deno.test("M1.1 other parameters are the data of the message", async () => {
  const { log, ask } = openNode();
  await ask("/log?topic=test&greeting=hello+world&n=1");
  assert.equal(textOf(log.messages[0]!.data), '{"greeting":"hello world","n":"1"}');
});

Deno.test("P1 the answer comes only when the log says it is durable", async () => {
  const { log, handle } = openNode();
  let answered = false;
  const answer = Promise.resolve(handle(request("/log?topic=test"))).then(() => answered = true);
  for (let i = 0; i < 20; i++) await Promise.resolve();
  assert.deepEqual([log.entries.length, answered], [1, false]);
  log.commit();
  await answer;
  assert.ok(answered);
});

Deno.test("requests of one commit share one promise and one answer", async () => {
  const { log, table, handle } = openNode();
  const first = handle(request("/log?topic=a"));
  const second = handle(request("/log?topic=b&x=1"));
  assert.equal(first, second);
  log.commit();
  assert.equal(await first, accepted);
  const third = handle(request("/log?topic=c"));
  assert.notEqual(first, third);
  log.commit();
  await third;
  assert.deepEqual([table.get("requests"), table.get("accepted")], [3, 3]);
});

Deno.test("M1.9: while the log cannot be read, who sends a key is told to come again, and nothing is kept", async () => {
  let fails = true;
  const repeats = new Repeats(new SimClock(), async function* () {
    if (fails) throw new Error("no handles");
    yield* [];
  }, { windowMs: 1000, keysMax: 10 });
  const { log, table, ask } = openNode({}, [], { repeats });
  const headers = { "idempotency-key": "k" };
  const refused = await ask("/log?topic=a", { headers });
  assert.deepEqual([refused.status, problemIn(refused).type, log.messages.length], [503, "/errors/busy", 0]);
  assert.deepEqual([table.get("unavailable"), table.get("refused")], [1, 0]);
  fails = false;
  assert.equal((await ask("/log?topic=a", { headers })).status, 204);
  assert.equal((await ask("/log?topic=a", { headers })).headers["idempotent-replayed"], "true");
  assert.deepEqual([log.messages.length, table.get("repeated")], [1, 1]);
});

Deno.test("/log without a topic says which field is missing", async () => {
  const { log, ask } = openNode();
  const answers = [
    await ask("/log?level=info"),
    await ask("/log", { body: '{"x":1}', headers: json }),
    await ask("/log", { body: "text", headers: { "content-type": "text/plain" } }),
    await ask("/log", { body: "bytes", headers: { "content-type": "application/octet-stream" } }),
  ];
  for (const answer of answers) {
    assert.equal(answer.status, 400);
    assert.equal(answer.headers["content-type"], "application/problem+json");
    const { field, detail, type, retryable } = problemIn(answer);
    assert.deepEqual([field, type, retryable], ["topic", "/errors/bad-message", false]);
    assert.match(detail as string, /"topic" is missing/);
  }
  assert.equal(log.entries.length, 0);
});

Deno.test("a listener with a topic of its own gives it to messages without", async () => {
  const { log, ask } = openNode({ topic: "default" });
  await ask("/log?a=1");
  await ask("/log", { body: '{"x":1}\n{"topic":"own"}', headers: lines });
  assert.deepEqual(log.messages.map(({ topic }) => topic), ["default", "default", "own"]);
});

Deno.test("M1.2 what the query says holds for all messages of a body that do not say otherwise", async () => {
  const { log, ask } = openNode();
  const body = '{"topic":"own","data":1}\n{"env":"own","data":2}\n{"ip":"9.9.9.9","submitted_timestamp":1,"data":3}';
  const answer = await ask("/log?topic=t&env=e&ip=1.1.1.1&sts=1395012345000&level=warnning", { body, headers: lines });
  assert.equal(answer.status, 204);
  assert.deepEqual(
    log.messages.map((one) => [one.topic, one.env, one.ip, one.submittedMs, one.level, textOf(one.data)]),
    [
      ["own", "e", "1.1.1.1", 1_395_012_345_000, "warning", "1"],
      ["t", "own", "1.1.1.1", 1_395_012_345_000, "warning", "2"],
      ["t", "e", "9.9.9.9", 1, "warning", "3"],
    ],
  );
  assert.equal(log.entries.length, 1);
});

Deno.test("M1.2 text lines and bytes take their fields from the query", async () => {
  const { log, ask } = openNode();
  await ask("/log?topic=t&id=own-1", {
    body: new Uint8Array([0, 255]),
    headers: { "content-type": "application/octet-stream" },
  });
  await ask("/log?topic=t", { body: "a\nb\n", headers: { "content-type": "text/plain" } });
  assert.deepEqual(log.messages.map(({ data }) => [...data]), [[0, 255], [97], [98]]);
  assert.deepEqual(log.messages.map(({ dataIsJson, id }) => [dataIsJson, id]), [[false, "own-1"], [false, undefined], [
    false,
    undefined,
  ]]);
});

Deno.test("M1.2 sendBeacon: a string from a page is JSON when it begins so, from elsewhere it is text", async () => {
  const { log, ask } = openNode();
  const type = { "content-type": "text/plain;charset=UTF-8" };
  const body = '{"level":"info","data":{"x":1}}';
  await ask("/log?topic=t", { body, headers: { ...type, origin: "https://a.example" } });
  await ask("/log?topic=t", { body, headers: type });
  await ask("/log?topic=t", { body: "plain", headers: { ...type, origin: "https://a.example" } });
  const found = log.messages.map(({ level, data, dataIsJson }) => [level, textOf(data), dataIsJson]);
  assert.deepEqual(found, [["info", '{"x":1}', true], [undefined, body, false], [undefined, "plain", false]]);
});

Deno.test("M1.2 a packed body is unpacked", async () => {
  const { log, ask } = openNode();
  const headers = { ...json, "content-encoding": "gzip" };
  assert.equal((await ask("/log?topic=t", { body: gzipSync('{"x":1}'), headers })).status, 204);
  assert.equal(textOf(log.messages[0]!.data), '{"x":1}');
});

Deno.test("P4 of a bad batch nothing is stored, and its first bad line is named", async () => {
  const { log, table, ask } = openNode({ message_max: 1024 });
  const good = '{"topic":"t","data":1}';
  const bodies: [string, number, number, string | undefined][] = [
    [`${good}\n{"data":1}\n${good}`, 400, 2, "topic"],
    [`${good}\n\n{"topic":"a/b"}`, 400, 3, "topic"],
    [`${good}\n{"topic":"t","x":1}`, 400, 2, "x"],
    [`${good}\n${good}\n{"topic":"t","data":`, 400, 3, undefined],
    [`${good}\n{"topic":"t","data":"${"x".repeat(2000)}"}`, 413, 2, undefined],
  ];
  for (const [body, status, line, field] of bodies) {
    const answer = await ask("/log", { body, headers: lines });
    const problem = problemIn(answer);
    assert.deepEqual([answer.status, problem.line, problem.field], [status, line, field], body);
    assert.equal(problem.retryable, false);
  }
  assert.equal(log.entries.length, 0);
  assert.deepEqual([table.get("requests"), table.get("refused"), table.get("accepted")], [5, 5, 0]);
});

Deno.test("a good request still works after any bad one", async () => {
  const { log, ask } = openNode({ depth_max: 8, message_max: 1024 });
  const hostile = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc.string({ unit: "binary" }).map(bytesOf),
    fc.json().map(bytesOf),
    fc.constantFrom("[".repeat(5000), '{"topic":"t"}\n'.repeat(3) + "{", "\0", "{}\0").map(bytesOf),
  );
  const type = fc.constantFrom("application/json", "application/x-ndjson", "text/plain", "text/html", "", "a=b;;;=");
  const encoding = fc.constantFrom("", "gzip", "zstd", "br");
  await fc.assert(fc.asyncProperty(hostile, type, encoding, fc.string(), async (body, type, encoding, search) => {
    const headers = { "content-type": type, "content-encoding": encoding };
    const before = log.position;
    const { status } = await ask(`/log?${search}`, { body, headers });
    assert.ok([204, 400, 413, 415].includes(status), String(status));
    if (status !== 204) assert.equal(log.position, before);
    assert.equal((await ask("/log?topic=good")).status, 204);
  }));
});

Deno.test("a body may have parameters of fields beside it, no others", async () => {
  const { log, ask } = openNode();
  const stray = problemIn(await ask("/log?topic=t&greeting=hello", { body: "{}", headers: json }));
  assert.deepEqual([stray.status, stray.field], [400, "greeting"]);
  const ids = problemIn(await ask("/log?topic=t&id=1", { body: "{}\n{}", headers: json }));
  assert.deepEqual([ids.status, ids.field], [400, "id"]);
  assert.equal(log.entries.length, 0);
});

Deno.test("a body beyond the limit is 413, one that breaks off 400", async () => {
  const { handle, ask } = openNode({ body_max: 1024 });
  const large = await ask("/log?topic=t", { body: "x".repeat(1025), headers: { "content-type": "text/plain" } });
  assert.equal(problemIn(large).type, "/errors/too-large");
  const lost = request("/log?topic=t", { method: "POST", headers: json });
  const answer = await handle({ ...lost, header: lost.header, body: () => Promise.reject(new BodyLost("gone")) });
  assert.equal(answer.status, 400);
});

Deno.test("a receipt tells the ids, once they are safe", async () => {
  const { ask } = openNode();
  const answer = await ask("/log?topic=t&receipt=1");
  assert.equal(answer.status, 200);
  assert.equal(answer.headers["sparkngin-ack"], "disk");
  assert.equal(answer.body, '{"ids":["9f3c01aa27de4410-3-0"],"ack":"disk"}');
  const prefer = await ask("/log?topic=t", {
    body: '{"x":1}\n{"id":"mine","data":2}',
    headers: { ...lines, prefer: "respond-async, return=representation" },
  });
  assert.equal(prefer.body, '{"ids":["9f3c01aa27de4410-3-1","mine"],"ack":"disk"}');
  const many = await ask("/log?topic=t&receipt=1", { body: "{}\n".repeat(101), headers: lines });
  assert.equal(many.body, '{"first":"9f3c01aa27de4410-3-3","count":101,"ack":"disk"}');
});

Deno.test("M1.8 another acknowledgement than ours is refused, never weakened", async () => {
  const { log, ask } = openNode();
  assert.equal((await ask("/log?topic=t&ack=disk", { headers: { "sparkngin-ack": "disk" } })).status, 204);
  const asked: [string, Asked][] = [
    ["/log?topic=t&ack=memory", {}],
    ["/log?topic=t&ack=delivered", {}],
    ["/log?topic=t&ack=delivered:bus", {}],
    ["/log?topic=t&ack=", {}],
    ["/log?topic=t&ack=always", {}],
    ["/log?topic=t", { headers: { "sparkngin-ack": "delivered" } }],
    ["/log?topic=t", { headers: { ...json, "sparkngin-ack": "memory" }, body: "{}" }],
  ];
  for (const [target, request] of asked) {
    const { status, field } = problemIn(await ask(target, request));
    assert.deepEqual([status, field], [400, "ack"], target);
  }
  assert.equal(log.entries.length, 1);
});

Deno.test("P12 a full log is 503 with Retry-After, and nothing is kept", async () => {
  const { log, table, ask } = openNode();
  log.refusal = new LogFull("full");
  for (const asked of [{}, { body: "{}", headers: json }]) {
    const answer = await ask("/log?topic=t", asked);
    assert.equal(answer.headers["retry-after"], "1");
    const { status, type, retryable, outcome } = problemIn(answer);
    assert.deepEqual([status, type, retryable, outcome], [503, "/errors/disk-full", true, undefined]);
  }
  assert.deepEqual([table.get("requests"), table.get("unavailable"), table.get("accepted")], [2, 2, 0]);
  log.refusal = undefined;
  assert.equal((await ask("/log?topic=t")).status, 204);
});

Deno.test("P12 a log that waits for handles or memory is 503 with a reason of its own", async () => {
  const { log, ask } = openNode();
  log.refusal = new LogExhausted("exhausted");
  for (const path of ["/log?topic=t", "/readyz"]) {
    const answer = await ask(path);
    const { status, type, retryable, outcome } = problemIn(answer);
    assert.equal(answer.headers["retry-after"], "1");
    assert.deepEqual([status, type, retryable, outcome], [503, "/errors/system-exhausted", true, undefined]);
  }
});

Deno.test("P7 a failed commit says whether the messages may be kept", async () => {
  for (const outcome of ["unknown", "refused"] as const) {
    const { log, table, handle } = openNode();
    const answers = [handle(request("/log?topic=t")), handle(request("/log?topic=t&receipt=1"))];
    log.commit(new LogStopped("the disk failed", outcome));
    for (const answer of await Promise.all(answers)) {
      const problem = problemIn(answer);
      assert.deepEqual([problem.status, problem.type, problem.outcome], [503, "/errors/log-stopped", outcome]);
    }
    assert.deepEqual([table.get("requests"), table.get("unavailable"), table.get("accepted")], [2, 2, 0]);
  }
});

Deno.test("our own mistake is no answer", () => {
  const { log, handle } = openNode();
  log.refusal = new RangeError("a mistake");
  assert.throws(() => handle(request("/log?topic=t")), /a mistake/);
});

Deno.test("P4 topics of a refused request leave room for others", async () => {
  const { ask } = openNode({ topics_max: 2 });
  const many = await ask("/log", { body: '{"topic":"a"}\n{"topic":"b"}\n{"topic":"c"}', headers: lines });
  const { type, line, field } = problemIn(many);
  assert.deepEqual([type, line, field], ["/errors/too-many-topics", 3, "topic"]);
  for (const topic of ["x", "y", "x"]) assert.equal((await ask(`/log?topic=${topic}`)).status, 204);
  assert.equal((await ask("/log?topic=z")).status, 400);
});

Deno.test("M1.6 the pixel stores a message and is never cached", async () => {
  const { log, ask } = openNode();
  const targets: [string, Asked][] = [
    ["/log.gif?topic=t&page=1", {}],
    ["/sparkngin/log.gif?topic=t&page=1", {}],
    ["/log?topic=t&page=1", { headers: { accept: "image/avif,image/webp,*/*;q=0.8" } }],
  ];
  for (const [target, asked] of targets) {
    const answer = await ask(target, asked);
    assert.equal(answer.status, 200);
    assert.deepEqual(answer.headers, { "content-type": "image/gif", "cache-control": "no-store" });
    const bytes = answer.body as Uint8Array;
    assert.deepEqual([textOf(bytes.subarray(0, 6)), bytes[6], bytes[8], bytes.at(-1)], ["GIF89a", 1, 1, 0x3b]);
  }
  assert.deepEqual(log.messages.map(({ data }) => textOf(data)), Array(3).fill('{"page":"1"}'));
});

Deno.test("M1.6 the pixel is a pixel even when its message is refused, which is counted", async () => {
  const { log, table, ask } = openNode();
  assert.equal((await ask("/log.gif?level=info")).headers["content-type"], "image/gif");
  assert.equal((await ask("/log.gif?topic=%FF")).status, 200);
  assert.deepEqual([table.get("requests"), table.get("refused")], [2, 2]);
  log.refusal = new LogFull("full");
  assert.equal((await ask("/log.gif?topic=t")).status, 200);
  assert.equal(table.get("unavailable"), 1);
  assert.equal(log.entries.length, 0);
});

Deno.test("M1.6 the tracker has its topic and site in the path", async () => {
  const { log, ask } = openNode();
  for (const root of ["", "/sparkngin"]) {
    const answer = await ask(`${root}/tracker/web.click/www.example.com?page=a%20b`);
    assert.equal(answer.headers["content-type"], "image/gif");
  }
  await ask("/tracker/t/a+b&topic=x%26?q");
  assert.deepEqual(log.messages.map(({ topic, data }) => [topic, textOf(data)]), [
    ["web.click", '{"site":"www.example.com","page":"a b"}'],
    ["web.click", '{"site":"www.example.com","page":"a b"}'],
    ["t", '{"site":"a+b&topic=x&","q":""}'],
  ]);
  for (const path of ["/tracker", "/tracker/", "/tracker/t", "/tracker/t/", "/tracker//s", "/tracker/t/s/x"]) {
    assert.equal((await ask(path)).status, 404, path);
  }
});

Deno.test("M1.4 status, stat and the heartbeat", async () => {
  const { ask } = openNode();
  for (const root of ["", "/sparkngin"]) {
    for (const name of ["status", "stat"]) {
      const { status, headers, body } = await ask(`${root}/${name}`);
      assert.deepEqual([status, headers["content-type"], body], [200, "application/json", '{"version":"0"}']);
    }
    assert.equal((await ask(`${root}/imok`)).body, "imok");
    assert.equal((await ask(`${root}/livez`)).status, 200);
    assert.equal((await ask(`${root}/readyz`)).status, 200);
  }
});

Deno.test("P21 readyz says what a request would meet", async () => {
  const { table, log, ask } = openNode();
  const refusals: Record<string, Error> = {
    full: new LogFull("full"),
    exhausted: new LogExhausted("exhausted"),
    stopped: new LogStopped("stopped", "refused"),
  };
  const wanted = { starting: 503, ready: 200, full: 503, exhausted: 503, stopped: 503, stopping: 503 };
  for (const [number, state] of nodeStates.entries()) {
    table.set("state", number);
    log.refusal = refusals[state];
    const answer = await ask("/readyz");
    assert.equal(answer.status, wanted[state], state);
    assert.equal((await ask("/livez")).status, 200);
    if (state !== "ready") assert.equal(answer.headers["retry-after"], "1");
  }
});

Deno.test("M1.5 a root of one's own replaces both others", async () => {
  const { ask } = openNode({ root: "/sn" });
  for (
    const path of ["/sn/log?topic=t", "/sn/log.gif?topic=t", "/sn/stat", "/sn/imok", "/sn", "/sn/", "/sn/tracker/t/s"]
  ) {
    assert.ok((await ask(path)).status < 300, path);
  }
  for (const path of ["/livez", "/readyz", "/sn/livez", "/sn/readyz", "/"]) {
    assert.equal((await ask(path)).status, 200, path);
  }
  for (const path of ["/log?topic=t", "/sparkngin/log?topic=t", "/stat", "/imok", "/tracker/t/s"]) {
    assert.equal((await ask(path)).status, 404, path);
  }
});

Deno.test("HEAD stores nothing and promises nothing", async () => {
  const { log, ask } = openNode();
  const paths = ["/log?topic=t", "/log.gif?topic=t", "/tracker/t/s", "/status", "/imok", "/livez", "/readyz", "/"];
  for (const path of paths) {
    const { status, headers, body } = await ask(path, { method: "HEAD" });
    assert.ok(status === 200 || status === 204, path);
    assert.equal(body, undefined);
    assert.equal(headers["sparkngin-ack"], undefined);
  }
  assert.equal(log.entries.length, 0);
});

Deno.test("a method that does not fit is 405 and told what does", async () => {
  const { log, ask } = openNode();
  const table: [string, string, string][] = [
    ["PUT", "/log?topic=t", "GET, HEAD, OPTIONS, POST"],
    ["get", "/log?topic=t", "GET, HEAD, OPTIONS, POST"],
    ["POST", "/log.gif?topic=t", "GET, HEAD, OPTIONS"],
    ["POST", "/tracker/t/s", "GET, HEAD, OPTIONS"],
    ["POST", "/status", "GET, HEAD, OPTIONS"],
    ["DELETE", "/", "GET, HEAD, OPTIONS"],
  ];
  for (const [method, path, allow] of table) {
    const answer = await ask(path, { method });
    assert.deepEqual([answer.status, answer.headers.allow], [405, allow], `${method} ${path}`);
  }
  assert.equal(log.entries.length, 0);
});

Deno.test("M1.10 OPTIONS tells what is allowed, and stores nothing", async () => {
  const { log, ask } = openNode();
  const table = {
    "/log?topic=t": "GET, HEAD, OPTIONS, POST",
    "*": "GET, HEAD, OPTIONS, POST",
    "/log.gif": "GET, HEAD, OPTIONS",
    "/tracker/t/s": "GET, HEAD, OPTIONS",
    "/status": "GET, HEAD, OPTIONS",
  };
  for (const [path, allow] of Object.entries(table)) {
    const { status, headers, body } = await ask(path, { method: "OPTIONS" });
    assert.deepEqual([status, headers.allow, body], [204, allow, undefined], path);
  }
  assert.equal((await ask("/nowhere", { method: "OPTIONS" })).status, 404);
  assert.equal(log.entries.length, 0);
});

Deno.test("a path that leads nowhere is 404, and is quoted safely", async () => {
  const { ask } = openNode();
  const paths = [
    "/logs",
    "/log/",
    "//log",
    "/LOG",
    "/a/../log",
    "/%6cog",
    "*",
    "",
    "/\u001b[31m<script>",
    `/${"x".repeat(9000)}`,
  ];
  for (const path of paths) {
    const answer: Answer = await ask(path);
    assert.equal(answer.status, 404, path);
    assert.ok((problemIn(answer).detail as string).length < 150);
    assert.ok(!(answer.body as string).includes("\u001b"));
  }
});

Deno.test("the first page shows a command to paste", async () => {
  const { ask } = openNode();
  const { body } = await ask("/", { headers: { host: "collector:8080" } });
  assert.match(body as string, /curl -i 'http:\/\/collector:8080\/log\?topic=test/);
  const hostile = await ask("/", { headers: { host: "x'; rm -rf /" } });
  assert.match(hostile.body as string, /http:\/\/127\.0\.0\.1:8080\/log/);
});
