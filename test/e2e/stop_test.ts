/** Being told to stop: what was answered is on disk, the process ends soon, and a start goes on where it was. */
import assert from "node:assert";
import { Driver } from "../crash/driver.ts";
import { examine } from "../crash/oracle.ts";
import { Connection, getRequest } from "./connection.ts";
import { launchNode, makeTempDir, type Node, startCommand, startNode } from "./node.ts";
import { arrived, outputFiles } from "./output.ts";
import { eventually, pause } from "./waiting.ts";

/** A stop that takes longer hangs: the program gives itself 5 s. */
const stopMs = 30_000;

/** Nobody listens on port 1, so what is sent to it waits. */
const deadDestination = `
[[destination]]
name = "dead"
kind = "kafka"
brokers = ["127.0.0.1:1"]
`;

async function send(node: Node, count: number, topic = "t"): Promise<void> {
  using connection = await Connection.open(node.http);
  for (let i = 0; i < count; i++) {
    assert.equal((await connection.ask(getRequest(`/log?topic=${topic}&n=${i}`))).status, 204);
  }
}

/** Stops it, and says that this was an orderly end. */
async function assertStops(node: Node, signal: Deno.Signal = "SIGTERM"): Promise<void> {
  const begin = performance.now();
  node.kill(signal);
  assert.equal(await node.exited, 0, node.stderr());
  assert.ok(performance.now() - begin < stopMs, node.stderr());
}

async function segments(dir: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(`${dir}/data/log`)) if (name.endsWith(".seg")) names.push(name);
  return names.sort();
}

Deno.test("P20: SIGTERM and SIGINT end it with 0; a start after that finds nothing to complain of", async () => {
  await using home = await makeTempDir();
  for (const [i, signal] of (["SIGTERM", "SIGINT"] as const).entries()) {
    await using node = await startNode({ dir: home.path });
    await send(node, 10);
    await arrived(`${home.path}/data/out`, "t", 10 * (i + 1));
    await assertStops(node, signal);
    // What the publisher says that there is by default depends on who else has its port.
    const said = node.log().filter(({ destination }) => destination !== "pub");
    assert.deepEqual(said.map(({ level, message }) => `${level} ${message}`), [
      "info ready",
      `info stopping on ${signal}`,
      "info stopped",
    ]);
  }
  assert.equal((await arrived(`${home.path}/data/out`, "t", 20)).length, 20);
  assert.deepEqual(await outputFiles(`${home.path}/data/out`, "t", [".open"]), []);
});

Deno.test("M3.2: a destination that is paused at a start is resumed by an order", async () => {
  await using home = await makeTempDir();
  await using first = await startNode({ dir: home.path });
  await order(first, "pause");
  await send(first, 5);
  await assertStops(first);
  await using second = await startNode({ dir: home.path });
  // Enough for memory to be tidied up: what waits for the order must survive it.
  await send(second, 3000, "other");
  await order(second, "resume");
  assert.equal((await arrived(`${home.path}/data/out`, "t", 5)).length, 5);
  await assertStops(second);
});

async function order(node: Node, what: string): Promise<void> {
  const headers = { "content-type": "application/json" };
  const answer = await fetch(`http://${node.management}/destinations/out/${what}`, {
    method: "POST",
    headers,
    body: "{}",
  });
  assert.equal(answer.status, 200, await answer.text());
}

Deno.test("P2 P20: what no destination had at SIGTERM is delivered after the next start, in order", async () => {
  await using home = await makeTempDir();
  const dir = home.path;
  await using first = await startNode({ dir, config: deadDestination });
  await send(first, 500);
  await assertStops(first);
  const config = '[[destination]]\nname = "out"\nkind = "file"\nfrom = "oldest"\n';
  await using _second = await startNode({ dir, config });
  const messages = await arrived(`${dir}/data/out`, "t", 500);
  assert.deepEqual(messages.map(({ data }) => data), Array.from({ length: 500 }, (_, i) => `{"n":"${i}"}`));
});

Deno.test("M1: a start without new messages makes no segment, and sends nothing again", async () => {
  await using home = await makeTempDir();
  const dir = home.path;
  for (let start = 0; start < 4; start++) {
    await using node = await startNode({ dir });
    if (start === 0) await send(node, 3);
    await arrived(`${dir}/data/out`, "t", 3);
    await assertStops(node);
    assert.equal((await segments(dir)).length, 1);
  }
  assert.equal((await arrived(`${dir}/data/out`, "t", 3)).length, 3);
});

Deno.test("P1 P20: SIGTERM under load loses, alters and invents nothing that was answered", async () => {
  await using home = await makeTempDir();
  const driver = new Driver(20, 8);
  for (let start = 0; start < 4; start++) {
    await using node = await startNode({ dir: home.path });
    const offering = new AbortController();
    const offered = driver.offer(node.http, offering.signal);
    await pause(200 + 150 * start);
    await assertStops(node);
    offering.abort();
    await offered;
  }
  await using last = await startNode({ dir: home.path });
  await send(last, 1, "fresh");
  await arrived(`${home.path}/data/out`, "fresh");
  await assertStops(last);
  const { arrived: there, ...rest } = await examine(driver, `${home.path}/data/out`);
  assert.deepEqual(rest, { copies: 0, lost: 0, unexpected: 0, altered: 0, inverted: 0, torn: 0 });
  assert.ok(there >= driver.count("ok") && driver.count("ok") > 100);
});

Deno.test("P20: a stop waits for nobody: idle connections, half requests, open tails, a dead destination", async () => {
  await using node = await startNode({ config: deadDestination });
  await send(node, 10);
  using _idle = await Connection.open(node.http);
  using half = await Connection.open(node.http);
  await half.send("POST /log?topic=t HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{");
  await using tail = await startCommand(["tail", "--url", `http://${node.management}`]);
  await eventually("an open tail", async () => {
    await send(node, 1);
    return tail.stdout() !== "";
  });
  await assertStops(node);
});

Deno.test("P20: a second SIGTERM ends it at once", async () => {
  await using node = await startNode();
  await send(node, 10);
  node.kill("SIGTERM");
  await eventually("the first", () => node.ended || node.stderr().includes("stopping on SIGTERM"));
  await assertStops(node);
});

Deno.test("P20: SIGHUP reads the configuration again, however often it comes", async () => {
  await using node = await startNode();
  for (let i = 0; i < 50; i++) {
    node.kill("SIGHUP");
    await send(node, 1);
  }
  await eventually("a word about it", () => node.stderr().includes("reloaded: nothing has changed"));
  await arrived(`${node.dir}/data/out`, "t", 50);
  await assertStops(node);
});

Deno.test("P20: SIGTERM in the middle of a start ends it, and does no harm", async () => {
  await using home = await makeTempDir();
  const dir = home.path;
  for (let waitMs = 0; waitMs <= 400; waitMs += 50) {
    await using node = await launchNode({ dir });
    await pause(waitMs);
    node.kill("SIGTERM");
    // Before there is a handler the signal itself ends the process.
    const code = await node.exited;
    assert.ok(code === 0 || code === 143, `${code} ${node.stderr()}`);
  }
  await using node = await startNode({ dir });
  await send(node, 1);
  await arrived(`${dir}/data/out`, "t");
  assert.ok(!node.log().some(({ level, destination }) => level !== "info" && destination !== "pub"), node.stderr());
});
