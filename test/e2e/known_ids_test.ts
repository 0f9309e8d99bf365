/** Messages sent again under their ids, over restarts and kills; bad lines that are diverted. */
import assert from "node:assert";
import { type Node, startNode } from "./node.ts";
import { arrived } from "./output.ts";

const lines = { "content-type": "application/x-ndjson" };

async function post(node: Node, search: string, body: string, headers: Record<string, string> = {}): Promise<Response> {
  const answer = await fetch(`http://${node.http}/log${search}`, {
    method: "POST",
    headers: { ...lines, ...headers },
    body,
  });
  if (answer.status === 204) await answer.body?.cancel();
  return answer;
}

Deno.test("M1.9 P7: messages sent again under their ids, before and after kill -9 and an orderly stop, are stored once", async () => {
  const body = Array.from({ length: 1000 }, (_, i) => `{"topic":"once","id":"m${i}","data":${i}}`).join("\n");
  const event = { "ce-specversion": "1.0", "ce-id": "%E2%98%83", "ce-source": "/s", "ce-type": "t" };
  const sendAll = async (node: Node, repeated: string | null) => {
    const answers = [await post(node, "", body), await post(node, "?topic=event", "1", event)];
    assert.deepEqual(answers.map(({ status }) => status), [204, 204]);
    assert.deepEqual(answers.map(({ headers }) => headers.get("sparkngin-repeated")), [repeated, repeated && "1"]);
  };
  await using first = await startNode();
  await sendAll(first, null);
  await sendAll(first, "1000");
  first.kill("SIGKILL");
  await first.exited;
  await using second = await startNode({ dir: first.dir });
  await sendAll(second, "1000");
  assert.equal(await second.stop(), 0);
  await using third = await startNode({ dir: first.dir });
  const answer = await post(
    third,
    "?receipt=1",
    '{"topic":"once","id":"m7"}\n{"topic":"once","id":"new","data":"new"}',
  );
  assert.deepEqual(await answer.json(), { ids: ["new"], repeated: 1, ack: "disk" });
  await sendAll(third, "1000");
  const messages = await arrived(`${first.dir}/data/out`, "once", 1001);
  assert.equal(new Set(messages.map(({ data }) => data)).size, messages.length);
  assert.equal((await arrived(`${first.dir}/data/out`, "event")).length, 1);
});

Deno.test("M1.9: a request under a key of which some messages came before under their ids is answered alike again", async () => {
  await using node = await startNode();
  await post(node, "?topic=t", '{"id":"a"}');
  const key = { "idempotency-key": "k" };
  const body = '{"data":1}\n{"id":"a"}\n{"data":2}';
  const first = await post(node, "?topic=t&receipt=1", body, key);
  const again = await post(node, "?topic=t&receipt=1", body, key);
  const [told, toldAgain] = [await first.json(), await again.json()];
  assert.deepEqual([told.ids.length, told.repeated], [2, 1]);
  assert.deepEqual(toldAgain, { count: 2, repeated: 1, ack: "disk" });
  assert.equal((await arrived(`${node.dir}/data/out`, "t", 3)).length, 3);
});

Deno.test("M1.2 bad lines arrive in the topic of bad rows, beside the good ones in theirs", async () => {
  await using node = await startNode({ config: '[http]\nbad_topic = "bad"\n' });
  const answer = await post(node, "?topic=good&on_bad=divert&receipt=1", '{"data":1}\nbroken\n{"data":3}\n');
  const { diverted, ids } = await answer.json();
  assert.deepEqual([answer.status, diverted, ids.length], [200, 1, 3]);
  const [bad] = await arrived(`${node.dir}/data/out`, "bad");
  const { reason, ...rest } = JSON.parse(bad!.data!);
  assert.match(reason, /breaks at byte 1/);
  assert.deepEqual([rest, bad!.id], [{ line: 2, raw: "broken" }, ids[1]]);
  assert.equal((await arrived(`${node.dir}/data/out`, "good", 2)).length, 2);
  const metrics = await (await fetch(`http://${node.management}/metrics`)).text();
  assert.match(metrics, /messages_diverted_total 1\n/);
});
