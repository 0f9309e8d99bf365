/** What destinations in trouble cost a file destination beside them and those who send, and what memory each further one takes. */
import assert from "node:assert";
import { memoryMiB } from "../crash/resources.ts";
import { Connection, postRequest } from "./connection.ts";
import { type Node, startNode } from "./node.ts";
import { eventually, pause } from "./waiting.ts";

const ignore = Deno.build.os !== "linux";
const needs = ignore ? " (needs Linux)" : "";
const messages = 100_000;
const messagesARequest = 100;
const connections = 4;
const settleMs = 3000;
/** Its memory has come to rest when it does not change by more for so long. */
const steadyMiB = 1;
const steadyMs = 6000;
const steadyTries = 20;
/** As the guide has it: what a thread gives back goes back to the system. */
const env = { MALLOC_MMAP_THRESHOLD_: "131072" };
/** What one may take, and what heaps differ by from run to run. */
const furtherMiBMax = 25;
const slackMiB = 40;

const file = (name: string) => `[[destination]]\nname = "${name}"\nkind = "file"\ndir = "${name}"\n`;
/** Nobody listens there. */
const dead = `[[destination]]\nname = "dead"\nkind = "kafka"\nbrokers = ["127.0.0.1:1"]\n`;
/** Somebody does, and never says a word. */
const frozen = (port: number) =>
  `[[destination]]\nname = "frozen"\nkind = "webhook"\nurl = "http://127.0.0.1:${port}/"\n`;

interface Found {
  readonly intakePerSecond: number;
  readonly filePerSecond: number;
  readonly residentMiB: number;
  /** When the load was over. */
  readonly restedMiB: number;
}

Deno.test({
  name:
    `P14 P16: beside a dead and a frozen destination the file has everything; five further ones take about ${furtherMiBMax} MiB each at most, after a load, too${needs}`,
  ignore,
  async fn() {
    using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const trouble = dead + frozen((silent.addr as Deno.NetAddr).port);
    const alone = await measure(file("near"));
    const beside = await measure(file("near") + trouble);
    const many = await measure(file("near") + trouble + ["one", "two", "three"].map(file).join(""));
    const further = (name: keyof Found) => (many[name] - alone[name]) / 5;
    const ratio = (name: keyof Found) => (beside[name] / alone[name]).toFixed(2);
    console.log(
      `beside a dead and a frozen one: intake ${ratio("intakePerSecond")} ×, file ${ratio("filePerSecond")} ×; ` +
        `${further("residentMiB").toFixed(1)} MiB each of five further destinations, ` +
        `${further("restedMiB").toFixed(1)} MiB after a load`,
    );
    for (const name of ["residentMiB", "restedMiB"] as const) {
      const each = further(name);
      const found = JSON.stringify({ alone, beside, many });
      assert.ok(each <= furtherMiBMax + slackMiB / 5, `${name}: ${each} MiB each: ${found}`);
    }
  },
});

/** What the node has in memory when each destination had something, and then how fast messages are taken, and are in the file. */
async function measure(config: string): Promise<Found> {
  await using node = await startNode({ config, env });
  await send(node, messagesARequest);
  await eventually("the file to have the first", () => hasAll(node, messagesARequest));
  // Those in trouble have loaded what they need by then.
  await pause(settleMs);
  const residentMiB = memoryMiB(node);
  const begin = performance.now();
  await Promise.all(Array.from({ length: connections }, () => send(node, messages / connections)));
  const intakeMs = performance.now() - begin;
  await eventually("the file to have everything", () => hasAll(node, messages + messagesARequest));
  const fileMs = performance.now() - begin;
  const restedMiB = await rested(node);
  assert.equal(await node.stop(), 0, node.stderr());
  return {
    intakePerSecond: messages / intakeMs * 1000,
    filePerSecond: messages / fileMs * 1000,
    residentMiB,
    restedMiB,
  };
}

/** What it has once that changes no more. */
async function rested(node: Node): Promise<number> {
  for (let tries = 0, before = Infinity;; tries++) {
    const now = memoryMiB(node);
    if (before - now <= steadyMiB || tries === steadyTries) return now;
    before = now;
    await pause(steadyMs);
  }
}

async function send({ http }: Node, count: number): Promise<void> {
  const line = `{"topic":"t","data":{"page":"/a/b/c","text":"${"x".repeat(100)}"}}\n`;
  const body = new TextEncoder().encode(line.repeat(messagesARequest));
  const request = postRequest("/log", "application/x-ndjson", body);
  using connection = await Connection.open(http);
  for (let sent = 0; sent < count; sent += messagesARequest) {
    const { status, body } = await connection.ask(request);
    assert.equal(status, 204, body);
  }
}

/** All that have no trouble. */
async function hasAll({ management }: Node, count: number): Promise<boolean> {
  const { destinations } = await (await fetch(`http://${management}/status`)).json();
  const well = destinations.filter(({ kind }: { kind: string }) => kind === "file");
  return well.length > 0 && well.every(({ taken }: { taken: number }) => taken === count);
}
