/** A node that may open no more files, for a while. */
import assert from "node:assert";
import { Connection, type Reply } from "./connection.ts";
import { type Node, startNode } from "./node.ts";
import { eventually } from "./waiting.ts";

const ignore = Deno.build.os !== "linux";
const needs = ignore ? " (needs Linux)" : "";

/** Every second message needs a segment of its own. */
const config = '[log]\nsegment = "64KiB"\n[[destination]]\nname = "out"\nkind = "file"\n';
const body = "x".repeat(40_000);

function post(connection: Connection): Promise<Reply> {
  const head = `POST /log?topic=t HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}`;
  return connection.ask(`${head}\r\n\r\n${body}`);
}

/** Those it has stay open. */
async function limitOpenFiles({ pid }: Node, count: number): Promise<void> {
  const { success } = await new Deno.Command("prlimit", { args: [`--pid=${pid}`, `--nofile=${count}:`] }).output();
  assert.ok(success);
}

Deno.test({
  name: `P12: a log that may open no more files refuses with a reason of its own, and goes on by itself${needs}`,
  ignore,
  async fn() {
    await using node = await startNode({ config });
    using connection = await Connection.open(node.http);
    for (let i = 0; i < 5; i++) assert.equal((await post(connection)).status, 204);
    await limitOpenFiles(node, 3);
    const accepted = await untilRefused(connection);
    await limitOpenFiles(node, 1000);
    await eventually("a message that is taken again", async () => (await post(connection)).status === 204);
    const all = 5 + accepted + 1;
    await eventually("all of them at the destination", () => hasTaken(node, all));
    assert.equal(await node.stop(), 0);
  },
});

Deno.test({
  name: `P12: connections that take all handles are bounded, so that the log and the operator have theirs${needs}`,
  ignore,
  async fn() {
    await using node = await startNode({ config });
    await limitOpenFiles(node, 150);
    const open = await Promise.all(Array.from({ length: 300 }, () => Connection.open(node.http)));
    await eventually("a bound on connections", () => node.stderr().includes("connections at once from now on"));
    await eventually("an answer to the operator", async () => (await fetch(`http://${node.management}/status`)).ok);
    assert.ok(boundsOf(node).every((most) => most >= 16), node.stderr());
    const taken = async () => {
      using connection = await Connection.open(node.http);
      return (await post(connection)).status === 204;
    };
    for (const connection of open.slice(0, 280)) connection.close();
    await eventually("a message that is taken", () => taken().catch(() => false));
    for (const connection of open.slice(280)) connection.close();
    for (let i = 0; i < 10; i++) await eventually("another one", () => taken().catch(() => false));
    assert.equal(await node.stop(), 0);
  },
});

/** How many connections there may be, each time that it says so. */
function boundsOf(node: Node): number[] {
  return [...node.stderr().matchAll(/only (\d+) connections at once/g)].map(([, most]) => Number(most));
}

/** How many were accepted before; what was refused says why, and keeps nothing. */
async function untilRefused(connection: Connection): Promise<number> {
  for (let accepted = 0;; accepted++) {
    const { status, headers, body } = await post(connection);
    if (status === 204) continue;
    const { type, outcome } = JSON.parse(body);
    assert.deepEqual([status, headers.get("retry-after"), type, outcome], [
      503,
      "1",
      "/errors/system-exhausted",
      undefined,
    ]);
    return accepted;
  }
}

async function hasTaken(node: Node, count: number): Promise<boolean> {
  const answer = await fetch(`http://${node.management}/status`);
  const { destinations, accepted } = await answer.json();
  assert.equal(accepted, count);
  return destinations[0].taken === count;
}
