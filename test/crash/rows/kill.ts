/** The real program, killed at random times under load and in its start, and started again on the same directory. */
import assert from "node:assert";
import { launchNode, makeTempDir, type Node } from "../../e2e/node.ts";
import { pause } from "../../e2e/waiting.ts";
import { chance, Driver } from "../driver.ts";
import { assertCalm, drain, inStretches, Recoveries, smallFiles, sumOf, underLoad } from "../life.ts";
import { examine, type Findings } from "../oracle.ts";
import type { Order, Outcome, Row } from "../row.ts";

export const row: Row = {
  number: 3,
  name: "kill -9 under load, and in the start",
  promises: "P1 P2 P3 P6 P7",
  runs: { ci: 100, full: 1000, nightly: 5000 },
  missing: () => "",
  run: (order) => inStretches(order, 100, killOften),
};

interface Round {
  readonly dir: string;
  readonly driver: Driver;
  readonly random: () => number;
  readonly recoveries: Recoveries;
}

async function killOften({ runs, seed, goOn }: Order): Promise<Outcome> {
  await using home = await makeTempDir();
  const round = { dir: home.path, driver: new Driver(seed, 6), random: chance(seed, -1), recoveries: new Recoveries() };
  let done = 0;
  for (let goesOn = true; goesOn && done < runs;) {
    const end = chooseEnd(round.random());
    await ways[end](round);
    if (end !== "stopped") goesOn = goOn(++done);
  }
  const found = await settle(round);
  const accepted = round.driver.count("ok");
  assert.ok(accepted > 0);
  return { runs: done, accepted, findings: sumOf(found), worstRecoveryMs: round.recoveries.worstMs };
}

type End = "killed" | "killedInStart" | "stopped";

function chooseEnd(number: number): End {
  return number < 0.1 ? "stopped" : number < 0.25 ? "killedInStart" : "killed";
}

const ways: Readonly<Record<End, (round: Round) => Promise<void>>> = {
  async killed(round) {
    await live(round, async (node) => {
      node.kill("SIGKILL");
      await node.exited;
    });
  },
  async killedInStart({ dir, random }) {
    await using node = await launchNode({ dir, config: smallFiles });
    await pause(random() * 500);
    node.kill("SIGKILL");
  },
  async stopped(round) {
    await live(round, async (node) => assert.equal(await node.stop(), 0, node.stderr()));
  },
};

async function live({ dir, driver, random, recoveries }: Round, end: (node: Node) => Promise<void>): Promise<void> {
  await using node = await recoveries.start({ dir, config: smallFiles });
  await underLoad(node, driver, async () => {
    await pause(30 + random() * 600);
    await end(node);
  });
  assertCalm(node);
}

/** What came of it at each of the two destinations. */
async function settle({ dir, driver, recoveries }: Round): Promise<Findings[]> {
  const outs = [`${dir}/data/out`, `${dir}/data/out-second`];
  await using node = await recoveries.start({ dir });
  const standings = await drain(node, outs);
  for (const { taken, position } of standings) assert.equal(taken, position);
  const found = await Promise.all(outs.map((out) => examine(driver, out)));
  // This destination recognises what comes again.
  for (const { copies } of found) assert.equal(copies, 0);
  return found;
}
