/** A browser as it is: its pixels, beacons, preflights, cookies and event streams, and not what we take them for. */
import assert from "node:assert";
import { chromium, type Page } from "playwright-core";
import { startNode } from "./node.ts";
import { arrived } from "./output.ts";
import { hangMs } from "./waiting.ts";

const names = ["chromium", "chromium-browser", "google-chrome"];
const found = names.map((name) =>
  new Deno.Command("sh", { args: ["-c", 'command -v "$0"', name], stdout: "piped" }).outputSync()
).find(({ success }) => success);
const executablePath = found && new TextDecoder().decode(found.stdout).trim();

/** A page of nothing, from a server of its own. */
function servePages(): Deno.HttpServer<Deno.NetAddr> {
  const headers = { "content-type": "text/html" };
  const body = "<!doctype html><title>page</title>";
  return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => new Response(body, { headers }));
}

function fact(name: string, run: (page: Page) => Promise<void>): void {
  const fn = async () => {
    // As root it does not start within a sandbox.
    const browser = await chromium.launch({ executablePath: executablePath!, args: ["--no-sandbox"], timeout: hangMs });
    try {
      const page = await browser.newPage();
      page.setDefaultTimeout(hangMs);
      await run(page);
    } finally {
      await browser.close();
    }
  };
  const needs = executablePath ? "" : " (needs chromium)";
  // What the library leaves open is none of ours.
  Deno.test({ name: name + needs, ignore: !executablePath, sanitizeResources: false, sanitizeOps: false, fn });
}

/** Whether an image came, and its width. */
const showImage = (page: Page, url: string): Promise<number> =>
  page.evaluate((url) =>
    new Promise((resolve, reject) => {
      const image = new (globalThis as any).Image();
      image.onload = () => resolve(image.naturalWidth);
      image.onerror = () => reject(new Error("no image"));
      image.src = url;
    }), url);

/** The answer as the page sees it; its status is 0 when it may not. */
const post = (page: Page, url: string, body: string): Promise<{ status: number; ack: string | null }> =>
  page.evaluate(async ({ url, body }) => {
    const headers = { "content-type": "application/json", "idempotency-key": body };
    try {
      const answer = await fetch(url, { method: "POST", headers, body });
      return { status: answer.status, ack: answer.headers.get("sparkngin-ack") };
    } catch {
      return { status: 0, ack: null };
    }
  }, { url, body });

fact(
  "M1.6 M1.10: Chromium shows the pixel, keeps its cookie, sends beacons, and reads what CORS lets it",
  async (page) => {
    await using pages = servePages();
    const { port } = pages.addr;
    const origin = `http://127.0.0.1:${port}`;
    const config = `[http]\ncors_origins = ["${origin}"]\nvisitor_cookie = "visitor"\n`;
    await using node = await startNode({ config });
    const url = `http://${node.http}`;
    await page.goto(origin);

    for (const n of [1, 2]) assert.equal(await showImage(page, `${url}/tracker/pixel/site?n=${n}`), 1);
    const pixels = await arrived(`${node.dir}/data/out`, "pixel", 2);
    const [first, second] = pixels.map(({ fields }) => (fields.cookies as { visitor: string }).visitor);
    assert.match(first!, /^[0-9a-f]{32}$/);
    assert.equal(second, first);
    assert.equal(pixels[0]!.fields.referrer, `${origin}/`);
    assert.match(String(pixels[0]!.fields.user_agent), /Chrome\/\d/);

    const beacons = await page.evaluate(([text, blob]) => {
      const { navigator, Blob } = globalThis as any;
      const packed = new Blob(['{"data":"blob"}'], { type: "application/json" });
      return [navigator.sendBeacon(text, '{"data":"text"}'), navigator.sendBeacon(blob, packed)];
    }, [`${url}/log?topic=text`, `${url}/log?topic=blob`]);
    assert.deepEqual(beacons, [true, true]);
    for (const topic of ["text", "blob"]) {
      assert.deepEqual((await arrived(`${node.dir}/data/out`, topic)).map(({ data }) => data), [`"${topic}"`]);
    }

    assert.deepEqual(await post(page, `${url}/log?topic=fetched`, '{"data":1}'), { status: 204, ack: "disk" });
    assert.deepEqual(await post(page, `${url}/log`, '{"data":3}'), { status: 400, ack: null });
    await page.goto(`http://localhost:${port}`);
    assert.deepEqual(await post(page, `${url}/log?topic=fetched`, '{"data":2}'), { status: 0, ack: null });
    assert.deepEqual((await arrived(`${node.dir}/data/out`, "fetched")).map(({ data }) => data), ["1"]);
  },
);

fact("M1.11: Chromium's EventSource follows the tail, by topic", async (page) => {
  await using node = await startNode();
  await page.goto(`http://${node.management}/`);
  await page.evaluate(() =>
    new Promise<void>((resolve, reject) => {
      const scope = globalThis as any;
      scope.seen = [];
      const source = new scope.EventSource("/tail?topic=web.*");
      source.onopen = () => resolve();
      source.onerror = () => reject(new Error("no stream"));
      source.onmessage = ({ data }: { data: string }) => scope.seen.push(JSON.parse(data));
    })
  );
  for (const topic of ["web.a", "other", "web.b"]) {
    const answer = await fetch(`http://${node.http}/log?topic=${topic}&text=%0A%22%C3%A4`);
    assert.equal(answer.status, 204);
  }
  await page.waitForFunction(() => (globalThis as any).seen.length >= 2);
  const seen = await page.evaluate(() => (globalThis as any).seen);
  assert.deepEqual(seen.map(({ topic, data }: any) => [topic, data]), [
    ["web.a", { text: '\n"ä' }],
    ["web.b", { text: '\n"ä' }],
  ]);
});
