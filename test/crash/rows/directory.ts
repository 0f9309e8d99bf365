/** Who may use a data directory: one process at a time, of its own node; what a dead one left of its lock stops nobody. */
import assert from "node:assert";
import { launchNode, makeTempDir, type Node, runCommand, startNode } from "../../e2e/node.ts";
import { pause } from "../../e2e/waiting.ts";
import { chance, Driver } from "../driver.ts";
import { assertCalm, Recoveries, smallFiles, sumOf, takeOne, underLoad } from "../life.ts";
import { missing } from "../needs.ts";
import { drainTo, stopInTime } from "../operator.ts";
import { examine, type Findings } from "../oracle.ts";
import type { Order, Outcome, Row } from "../row.ts";
import { copyTree, digestTree } from "../tree.ts";

const locked = 75;
const badData = 65;
const rivals = 4;

interface Life {
  readonly dir: string;
  readonly config: string;
  readonly driver: Driver;
  readonly random: () => number;
  readonly recoveries: Recoveries;
}

const cases: Readonly<Record<string, (life: Life) => Promise<Findings | void>>> = {
  async "a second process is told who has it, and the first does not notice"(life) {
    await using first = await life.recoveries.start(life);
    await underLoad(first, life.driver, async () => {
      await pause(life.random() * 200);
      await assertRefused(life.dir, locked, `process ${first.pid} on `);
      await pause(100);
    });
    assertCalm(first);
    await stopInTime(first);
  },

  async "of several that start at once one has it"(life) {
    await using all = new AsyncDisposableStack();
    const launched: Node[] = [];
    for (let i = 0; i < rivals; i++) launched.push(all.use(await launchNode(life)));
    const ends = await Promise.all(launched.map((node) => node.ready().then(() => undefined, () => node.exited)));
    const winners = launched.filter((_, i) => ends[i] === undefined);
    assert.deepEqual([winners.length, ...ends.filter((code) => code !== undefined)], [
      1,
      ...Array(rivals - 1).fill(75),
    ]);
    await underLoad(winners[0]!, life.driver, () => pause(100));
    await stopInTime(winners[0]!);
  },

  async "a killed one's lock is stale at once"(life) {
    const killed = await startNode(life);
    await underLoad(killed, life.driver, async () => {
      await pause(100 + life.random() * 200);
      killed.kill("SIGKILL");
      await killed.exited;
    });
    await using next = await life.recoveries.start(life);
    await stopInTime(next);
  },

  async "a lock's text without its holder is nothing, whoever it names"(life) {
    await Deno.writeTextFile(`${life.dir}/data/LOCK`, `process 1 on ${Deno.hostname()}\n`);
    await using node = await life.recoveries.start(life);
    await stopInTime(node);
  },

  async "a copied directory starts beside the one it was copied from"(life) {
    await using place = await makeTempDir();
    await copyTree(`${life.dir}/data`, `${place.path}/data`);
    await using first = await life.recoveries.start(life);
    await using copy = await startNode({ dir: place.path, config: smallFiles });
    assert.equal(nodeOf(copy), nodeOf(first));
    await takeOne(copy, "only.here");
    await drainTo({ out: `${place.path}/data/out` }, copy);
    await stopInTime(copy);
    const findings = await examine(life.driver, `${place.path}/data/out`);
    await underLoad(first, life.driver, () => pause(150));
    await stopInTime(first);
    return findings;
  },

  async "a directory that says another node is refused and left as it is"(life) {
    await using place = await makeTempDir();
    await using other = await startNode({ dir: place.path });
    await stopInTime(other);
    const own = await Deno.readFile(`${life.dir}/data/node`);
    await Deno.copyFile(`${place.path}/data/node`, `${life.dir}/data/node`);
    await assertUntouched(life.dir, () => assertRefused(life.dir, badData, "the directory says node"));
    await Deno.writeFile(`${life.dir}/data/node`, own);
  },

  async "a segment of another node is refused and left as it is"(life) {
    await using place = await makeTempDir();
    await using other = await startNode({ dir: place.path });
    await takeOne(other, "foreign");
    await stopInTime(other);
    const [name] = [...Deno.readDirSync(`${place.path}/data/log`)].map(({ name }) => name)
      .filter((name) => name.endsWith(".seg"));
    await Deno.copyFile(`${place.path}/data/log/${name}`, `${life.dir}/data/log/${name}`);
    await assertUntouched(life.dir, () => assertRefused(life.dir, badData, "its head says node"));
    await Deno.remove(`${life.dir}/data/log/${name}`);
  },
};

async function run({ runs, seed, goOn }: Order): Promise<Outcome> {
  await using home = await makeTempDir();
  const dir = home.path;
  const random = chance(seed, -18);
  const life = { dir, config: smallFiles, driver: new Driver(seed, 4), random, recoveries: new Recoveries() };
  const outputs = { out: `${dir}/data/out`, second: `${dir}/data/out-second` };
  const found: Findings[] = [];
  let done = 0;
  do {
    const findings = await Object.values(cases)[done % Object.keys(cases).length]!(life);
    if (findings) found.push(findings);
    done++;
  } while (done < runs && goOn(done));
  await using last = await life.recoveries.start(life);
  await drainTo(outputs, last);
  await stopInTime(last);
  for (const output of Object.values(outputs)) found.push(await examine(life.driver, output));
  return {
    runs: done,
    accepted: life.driver.count("ok"),
    findings: sumOf(found),
    worstRecoveryMs: life.recoveries.worstMs,
  };
}

async function assertRefused(dir: string, code: number, words: string): Promise<void> {
  const ended = await runCommand(["run", "--http-listen", "127.0.0.1:0", "--management-listen", "127.0.0.1:0"], {
    dir,
  });
  assert.equal(ended.code, code, ended.stderr);
  assert.ok(ended.stderr.includes(words), ended.stderr);
}

async function assertUntouched(dir: string, act: () => Promise<void>): Promise<void> {
  const before = await digestTree(`${dir}/data`);
  await act();
  assert.deepEqual(await digestTree(`${dir}/data`), before);
}

function nodeOf(node: Node): unknown {
  return node.log().find(({ message }) => message === "ready")!.node;
}

export const row: Row = {
  number: 18,
  name: "two processes, stale lock, copied directory, other node",
  promises: "P1 P2 P18",
  runs: { ci: 7, full: 70, nightly: 700 },
  missing: () => missing([]),
  run,
};
