import assert from "node:assert/strict";
import { accepted } from "../../src/ingest/http.ts";
import { openNode, request } from "./fakes.ts";

const page = "https://a.example";
const preflight = (origin: string) => ({
  method: "OPTIONS",
  headers: { origin, "access-control-request-method": "POST", "access-control-request-headers": "content-type" },
});
const named = { "access-control-allow-origin": page, "access-control-allow-credentials": "true" };

/** The headers that are about other origins. */
function aboutOrigins(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => /^(access-control-|vary$)/.test(name)));
}

Deno.test("M1.10 a preflight of a page that may is told what it may", async () => {
  const { log, ask } = openNode({ cors_origins: ["https://b.example", page] });
  const { status, headers, body } = await ask("/log", preflight(page));
  assert.deepEqual([status, body, headers.allow], [204, undefined, "GET, HEAD, OPTIONS, POST"]);
  assert.deepEqual(aboutOrigins(headers), {
    ...named,
    "access-control-allow-methods": "GET, HEAD, POST",
    "access-control-allow-headers":
      "authorization, content-type, content-encoding, sparkngin-ack, sparkngin-on-bad, prefer, idempotency-key, traceparent, tracestate",
    "access-control-max-age": "7200",
    "vary": "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
  });
  const { origin } = preflight(page).headers;
  for (const asked of [{ method: "OPTIONS", headers: { origin } }, { ...preflight(page), method: "HEAD" }]) {
    assert.equal((await ask("/log", asked)).headers["access-control-allow-methods"], undefined);
  }
  assert.equal(log.entries.length, 0);
});

Deno.test("M1.10 a page that may can read the answer, the refusal included", async () => {
  const { log, ask } = openNode({ cors_origins: [page] });
  const headers = { origin: page };
  for (const target of ["/log?topic=t", "/log?topic=t&receipt=1", "/log?level=x", "/status", "/nowhere"]) {
    const answer = await ask(target, { headers });
    assert.deepEqual(aboutOrigins(answer.headers), {
      ...named,
      "access-control-expose-headers":
        "sparkngin-ack, sparkngin-repeated, sparkngin-diverted, idempotent-replayed, retry-after, ratelimit, ratelimit-policy",
      "vary": "Origin",
    }, target);
  }
  assert.equal(log.entries.length, 2);
});

Deno.test("M1.10 other pages are granted nothing, and caches are told that it depends", async () => {
  const { ask } = openNode({ cors_origins: [page] });
  const others = [
    "https://a.example.evil",
    "http://a.example",
    "https://a.example:444",
    "null",
    "*",
    "",
    "https://A.example",
  ];
  for (const origin of others) {
    for (const asked of [preflight(origin), { headers: { origin } }]) {
      const about = aboutOrigins((await ask("/log?topic=t", asked)).headers);
      assert.deepEqual(Object.keys(about), ["vary"], origin);
      assert.match(about.vary!, /^Origin/);
    }
  }
});

Deno.test("M1.10 with * every page may, but none of them with credentials, and null only by its name", async () => {
  const { ask } = openNode({ cors_origins: ["*"] });
  for (const asked of [preflight(page), { headers: { origin: page } }]) {
    const { headers } = await ask("/log?topic=t", asked);
    assert.equal(headers["access-control-allow-origin"], "*");
    assert.equal(headers["access-control-allow-credentials"], undefined);
  }
  const opaque = await ask("/log?topic=t", { headers: { origin: "null" } });
  assert.equal(opaque.headers["access-control-allow-origin"], undefined);
  const written = await openNode({ cors_origins: ["*", "null"] }).ask("/log?topic=t", { headers: { origin: "null" } });
  assert.equal(written.headers["access-control-allow-origin"], "null");
});

Deno.test("M1.10 what comes from no page gets the answer it got before, the shared one", async () => {
  const { log, handle } = openNode({ cors_origins: [page] });
  const answer = handle(request("/log?topic=t"));
  log.commit();
  assert.equal(await answer, accepted);
});

Deno.test("M1.10 without CORS nothing is granted, and the pixel is as before with it", async () => {
  const { headers } = await openNode().ask("/log?topic=t", { headers: { origin: page } });
  assert.deepEqual(aboutOrigins(headers), {});
  const pixel = await openNode({ cors_origins: [page] }).ask("/log.gif?topic=t");
  assert.deepEqual(pixel.headers, { "content-type": "image/gif", "cache-control": "no-store" });
});
