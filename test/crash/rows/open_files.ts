/** Four times as many clients as the system allows open files: some are told to come again, the operator is answered, nothing is lost. */
import assert from "node:assert";
import { Connection, getRequest } from "../../e2e/connection.ts";
import { launchNode, makeTempDir, type Node } from "../../e2e/node.ts";
import { eventually, pause } from "../../e2e/waiting.ts";
import { Driver } from "../driver.ts";
import { takeOne, underLoad } from "../life.ts";
import { carryOut, missing } from "../needs.ts";
import { drainTo, stopInTime } from "../operator.ts";
import { examine } from "../oracle.ts";
import type { Order, Outcome, Row } from "../row.ts";

const filesMax = 256;
const clients = 1000;
const loadMs = 2500;
const lookEveryMs = 250;
/** An operator waits so long for an answer; a machine with more to do than it can gives few at once. */
const answerMsMax = 1000;
const recoveryMsMax = 30_000;

/** Small segments: each needs handles when the next one begins. */
const config = `
[log]
segment = "256KiB"

[[destination]]
name = "out"
kind = "file"
keep_max = "0"
`;

/** How often an operator was answered while the clients were there. */
interface Looks {
  asked: number;
  answered: number;
}

async function run({ runs, seed, goOn }: Order): Promise<Outcome> {
  await using home = await makeTempDir();
  const dir = home.path;
  const out = `${dir}/data/out`;
  const driver = new Driver(seed, clients);
  const looks: Looks = { asked: 0, answered: 0 };
  let worstRecoveryMs = 0;
  let done = 0;
  await using node = await startLimited(dir);
  do {
    await takeOne(node, "first");
    await underLoad(node, driver, () => look(node, looks));
    worstRecoveryMs = Math.max(worstRecoveryMs, await recover(node));
    done++;
  } while (done < runs && goOn(done));
  assert.ok(looks.answered > 0.25 * looks.asked, `an operator was answered ${looks.answered} of ${looks.asked} times`);
  await drainTo({ out }, node);
  await stopInTime(node);
  return {
    runs: done,
    accepted: driver.count("ok"),
    findings: await examine(driver, out),
    worstRecoveryMs,
    remark: `${driver.count("fail")} messages told 503; an operator was answered ${looks.answered} of ${looks.asked} ` +
      "times meanwhile",
  };
}

async function startLimited(dir: string): Promise<Node> {
  const node = await launchNode({ dir, config });
  try {
    await carryOut("prlimit", "--pid", String(node.pid), `--nofile=${filesMax}:${filesMax}`);
    return await node.ready();
  } catch (problem) {
    await node[Symbol.asyncDispose]();
    throw problem;
  }
}

async function look(node: Node, looks: Looks): Promise<void> {
  for (const end = performance.now() + loadMs; performance.now() < end; looks.asked++) {
    if (await isAnswered(node, answerMsMax)) looks.answered++;
    await pause(lookEveryMs);
    assert.ok(!node.ended, node.stderr());
  }
}

/** Down a connection of its own, as a command does it. */
async function isAnswered(node: Node, patienceMs: number): Promise<boolean> {
  let line: Connection | undefined;
  const answered = async () => {
    line = await Connection.open(node.management);
    return (await line.ask(getRequest("/status"))).status === 200;
  };
  try {
    return await Promise.race([answered().catch(() => false), pause(patienceMs).then(() => false)]);
  } finally {
    line?.close();
  }
}

/** From the last request on: messages are taken, and the operator is answered. */
async function recover(node: Node): Promise<number> {
  const begin = performance.now();
  await eventually("a message to be taken", () => takeOne(node, "again").then(() => true));
  await eventually("an answer to the operator", () => isAnswered(node, recoveryMsMax));
  const tookMs = Math.round(performance.now() - begin);
  assert.ok(tookMs <= recoveryMsMax, `It took ${tookMs} ms to recover`);
  return tookMs;
}

export const row: Row = {
  number: 16,
  name: `${filesMax} open files, ${clients} clients`,
  promises: "P1 P2 P4",
  runs: { ci: 1, full: 10, nightly: 100 },
  missing: () => missing([]) || (Deno.uid() === 0 ? "" : "needs root"),
  run,
};
