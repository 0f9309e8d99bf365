/** Acknowledgements a request may ask for, where the listener gives them. */
import assert from "node:assert";
import { Connection, getRequest } from "./connection.ts";
import { startNode } from "./node.ts";
import { arrived, readOutput } from "./output.ts";

const http = '[http]\nack = ["memory", "disk", "delivered"]\nack_deadline = "1s"\n';
const file = '[[destination]]\nname = "out"\nkind = "file"\n';
const dead =
  '[[destination]]\nname = "dead"\nkind = "kafka"\nbrokers = ["127.0.0.1:1"]\nfilter = { topic = "far.*" }\n';

Deno.test("P1: delivered means that the line is in the file when the answer comes", async () => {
  await using node = await startNode({ config: http + file + dead });
  using connection = await Connection.open(node.http);
  for (let i = 1; i <= 20; i++) {
    const reply = await connection.ask(getRequest(`/log?topic=near&n=${i}&ack=delivered`));
    assert.deepEqual([reply.status, reply.headers.get("sparkngin-ack")], [204, "delivered"], reply.body);
    assert.equal((await readOutput(`${node.dir}/data/out`, "near")).length, i);
  }
  const named = await connection.ask(getRequest("/log?topic=far.x&ack=delivered:out"));
  assert.deepEqual([named.status, named.headers.get("sparkngin-ack")], [204, "delivered"], named.body);
});

Deno.test("P1: what a destination does not confirm in time is told to be on disk, by its id", async () => {
  await using node = await startNode({ config: http + file + dead });
  using connection = await Connection.open(node.http);
  const reply = await connection.ask(getRequest("/log?topic=far.x&n=1&ack=delivered"));
  assert.deepEqual([reply.status, reply.headers.get("sparkngin-ack")], [202, "disk"], reply.body);
  const [message] = await arrived(`${node.dir}/data/out`, "far.x");
  assert.deepEqual(JSON.parse(reply.body).ids, [message!.id]);
});

Deno.test("P1: memory is said to be no more than that, and is delivered all the same", async () => {
  await using node = await startNode({ config: http + file });
  using connection = await Connection.open(node.http);
  for (let i = 0; i < 100; i++) {
    const reply = await connection.ask(getRequest(`/log?topic=t&n=${i}&ack=memory`));
    assert.deepEqual([reply.status, reply.headers.get("sparkngin-ack")], [204, "memory"], reply.body);
  }
  const messages = await arrived(`${node.dir}/data/out`, "t", 100);
  assert.deepEqual(messages.map(({ data }) => data), Array.from({ length: 100 }, (_, i) => `{"n":"${i}"}`));
});
