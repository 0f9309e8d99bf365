import assert from "node:assert/strict";
import type { Config } from "../../src/config/keys.ts";
import { type Asked, openNode } from "./fakes.ts";

const day = 86_400_000;
const settings = { visitor_cookie: "visitor", visitor_max_age: 30 * day };
const id = "0123456789abcdef0123456789abcdef";

async function visit(asked: Asked, more: Partial<Config["http"]> = {}, target = "/log.gif?topic=t") {
  const { log, ask } = openNode({ ...settings, ...more });
  const { status, headers } = await ask(target, asked);
  return { status, cookie: headers["set-cookie"], kept: log.messages[0]?.cookies, type: headers["content-type"] };
}

Deno.test("M1.6 no cookie is set unless it has a name", async () => {
  const { cookie, kept } = await visit({ secure: true, headers: { cookie: `visitor=${id}` } }, { visitor_cookie: "" });
  assert.deepEqual([cookie, kept], [undefined, undefined]);
});

Deno.test("M1.6 a new visitor gets a random number for a fixed time, and the message has it", async () => {
  const found = new Set<string>();
  for (const target of ["/log.gif?topic=t", "/tracker/t/site", "/sparkngin/log.gif?topic=t"]) {
    const { cookie, kept, type } = await visit({ secure: true }, {}, target);
    const [, number] = /^visitor=([0-9a-f]{32}); Path=\/; Max-Age=2592000; HttpOnly; SameSite=None; Secure$/.exec(
      cookie!,
    )!;
    assert.deepEqual([kept, type], [`{"visitor":"${number}"}`, "image/gif"]);
    found.add(number!);
  }
  assert.equal(found.size, 3);
});

Deno.test("M1.6 a known visitor keeps the number, and its time is not made longer", async () => {
  const { cookie, kept } = await visit({ headers: { cookie: `a=1; visitor=${id}; b=2` } });
  assert.deepEqual([cookie, kept], [undefined, `{"visitor":"${id}"}`]);
  const named = await visit({ headers: { cookie: `a=1; visitor=${id}; b=2` } }, { cookies: ["b"] });
  assert.equal(named.kept, `{"visitor":"${id}","b":"2"}`);
});

Deno.test("M1.6 what is no number of ours is replaced, and not kept", async () => {
  for (const value of ["", "x", `${id}0`, id.toUpperCase(), `${id.slice(1)};`]) {
    const { cookie, kept } = await visit({ headers: { cookie: `visitor=${value}; visitor=${id}` } }, {
      cookies: ["*"],
    });
    assert.match(cookie!, /^visitor=[0-9a-f]{32};/);
    assert.ok(cookie!.includes(JSON.parse(kept!).visitor));
    assert.deepEqual(Object.keys(JSON.parse(kept!)), ["visitor"]);
  }
});

Deno.test("M1.6 SameSite=None and Secure only where HTTPS is spoken, with us or with a proxy of ours", async () => {
  const proxied = { trusted_proxies: ["10.0.0.1"] };
  const https = { "x-forwarded-proto": "https" };
  const table: [Asked, Partial<Config["http"]>, boolean][] = [
    [{ secure: true }, {}, true],
    [{}, {}, false],
    [{ headers: https }, {}, false],
    [{ headers: https, peer: "10.0.0.2" }, proxied, false],
    [{ headers: https, peer: "10.0.0.1" }, proxied, true],
    [{ headers: { "x-forwarded-proto": "HTTPS, http" }, peer: "10.0.0.1" }, proxied, true],
    [{ headers: { "x-forwarded-proto": "http" }, peer: "10.0.0.1" }, proxied, false],
    [{ peer: "10.0.0.1" }, proxied, false],
  ];
  for (const [asked, more, isHttps] of table) {
    const { cookie } = await visit(asked, more);
    const end = isHttps ? "HttpOnly; SameSite=None; Secure" : "HttpOnly; SameSite=Lax";
    assert.ok(cookie!.endsWith(end), `${JSON.stringify(asked)} ${cookie}`);
  }
});

Deno.test("M1.6 who asks not to be tracked gets no cookie, loses the one it has, and is not recognised", async () => {
  for (const name of ["dnt", "sec-gpc"]) {
    const fresh = await visit({ headers: { [name]: "1" }, secure: true });
    assert.deepEqual([fresh.cookie, fresh.kept, fresh.type], [undefined, undefined, "image/gif"]);
    const known = await visit({ headers: { [name]: "1", cookie: `visitor=${id}; b=2` }, secure: true }, {
      cookies: ["*"],
    });
    assert.equal(known.cookie, "visitor=; Path=/; Max-Age=0; HttpOnly; SameSite=None; Secure");
    assert.equal(known.kept, '{"b":"2"}');
    const other = await visit({ headers: { [name]: "0" } });
    assert.match(other.cookie!, /^visitor=[0-9a-f]{32};/);
  }
});

Deno.test("M1.6 cookies named in the query win, and /log sets no cookie", async () => {
  const own = await visit({}, {}, "/log.gif?topic=t&cookies=%7B%22a%22%3A%22b%22%7D");
  assert.equal(own.kept, '{"a":"b"}');
  const { cookie, kept } = await visit({ headers: { accept: "image/webp" } }, {}, "/log?topic=t");
  assert.deepEqual([cookie, kept], [undefined, undefined]);
});
