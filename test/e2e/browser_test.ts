/** What browsers send, byte by byte as they send it: beacons, preflights, pixels with their cookies. */
import assert from "node:assert";
import { Connection, type Reply } from "./connection.ts";
import { type Node, startNode } from "./node.ts";
import { arrived } from "./output.ts";

const origin = "https://www.example.com";
const config = `
[http]
cors_origins = ["${origin}"]
visitor_cookie = "visitor"
trusted_proxies = ["127.0.0.1"]
ip = "truncated"
`;
let node: Node;

Deno.test.beforeAll(async () => {
  node = await startNode({ config });
});
Deno.test.afterAll(() => node[Symbol.asyncDispose]());

/** As behind a proxy that speaks HTTPS with the browser. */
async function send(line: string, headers: Record<string, string>, body = ""): Promise<Reply> {
  using connection = await Connection.open(node.http);
  const all = {
    "host": "collector.example.net",
    "x-forwarded-for": "203.0.113.77",
    "x-forwarded-proto": "https",
    ...headers,
    ...(body !== "" && { "content-length": String(body.length) }),
  };
  const fields = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return await connection.ask(`${line} HTTP/1.1\r\n${fields}\r\n${body}`);
}

Deno.test("M1.2 M1.10: a beacon with a string arrives as the JSON it is, without a question before", async () => {
  const headers = { origin, "content-type": "text/plain;charset=UTF-8", "sec-fetch-mode": "no-cors" };
  const reply = await send("POST /log?topic=beacon", headers, '{"level":"info","data":{"page":"/"}}');
  assert.equal(reply.status, 204);
  assert.equal(reply.headers.get("access-control-allow-origin"), origin);
  const [message] = await arrived(`${node.dir}/data/out`, "beacon");
  assert.deepEqual([message!.data, message!.fields.level], ['{"page":"/"}', "info"]);
});

Deno.test("M1.10: a beacon with a Blob asks first, with credentials, and may send it then", async () => {
  const asking = {
    origin,
    "access-control-request-method": "POST",
    "access-control-request-headers": "content-type",
  };
  const preflight = await send("OPTIONS /log?topic=blob", asking);
  assert.equal(preflight.status, 204);
  assert.equal(preflight.headers.get("access-control-allow-origin"), origin);
  assert.equal(preflight.headers.get("access-control-allow-credentials"), "true");
  assert.ok(preflight.headers.get("access-control-allow-headers")!.split(", ").includes("content-type"));
  assert.match(preflight.headers.get("vary")!, /^Origin,/);
  const reply = await send("POST /log?topic=blob", { origin, "content-type": "application/json" }, '{"data":1}');
  assert.equal(reply.headers.get("access-control-allow-credentials"), "true");
  assert.equal((await arrived(`${node.dir}/data/out`, "blob"))[0]!.data, "1");
});

Deno.test("M1.6 M1.3: the pixel knows a visitor again, and of the address only its network is kept", async () => {
  const first = await send("GET /tracker/pixel/site?page=1", { accept: "image/avif,image/webp,*/*" });
  assert.equal(first.headers.get("content-type"), "image/gif");
  const set = first.headers.get("set-cookie")!;
  assert.match(set, /^visitor=[0-9a-f]{32}; Path=\/; Max-Age=31536000; HttpOnly; SameSite=None; Secure$/);
  const cookie = set.split(";")[0]!;
  const second = await send("GET /tracker/pixel/site?page=2", { cookie: `other=1; ${cookie}` });
  assert.equal(second.headers.get("set-cookie"), undefined);
  const third = await send("GET /tracker/pixel/site?page=3", { cookie, "sec-gpc": "1" });
  assert.match(third.headers.get("set-cookie")!, /^visitor=; Path=\/; Max-Age=0;/);
  const messages = await arrived(`${node.dir}/data/out`, "pixel", 3);
  const visitor = { visitor: cookie.split("=")[1] };
  assert.deepEqual(messages.map(({ fields }) => fields.cookies), [visitor, visitor, undefined]);
  for (const { fields } of messages) assert.deepEqual([fields.ip, fields.peer_ip], ["203.0.113.0", "203.0.113.0"]);
});
