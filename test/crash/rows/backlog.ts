/** A backlog behind every destination, one of which is dead: memory and start do not grow with it, and it drains. */
import assert from "node:assert";
import { Connection, postRequest } from "../../e2e/connection.ts";
import { makeTempDir, type Node, runCommand } from "../../e2e/node.ts";
import { eventually } from "../../e2e/waiting.ts";
import { Driver } from "../driver.ts";
import { Recoveries, sumOf, underLoad } from "../life.ts";
import { missing } from "../needs.ts";
import { standings, stopInTime, tell } from "../operator.ts";
import { examine } from "../oracle.ts";
import { memoryMiB } from "../resources.ts";
import type { Order, Outcome, Row } from "../row.ts";

const messagesARun = 100_000;
const messagesARequest = 5000;
/** So much every thread has drained before memory is compared: by then its heap is as large as it gets. */
const smallBacklog = 300_000;
const growthMiBMax = 50;
const startMsMax = 10_000;
const drainMs = 30 * 60_000;
const live = ["out", "second"];

const config = `
[http]
messages_max = ${messagesARequest}

[[destination]]
name = "out"
kind = "file"
keep_max = "0"

[[destination]]
name = "second"
kind = "file"
keep_max = "0"

[[destination]]
name = "dead"
kind = "kafka"
brokers = ["127.0.0.1:1"]
`;

interface Life {
  readonly dir: string;
  readonly driver: Driver;
  readonly recoveries: Recoveries;
}

async function run({ runs, seed, goOn }: Order): Promise<Outcome> {
  await using home = await makeTempDir();
  const life = { dir: home.path, driver: new Driver(seed, 2), recoveries: new Recoveries() };
  await gather(life, async (node) => await send(node, smallBacklog));
  const small = await drain(life);
  let done = 0;
  const gathered = await gather(life, async (node) => {
    do await send(node, messagesARun); while (++done < runs && goOn(done));
  });
  const drained = await drain(life);
  const growth = Math.max(gathered, drained.peakMiB) - small.peakMiB;
  assert.ok(growth <= growthMiBMax, `${gathered} MiB gathering, ${drained.peakMiB} draining, ${small.peakMiB} before`);
  assert.ok(drained.startMs <= startMsMax, `The start took ${drained.startMs} ms`);
  const found = await Promise.all([`${home.path}/data/out`, `${home.path}/data/out-second`]
    .map((out) => examine(life.driver, out)));
  return {
    runs: done,
    accepted: life.driver.count("ok") + smallBacklog + done * messagesARun,
    findings: sumOf(found),
    worstRecoveryMs: life.recoveries.worstMs,
    remark: `${done * messagesARun} messages behind each of 3 destinations: ${gathered} MiB at most while they came, ` +
      `${drained.peakMiB} while two of them drained (${small.peakMiB} with ${smallBacklog}); ` +
      `started in ${drained.startMs} ms (${small.startMs} with ${smallBacklog})`,
  };
}

/** Nobody takes anything meanwhile; the most memory it had. Afterwards those that live may. */
async function gather(life: Life, act: (node: Node) => Promise<void>): Promise<number> {
  const { dir, driver, recoveries } = life;
  await using node = await recoveries.start({ dir, config });
  for (const name of live) await tell(node, name, "pause");
  await underLoad(node, driver, () => act(node));
  const peak = memoryMiB(node, "VmHWM");
  await stopInTime(node);
  for (const name of live) {
    const resumed = await runCommand(["destination", "resume", name, "--data", "data"], { dir });
    assert.equal(resumed.code, 0, resumed.stderr);
  }
  return peak;
}

async function send(node: Node, count: number): Promise<void> {
  const text = "x".repeat(60);
  const message = `{"topic":"bulk","level":"info","key":"k","data":{"user":"u-1","page":"/a/b/c","text":"${text}"}}\n`;
  const body = new TextEncoder().encode(message.repeat(messagesARequest));
  const request = postRequest("/log", "application/x-ndjson", body);
  using line = await Connection.open(node.http);
  for (let sent = 0; sent < count; sent += messagesARequest) {
    const { status, body } = await line.ask(request);
    assert.equal(status, 204, body);
  }
}

/** Until those that live have all of it, while the dead one has none; what memory and start were. */
async function drain({ dir, recoveries }: Life): Promise<{ readonly peakMiB: number; readonly startMs: number }> {
  const begin = performance.now();
  await using node = await recoveries.start({ dir, config });
  const startMs = Math.round(performance.now() - begin);
  const all = await eventually("those that live to have all", async () => {
    const found = await standings(node);
    return found.every(({ name, pending }) => pending === 0 || !live.includes(name)) && found;
  }, drainMs);
  for (const { name, conserved, dead, damaged, position } of all) {
    assert.deepEqual([conserved, dead, damaged], [true, 0, 0], name);
    assert.equal(position === 0, name === "dead");
  }
  const peakMiB = memoryMiB(node, "VmHWM");
  await stopInTime(node);
  return { peakMiB, startMs };
}

export const row: Row = {
  number: 14,
  name: "a backlog behind three destinations, one of them dead",
  promises: "P2 P14 P16",
  runs: { ci: 2, full: 20, nightly: 100 },
  missing: () => missing([]),
  run,
};
