/** What a node takes of the machine stays within bounds, whatever comes. Looked up from outside, in /proc. */
import assert from "node:assert";
import { Connection, getRequest, postRequest } from "./connection.ts";
import { type Node, startNode } from "./node.ts";
import { arrived } from "./output.ts";
import { eventually } from "./waiting.ts";

const ignore = Deno.build.os !== "linux";
const needs = ignore ? " (needs Linux)" : "";
const residentMiBMax = 350;
const idleMiBMax = 110;

function openFiles({ pid }: Node): number {
  return [...Deno.readDirSync(`/proc/${pid}/fd`)].length;
}

/** The most it ever had in memory. */
function peakMiB({ pid }: Node): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)![1]) / 1024;
}

async function accepted(node: Node): Promise<number> {
  return (await (await fetch(`http://${node.http}/status`)).json()).accepted;
}

Deno.test({
  name: `M1: 2000 connections leave no open file behind${needs}`,
  ignore,
  async fn() {
    await using node = await startNode();
    await connectOften(node, 200);
    await arrived(`${node.dir}/data/out`, "t", 200);
    const before = openFiles(node);
    await connectOften(node, 2000);
    await arrived(`${node.dir}/data/out`, "t", 2200);
    await eventually(`no more than ${before} open files`, () => openFiles(node) <= before + 5);
  },
});

/** One request each, twenty at a time; every fifth breaks off in the middle of another. */
async function connectOften(node: Node, count: number): Promise<void> {
  let left = count;
  const one = async (i: number) => {
    using connection = await Connection.open(node.http);
    assert.equal((await connection.ask(getRequest(`/log?topic=t&n=${i}`))).status, 204);
    if (i % 5 === 0) await connection.send("POST /log?topic=t HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{");
  };
  const worker = async () => {
    while (left > 0) await one(left--);
  };
  await Promise.all(Array.from({ length: 20 }, worker));
}

Deno.test({
  name: `M7.4: a lack of open files ends neither the node nor, when it is over, its management${needs}`,
  ignore,
  async fn() {
    await using node = await startNode();
    // Those it has stay open; no other can be opened.
    await limitOpenFiles(node, 3);
    await eventually("a word about it", async () => {
      // Who asks while the door is made anew is told nothing.
      await Connection.open(node.management).then((asking) => asking.close(), () => {});
      return node.stderr().includes("management: ");
    });
    await limitOpenFiles(node, 1000);
    const status = await eventually("an answer", () => fetch(`http://${node.management}/status`));
    assert.equal((await status.json()).accepted, 0);
    assert.equal(await node.stop(), 0);
  },
});

async function limitOpenFiles({ pid }: Node, count: number): Promise<void> {
  const { success } = await new Deno.Command("prlimit", { args: [`--pid=${pid}`, `--nofile=${count}:`] }).output();
  assert.ok(success);
}

Deno.test({
  name: `P16: idle, with all room made ahead, a node has less than ${idleMiBMax} MiB of its own in memory${needs}`,
  ignore,
  async fn() {
    await using node = await startNode();
    // The ballast is made last.
    await eventually("room made ahead", () => exists(`${node.dir}/data/log/ballast`));
    const own = ownMiB(node);
    assert.ok(own < idleMiBMax, `${own} MiB`);
    assert.equal(await node.stop(), 0);
  },
});

/** What no other process and no file shares. */
function ownMiB({ pid }: Node): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)![1]) / 1024;
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

Deno.test({
  name: `P14 P16: a million messages behind a dead destination take less than ${residentMiBMax} MiB of memory${needs}`,
  ignore,
  async fn() {
    const config = `
[[destination]]
name = "out"
kind = "file"
filter = { topic = "other" }

[[destination]]
name = "dead"
kind = "kafka"
brokers = ["127.0.0.1:1"]
`;
    await using node = await startNode({ config });
    await sendMillion(node);
    assert.equal(await accepted(node), 1_000_000);
    using connection = await Connection.open(node.http);
    assert.equal((await connection.ask(getRequest("/log?topic=other&n=1"))).status, 204);
    await arrived(`${node.dir}/data/out`, "other");
    const status = await (await fetch(`http://${node.management}/status`)).json();
    assert.equal(status.destinations[1].pending, 1_000_001);
    assert.ok(peakMiB(node) < residentMiBMax, `${peakMiB(node)} MiB`);
    assert.equal(await node.stop(), 0);
  },
});

async function sendMillion(node: Node): Promise<void> {
  const line = `{"topic":"t","level":"info","key":"k","data":{"user":"u-1","page":"/a/b/c","text":"${
    "x".repeat(60)
  }"}}\n`;
  const request = postRequest("/log", "application/x-ndjson", new TextEncoder().encode(line.repeat(5000)));
  const sender = async () => {
    using connection = await Connection.open(node.http);
    for (let i = 0; i < 100; i++) assert.equal((await connection.ask(request)).status, 204);
  };
  await Promise.all([sender(), sender()]);
}
