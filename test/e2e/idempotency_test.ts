/** Requests sent again under their Idempotency-Key, over restarts and kills: each is stored once. */
import assert from "node:assert";
import { type Node, startNode } from "./node.ts";
import { arrived } from "./output.ts";

interface Sent {
  readonly key: string;
  readonly body: string;
  readonly search?: string;
}

async function post(node: Node, { key, body, search = "" }: Sent): Promise<Response> {
  const headers = { "content-type": "application/json", "idempotency-key": key };
  const answer = await fetch(`http://${node.http}/log${search}`, { method: "POST", headers, body });
  if (answer.status === 204) await answer.body?.cancel();
  return answer;
}

const messageOf = (i: number) => `{"topic":"once","data":${i}}`;

Deno.test("M1.9: a request sent again is stored once and answered again; another one under its key is refused", async () => {
  await using node = await startNode();
  const first = await post(node, { key: "k", body: messageOf(1), search: "?receipt=1" });
  const again = await post(node, { key: '"k"', body: messageOf(1), search: "?receipt=1" });
  assert.deepEqual([first.status, again.status], [200, 200]);
  assert.deepEqual(await again.json(), await first.json());
  assert.deepEqual([first, again].map(({ headers }) => headers.get("idempotent-replayed")), [null, "true"]);
  const other = await post(node, { key: "k", body: messageOf(2), search: "?receipt=1" });
  assert.deepEqual([other.status, (await other.json()).type], [422, "/errors/key-reused"]);
  const bad = await post(node, { key: "x".repeat(256), body: messageOf(2) });
  assert.deepEqual([bad.status, (await bad.json()).field], [400, "Idempotency-Key"]);
  for (const replayed of [null, "true"]) {
    const answer = await fetch(`http://${node.http}/log?topic=once&n=get`, { headers: { "idempotency-key": "get" } });
    assert.deepEqual([answer.status, answer.headers.get("idempotent-replayed")], [204, replayed]);
  }
  assert.equal((await arrived(`${node.dir}/data/out`, "once", 2)).length, 2);
  assert.match(await (await fetch(`http://${node.management}/metrics`)).text(), /requests_repeated_total 2\n/);
  assert.equal(await node.stop(), 0);
  assert.equal((await arrived(`${node.dir}/data/out`, "once", 2)).length, 2);
});

Deno.test("M1.9 P7: of many at once one is stored; the others hear that it is under way, or what it came to", async () => {
  await using node = await startNode();
  const answers = await Promise.all(Array.from({ length: 50 }, () => post(node, { key: "k", body: messageOf(1) })));
  const statuses = Map.groupBy(answers, ({ status }) => status);
  assert.ok([...statuses.keys()].every((status) => status === 204 || status === 409));
  const fresh = answers.filter(({ status, headers }) => status === 204 && !headers.has("idempotent-replayed"));
  assert.equal(fresh.length, 1);
  await post(node, { key: "end", body: '{"topic":"end"}' });
  await arrived(`${node.dir}/data/out`, "end", 1);
  assert.equal((await arrived(`${node.dir}/data/out`, "once", 1)).length, 1);
});

Deno.test("M1.9 P7: how long the node was away does not count: what it took last is known when it is back", async () => {
  const config = '[http]\nidempotency_window = "1s"\n';
  await using first = await startNode({ config });
  const message = '{"topic":"once","id":"a"}';
  await post(first, { key: "k", body: messageOf(1) });
  await post(first, { key: "id", body: message });
  first.kill("SIGKILL");
  await first.exited;
  await new Promise((resolve) => setTimeout(resolve, 1500));
  await using second = await startNode({ dir: first.dir, config });
  const again = await post(second, { key: "k", body: messageOf(1) });
  assert.equal(again.headers.get("idempotent-replayed"), "true");
  const byId = await post(second, { key: "other", body: message });
  assert.equal(byId.headers.get("sparkngin-repeated"), "1");
});

Deno.test("M1.9 P7: 1000 requests sent again, before and after kill -9 and an orderly stop, are stored once each", async () => {
  const count = 1000;
  const all = Array.from({ length: count }, (_, i) => ({ key: `k${i}`, body: messageOf(i) }));
  const sendAll = async (node: Node) => {
    const statuses = new Set<number>();
    for (let at = 0; at < count; at += 50) {
      for (const answer of await Promise.all(all.slice(at, at + 50).map((one) => post(node, one)))) {
        statuses.add(answer.status);
      }
    }
    assert.deepEqual([...statuses], [204]);
  };
  await using first = await startNode();
  await sendAll(first);
  await sendAll(first);
  first.kill("SIGKILL");
  await first.exited;
  await using second = await startNode({ dir: first.dir });
  await sendAll(second);
  assert.equal(await second.stop(), 0);
  await using third = await startNode({ dir: first.dir });
  await sendAll(third);
  assert.equal(await third.stop(), 0);
  const lines = await arrived(`${first.dir}/data/out`, "once", count);
  assert.equal(lines.length, count);
  assert.equal(new Set(lines.map(({ data }) => data)).size, count);
});
