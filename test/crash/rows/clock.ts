/** A wall clock that jumps under load, also across a restart: order, time limits and what nobody has had yet do not care. */
import assert from "node:assert";
import { Connection, getRequest } from "../../e2e/connection.ts";
import { makeTempDir, type Node, runCommand } from "../../e2e/node.ts";
import { outputFiles, parseLine } from "../../e2e/output.ts";
import { eventually, pause } from "../../e2e/waiting.ts";
import { chance, Driver } from "../driver.ts";
import { assertCalm, Recoveries, sumOf, underLoad } from "../life.ts";
import { missing } from "../needs.ts";
import { drainTo, stopInTime, tell } from "../operator.ts";
import { type Findings, Oracle } from "../oracle.ts";
import type { Order, Outcome, Row } from "../row.ts";

/** As libfaketime writes them; the third is in the last second of summer time, the last one goes 5 % too fast. */
const clocks = ["-1h", "+1y", "@2026-10-25 02:59:59.7", "@1970-01-01 01:00:05", "+0", "+0 x1.05"];
/** Not all of them, so that a start meets now one and now another. */
const jumpsALife = 4;
const ackDeadlineMs = 1000;
/** A machine with more to do than it can; the least jump is an hour. */
const slackMs = 30_000;

/** Delivered messages are removed by age within one tick; the output, which holds what we look at, is not. */
const config = `
[http]
ack = ["disk", "delivered"]
ack_deadline = "${ackDeadlineMs}ms"

[log]
segment = "1MiB"
retain = "1h"

[[destination]]
name = "out"
kind = "file"
keep = "0s"
keep_max = "0"

[[destination]]
name = "second"
kind = "file"
keep = "0s"
keep_max = "0"
`;

function library(): string | undefined {
  const paths = ["x86_64", "aarch64"].map((cpu) => `/usr/lib/${cpu}-linux-gnu/faketime/libfaketimeMT.so.1`);
  return paths.find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });
}

interface Life {
  readonly dir: string;
  readonly env: Readonly<Record<string, string>>;
  readonly driver: Driver;
  readonly random: () => number;
  readonly recoveries: Recoveries;
}

async function run({ runs, seed, goOn }: Order): Promise<Outcome> {
  await using home = await makeTempDir();
  const dir = home.path;
  const env = {
    LD_PRELOAD: library()!,
    FAKETIME_TIMESTAMP_FILE: `${dir}/clock`,
    FAKETIME_NO_CACHE: "1",
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
    NO_FAKE_STAT: "1",
    TZ: "Europe/Berlin",
  };
  const life = { dir, env, driver: new Driver(seed, 4), random: chance(seed, -11), recoveries: new Recoveries() };
  await setClock(life, "+0");
  let done = 0;
  do {
    done += await live(life, Math.min(jumpsALife, runs - done), done);
  } while (done < runs && goOn(done));
  const findings = await settle(life);
  for (const { copies } of findings) assert.equal(copies, 0);
  return {
    runs: done,
    accepted: life.driver.count("ok"),
    findings: sumOf(findings),
    worstRecoveryMs: life.recoveries.worstMs,
  };
}

/** So many jumps while one node runs; it ends with a kill or in order, and the next one starts by the clock as it is then. */
async function live(life: Life, jumps: number, from: number): Promise<number> {
  const { dir, env, driver, random, recoveries } = life;
  await using node = await recoveries.start({ dir, env, config });
  if (from === 0) await tell(node, "second", "pause");
  await underLoad(node, driver, async () => {
    for (let i = 0; i < jumps; i++) await jump(life, node, clocks[(from + i) % clocks.length]!);
    if (random() < 0.5) return void await stopInTime(node);
    node.kill("SIGKILL");
    await node.exited;
  });
  assertCalm(node);
  return jumps;
}

/** Time limits are under way while the clock jumps: that of a half sent head, and that of an answer that waits for a delivery. */
async function jump(life: Life, node: Node, clock: string): Promise<void> {
  using half = await Connection.open(node.http);
  await half.send("GET /log?topic=half HTTP/1.1\r\n");
  using waiting = await Connection.open(node.http);
  const begin = performance.now();
  const late = waiting.ask(getRequest("/log?topic=late&ack=delivered:second"))
    .then(({ status }) => ({ status, ms: performance.now() - begin }));
  await pause(100 + life.random() * 300);
  await setClock(life, clock);
  const { status, ms } = await late;
  assert.equal(status, 202);
  assert.ok(ms > ackDeadlineMs * 0.9 && ms < ackDeadlineMs + slackMs, `An answer was late after ${ms} ms`);
  const reply = await half.ask("Host: localhost\r\n\r\n");
  assert.equal(reply.status, 204, reply.body);
}

async function setClock({ env }: Pick<Life, "env">, clock: string): Promise<void> {
  // By renaming: half a line would be another time.
  await Deno.writeTextFile(`${env.FAKETIME_TIMESTAMP_FILE}.new`, `${clock}\n`);
  await Deno.rename(`${env.FAKETIME_TIMESTAMP_FILE}.new`, env.FAKETIME_TIMESTAMP_FILE!);
}

/** The first destination had all as it came, and the log could forget it; the second one gets all of it only now. */
async function settle(life: Life): Promise<Findings[]> {
  const { dir, env, driver, recoveries } = life;
  const outputs = { out: `${dir}/data/out`, second: `${dir}/data/out-second` };
  const resumed = await runCommand(["destination", "resume", "second", "--data", "data"], { dir });
  assert.equal(resumed.code, 0, resumed.stderr);
  await setClock(life, "+1y");
  await using node = await recoveries.start({ dir, env, config });
  await drainTo(outputs, node);
  await eventually("what both have had to be removed by its age", () => hasLowMark(dir));
  await stopInTime(node);
  return await Promise.all(Object.values(outputs).map((output) => examineByPosition(driver, output)));
}

async function hasLowMark(dir: string): Promise<boolean> {
  return (await Deno.stat(`${dir}/data/low`)).isFile;
}

/** Names of files tell the hour of the clock, so the position in the ids tells the order. */
async function examineByPosition(driver: Driver, dir: string): Promise<Findings> {
  const lines: { position: number; data: string }[] = [];
  for (const topic of driver.topics) {
    for (const file of await outputFiles(dir, topic, [".ndjson", ".open"])) lines.push(...await inOrder(file));
  }
  const oracle = new Oracle(driver);
  for (const { data } of lines.sort((a, b) => a.position - b.position)) oracle.see(data);
  return oracle.findings();
}

async function inOrder(file: string): Promise<{ position: number; data: string }[]> {
  const lines = (await Deno.readTextFile(file)).split("\n").filter((line) => line !== "").map(parseLine)
    .map(({ id, data }) => ({ position: Number(id.split("-")[2]), data: data ?? "" }));
  lines.forEach(({ position }, i) => assert.ok(i === 0 || position > lines[i - 1]!.position, `${file}: ${position}`));
  return lines;
}

export const row: Row = {
  number: 11,
  name: "clock −1 h, +1 y, 1970, end of summer time, 5 % too fast, while it runs",
  promises: "P1 P2 P6 P17",
  runs: { ci: 6, full: 60, nightly: 600 },
  missing: () => missing([]) || (library() === undefined ? "needs faketime" : ""),
  run,
};
