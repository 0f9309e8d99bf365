/** Less memory than it is asked for: more load than it can take, and bodies that it cannot hold; the system may kill it. */
import assert from "node:assert";
import { Connection, postRequest } from "../../e2e/connection.ts";
import { launchNode, makeTempDir, type Node } from "../../e2e/node.ts";
import { pause } from "../../e2e/waiting.ts";
import { Driver } from "../driver.ts";
import { Recoveries, sumOf, takeOne, underLoad } from "../life.ts";
import { MemoryCap } from "../memory_cap.ts";
import { drainTo, stopInTime } from "../operator.ts";
import { examine } from "../oracle.ts";
import type { Order, Outcome, Row } from "../row.ts";

const capBytes = 256 << 20;
const clients = 256;
const largeClients = 48;
const loadMs = 2500;

const config = `
[[destination]]
name = "out"
kind = "file"
keep_max = "0"
`;

/** The largest that is taken by default, of lines that no driver knows of. */
const largeBody = new TextEncoder().encode(`{"topic":"large","data":"${"x".repeat(800)}"}\n`.repeat(9700));

async function run({ runs, seed, goOn }: Order): Promise<Outcome> {
  await using home = await makeTempDir();
  await using cap = await MemoryCap.make(capBytes);
  const dir = home.path;
  const driver = new Driver(seed, clients);
  const recoveries = new Recoveries();
  let done = 0;
  let survived = 0;
  do {
    await using node = await startCapped(dir, cap, recoveries);
    const large = done % 2 === 1;
    await underLoad(node, driver, async () => {
      if (large) await sendLarge(node);
      else await pause(loadMs);
    });
    await assertKilledOrWell(node);
    if (!node.ended) survived++;
    done++;
  } while (done < runs && goOn(done));
  await using node = await startCapped(dir, cap, recoveries);
  await drainTo({ out: `${dir}/data/out` }, node);
  await stopInTime(node);
  return {
    runs: done,
    accepted: driver.count("ok"),
    findings: sumOf([await examine(driver, `${dir}/data/out`)]),
    worstRecoveryMs: recoveries.worstMs,
    remark: `killed by the system ${await cap.kills()} times, survived ${survived}; ` +
      `${await cap.peakMiB()} MiB at most, with the cache of the disk`,
  };
}

async function startCapped(dir: string, cap: MemoryCap, recoveries: Recoveries): Promise<Node> {
  const begin = performance.now();
  const node = await launchNode({ dir, config });
  try {
    await cap.take(node);
    await node.ready();
    await takeOne(node, "first");
    recoveries.note(performance.now() - begin);
    return node;
  } catch (problem) {
    await node[Symbol.asyncDispose]();
    throw problem;
  }
}

/** Nothing else may end it. */
async function assertKilledOrWell(node: Node): Promise<void> {
  if (!node.ended) return await takeOne(node, "again");
  assert.equal(await node.exited, 137, node.stderr());
}

/** Bodies at once that are more than all of its memory, each answered or broken off. */
async function sendLarge(node: Node): Promise<void> {
  const request = postRequest("/log", "application/x-ndjson", largeBody);
  const one = async () => {
    using line = await Connection.open(node.http);
    const { status, body } = await line.ask(request);
    assert.ok(status === 204 || status === 503, `${status} ${body}`);
  };
  const ends = await Promise.allSettled(Array.from({ length: largeClients }, one));
  for (const end of ends) if (end.status === "rejected") assert.ok(!(end.reason instanceof assert.AssertionError));
}

export const row: Row = {
  number: 15,
  name: "256 MiB of memory under overload, and bodies larger than that",
  promises: "P1 P2 P4 P16",
  runs: { ci: 2, full: 50, nightly: 500 },
  missing: () => MemoryCap.missing(),
  run,
};
