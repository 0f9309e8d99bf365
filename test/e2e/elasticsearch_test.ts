/** From HTTP into real nodes of Elasticsearch and OpenSearch, while they and we are killed, and what they refuse for good. */
import assert from "node:assert/strict";
import { Driver } from "../crash/driver.ts";
import { Oracle } from "../crash/oracle.ts";
import { type Elastic, missing, type Product, products, startElastic } from "../services/elasticsearch.ts";
import { type Node, runCommand, startNode } from "./node.ts";
import { examineRoundTrips } from "./round_trips.ts";
import { eventually, pause } from "./waiting.ts";

const needs = missing();
/** A node that was killed serves again only after a while. */
const nodeMs = 180_000;

function fact(product: Product, name: string, run: () => Promise<void>): void {
  const text = `${product}: ${name}${needs === undefined ? "" : ` (needs ${needs})`}`;
  Deno.test({ name: text, ignore: needs !== undefined, fn: run });
}

function configFor(elastic: Elastic, more = ""): string {
  return `[[destination]]\nname = "es"\nkind = "elasticsearch"\nnodes = ["${elastic.url}"]\nindex = "%topic%"\n${more}\n`;
}

examineRoundTrips("Elasticsearch", async () => {
  const elastic = await startElastic(products[0]!);
  return {
    port: Number(new URL(elastic.url).port),
    config: (port) => `kind = "elasticsearch"\nnodes = ["http://127.0.0.1:${port}"]\nindex = "%topic%"`,
    [Symbol.asyncDispose]: () => elastic.stop(),
  };
}, { lacks: needs === undefined ? "" : ` (needs ${needs})` });

async function disposable(product: Product, settings = {}): Promise<AsyncDisposable & { readonly elastic: Elastic }> {
  const elastic = await startElastic(product, { settings });
  return { elastic, [Symbol.asyncDispose]: () => elastic.stop() };
}

async function statusOf(node: Node): Promise<Record<string, any>> {
  return (await (await fetch(`http://${node.management}/status`)).json()).destinations[0];
}

async function caughtUp(node: Node): Promise<void> {
  await eventually("everything to be in the index", async () => (await statusOf(node)).pending === 0, nodeMs);
}

/** Offers messages while `trouble` lasts and a little beyond. */
async function offerDuring(node: Node, driver: Driver, trouble: () => Promise<void>): Promise<void> {
  const stop = new AbortController();
  const offered = driver.offer(node.http, stop.signal);
  await pause(500);
  await trouble();
  await pause(500);
  stop.abort();
  await offered;
}

/** Every accepted message is there once: its id is that of one document, and its payload is in no other. */
async function assertAllThere(elastic: Elastic, driver: Driver): Promise<void> {
  const oracle = new Oracle(driver);
  for (const topic of driver.topics) {
    const hits = await elastic.read(topic);
    assert.equal(new Set(hits.map(({ id }) => id)).size, hits.length);
    for (const { source } of hits) oracle.see(JSON.stringify(source.data), topic);
  }
  const { arrived, ...rest } = oracle.findings();
  assert.deepEqual(rest, { copies: 0, lost: 0, unexpected: 0, altered: 0, inverted: 0, torn: 0 });
  assert.ok(arrived >= driver.count("ok") && arrived > 100, String(arrived));
}

for (const product of products) {
  fact(
    product,
    "P2 P3 P7: the node killed with -9 under load, and we killed with -9 under load: what was accepted is there once",
    async () => {
      await using own = await disposable(product);
      const { elastic } = own;
      const driver = new Driver(5, 4);
      for (const topic of driver.topics) await elastic.createIndex(topic);
      const config = configFor(elastic, 'timeout = "5s"\ncompression = "gzip"');
      await using first = await startNode({ config });
      await offerDuring(first, driver, async () => {
        await elastic.kill();
        await pause(1000);
        await elastic.restart();
      });
      await caughtUp(first);
      await offerDuring(first, driver, async () => {
        first.kill("SIGKILL");
        await first.exited;
      });
      await using second = await startNode({ config, dir: first.dir });
      await offerDuring(second, driver, () => pause(500));
      await caughtUp(second);
      await assertAllThere(elastic, driver);
      assert.equal((await statusOf(second)).conserved, true);
    },
  );
}

const dead = async (node: Node, ...args: string[]) => {
  const ended = await runCommand(["dead", ...args], {
    dir: node.dir,
    env: { SPARKNGIN_URL: `http://${node.management}` },
  });
  assert.deepEqual([ended.code, ended.stderr], [0, ""], ended.stderr);
  return ended.stdout;
};

fact(
  "opensearch",
  "M4 P15: what does not fit the mapping is a dead letter, which can be seen, sent again and thrown away; its neighbours arrive",
  async () => {
    await using own = await disposable("opensearch");
    const { elastic } = own;
    const numbers = { properties: { data: { properties: { n: { type: "long" } } } } };
    await elastic.createIndex("shop", numbers);
    await using node = await startNode({ config: configFor(elastic) });
    const lines = Array.from(
      { length: 20 },
      (_, n) => `{"topic":"shop","data":{"n":${n % 5 === 4 ? `"x\\u001b${n}"` : n}}}`,
    );
    const answer = await fetch(`http://${node.http}/log`, {
      method: "POST",
      headers: { "content-type": "application/x-ndjson" },
      body: lines.join("\n"),
    });
    assert.equal(answer.status, 204, await answer.text());
    await caughtUp(node);
    assert.equal(await elastic.count("shop"), 16);
    const rows = (await dead(node, "ls", "es", "--json")).trim().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual(rows.map(({ destination, position, tries }) => [destination, position, tries]), [
      ...[4, 9, 14, 19].map((position) => ["es", position, 1]),
    ]);
    assert.match(rows[0].reason, /^400 mapper_parsing_exception: failed to parse field \[data\.n\]/);
    assert.match(await dead(node, "show", "es", "9"), /^message: .* shop .*\{"n":"x\\u001b9"\}$/m);
    // The mapping is mended.
    await elastic.must("DELETE", "/shop");
    await elastic.createIndex("shop", { properties: { data: { properties: { n: { type: "keyword" } } } } });
    assert.equal(await dead(node, "replay", "es", "--position", "9"), "es: 1 dead letter will be sent again\n");
    await eventually("the letter to be in the index", async () => await elastic.count("shop") === 1);
    await eventually("its verdict", async () => (await statusOf(node)).dead === 3);
    const { taken, conserved } = await statusOf(node);
    assert.deepEqual([taken, conserved], [17, true]);
    assert.match(
      await dead(node, "purge", "es", "--yes", "--position", "4"),
      /^es: 1 dead letter thrown away, 2 left$/m,
    );
    assert.equal(await node.stop(), 0);
    const cold = async (...args: string[]) =>
      (await runCommand(["dead", ...args, "--data", "data"], { dir: node.dir })).stdout;
    assert.equal(await cold("replay", "es"), "es: 2 dead letters will be sent again when the server runs\n");
    await using again = await startNode({ config: configFor(elastic), dir: node.dir });
    await eventually("all letters to be in the index", async () => await elastic.count("shop") === 3);
    await eventually("no dead letter to be left", async () => (await dead(again, "ls", "es", "--json")) === "");
    assert.equal((await statusOf(again)).taken, 19);
  },
);

fact(
  "elasticsearch",
  "P2 P6: where the node's queue is full, what it turns away comes again alone, and every message is there once",
  async () => {
    await using own = await disposable("elasticsearch", {
      "thread_pool.write.size": "1",
      "thread_pool.write.queue_size": "1",
      "node.processors": "1",
    });
    const { elastic } = own;
    for (const index of ["crash.a", "crash.b", "noise"]) await elastic.createIndex(index);
    const driver = new Driver(6, 4);
    await using node = await startNode({ config: configFor(elastic, 'linger = "0ms"') });
    const stop = new AbortController();
    let turnedAway = 0;
    const noise = Array.from({ length: 6 }, async () => {
      const body = '{"create":{"_index":"noise"}}\n{"a":"b c d e f"}\n'.repeat(1000);
      const headers = { "content-type": "application/x-ndjson" };
      while (!stop.signal.aborted) {
        const answer = await fetch(`${elastic.url}/_bulk?filter_path=items.*.status`, {
          method: "POST",
          headers,
          body,
        });
        if ((await answer.text()).includes("429")) turnedAway++;
      }
    });
    await offerDuring(node, driver, () => pause(4000));
    stop.abort();
    await Promise.all(noise);
    await caughtUp(node);
    assert.ok(turnedAway > 0, "the queue was never full");
    const copies = new Oracle(driver);
    for (const topic of driver.topics) {
      for (const { source } of await elastic.read(topic)) copies.see(JSON.stringify(source.data), topic);
    }
    // The order in which an index has them is not kept where single documents come again.
    const { arrived, inverted: _, ...rest } = copies.findings();
    assert.deepEqual(rest, { copies: 0, lost: 0, unexpected: 0, altered: 0, torn: 0 });
    assert.equal(arrived, driver.count("ok"));
  },
);
