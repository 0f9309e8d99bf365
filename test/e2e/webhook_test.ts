/** From HTTP into a webhook, while the receiver and we come and go. */
import assert from "node:assert/strict";
import { Driver } from "../crash/driver.ts";
import { Oracle } from "../crash/oracle.ts";
import { startReceiver } from "../services/receiver.ts";
import { type Node, runCommand, startNode } from "./node.ts";
import { examineRoundTrips } from "./round_trips.ts";
import { eventually, pause } from "./waiting.ts";

const limitMs = 120_000;

examineRoundTrips("webhook", async () => {
  const receiver = await startReceiver();
  return {
    port: receiver.port,
    config: (port) => `kind = "webhook"\nurl = "http://127.0.0.1:${port}/in"`,
    [Symbol.asyncDispose]: () => receiver[Symbol.asyncDispose](),
  };
});

function configFor(url: string): string {
  return `kind = "webhook"\nurl = "${url}"\nformat = "raw"\ntimeout = "2s"\n`;
}

async function pendingOf(node: Node): Promise<{ pending: number; last_error: string; required: boolean }> {
  const { destinations } = await (await fetch(`http://${node.management}/status`)).json();
  return destinations[0];
}

Deno.test("P2 P3 P6 webhook: a receiver that comes and goes and a node that is killed: everything arrives, in order, byte for byte", async () => {
  const driver = new Driver(1, 4);
  let receiver = await startReceiver();
  const { port, url } = receiver;
  const config = `[[destination]]\nname = "hook"\n${configFor(url)}compression = "zstd"\n`;
  const lines: string[] = [];
  await using first = await startNode({ config });
  await offerDuring(first, driver, async () => {
    await receiver[Symbol.asyncDispose]();
    lines.push(...receiver.lines());
    await pause(1000);
    receiver = await startReceiver({ port });
  });
  const stop = new AbortController();
  const offered = driver.offer(first.http, stop.signal);
  await pause(300);
  first.kill("SIGKILL");
  await first.exited;
  stop.abort();
  await offered;
  await using second = await startNode({ config, dir: first.dir });
  await eventually("everything to be there", async () => (await pendingOf(second)).pending === 0, limitMs);
  lines.push(...receiver.lines());
  await receiver[Symbol.asyncDispose]();
  const oracle = new Oracle(driver);
  for (const line of lines) oracle.see(line);
  const { lost, unexpected, altered, inverted, torn } = oracle.findings();
  assert.deepEqual({ lost, unexpected, altered, inverted, torn }, {
    lost: 0,
    unexpected: 0,
    altered: 0,
    inverted: 0,
    torn: 0,
  });
  assert.ok(driver.count("ok") > 100);
});

async function offerDuring(node: Node, driver: Driver, trouble: () => Promise<void>): Promise<void> {
  const stop = new AbortController();
  const offered = driver.offer(node.http, stop.signal);
  await pause(500);
  await trouble();
  await pause(500);
  stop.abort();
  await offered;
  assert.deepEqual([driver.count("fail"), driver.count("unknown")], [0, 0], node.stderr());
}

Deno.test("P15 webhook: what is refused is a dead letter, and neither secrets nor the receiver's words get out as they are", async () => {
  await using receiver = await startReceiver();
  receiver.answer = ({ text }) =>
    text.includes("poison") ? { status: 422, text: "\u001b[31mbad\nline" } : { status: 200 };
  const secrets = { bearer: "s3cret-token", signature_secret: "s3cret-key" };
  const written = Object.entries(secrets).map(([name, value]) => `${name} = "${value}"\n`).join("");
  const config = `[[destination]]\nname = "hook"\n${
    configFor(receiver.url)
  }${written}headers = { X-Key = "s3cret-header" }\n`;
  await using node = await startNode({ config });
  const data = Array.from({ length: 50 }, (_, n) => `{"topic":"t","data":${n === 17 ? '"poison"' : n}}`).join("\n");
  const headers = { "content-type": "application/x-ndjson" };
  await (await fetch(`http://${node.http}/log`, { method: "POST", headers, body: data })).body?.cancel();
  await eventually("49 taken", () => receiver.lines().length === 49, limitMs);
  assert.ok(!receiver.lines().includes('"poison"'));
  assert.equal((await pendingOf(node)).required, true);
  receiver.answer = () => ({ status: 500, text: "\u001b[31mbad\nline" });
  await (await fetch(`http://${node.http}/log?topic=t&x=1`)).body?.cancel();
  const { last_error } = await eventually("the trouble", async () => {
    const status = await pendingOf(node);
    return status.last_error !== "" && status;
  }, limitMs);
  assert.match(last_error, /answers 500: "\\u001b\[31mbad\\u000aline"$/);
  const shown = await runCommand(["config"], { dir: node.dir });
  for (const text of [node.stderr(), node.stdout(), shown.stdout, last_error]) {
    assert.ok(!text.includes("s3cret"), text);
  }
});
