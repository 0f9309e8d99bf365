import assert from "node:assert/strict";
import { type Call, SimWorld } from "../sim/world.ts";
import { attempt, Ledger, Life, reckon, settings } from "./story.ts";

/** The life that a workload goes through, and how it is begun anew. */
interface Stage {
  readonly ledger: Ledger;
  life: Life;
  readonly begin: () => Life;
}
/** An entry that leaves no room for another one in its segment. */
const fullSegment = settings.segmentBytes! - 4096 - 48 - 16;

const operations: Readonly<Record<string, (stage: Stage) => void | Promise<unknown>>> = {
  small: ({ life }) => life.append(),
  large: ({ life, ledger }) => life.append(ledger.offer(70_000)),
  advance({ life }) {
    life.deliver();
    life.sync();
  },
  trim: ({ life }) => life.trim(),
  async reopen(stage) {
    await stage.life.close();
    stage.life = stage.begin();
  },
  roll: ({ life, ledger }) => life.append(ledger.offer(fullSegment)),
};
type Workload = readonly string[];

const names = Object.keys(operations);
/** Leaves a log of three segments. */
const segments: Workload = ["small", "roll", "small"];

function longer(workloads: readonly Workload[]): Workload[] {
  return workloads.flatMap((workload) => names.map((name) => [...workload, name]));
}

/** What leaves the disk as it is needs no cut of its own. */
const changes: readonly Call[] = [
  "create",
  "makeDir",
  "rename",
  "remove",
  "syncDir",
  "write",
  "sync",
  "truncate",
  "lock",
];

/** Runs the workload until so many calls were made; returns after which calls of its last operation the disk was another. */
async function perform(sim: SimWorld, ledger: Ledger, workload: Workload, calls = Infinity): Promise<number[]> {
  let from = 0;
  const changed: number[] = [];
  sim.watch = (call) => {
    if (changes.includes(call)) changed.push(sim.calls + 1);
  };
  await attempt(ledger, async () => {
    const begin = () => {
      sim.killProcess(); // the life before, which has ended in order
      sim.stopAt(calls + 1 - sim.calls);
      return new Life(sim, ledger, { recycle: true });
    };
    const stage: Stage = { ledger, life: begin(), begin };
    for (const name of workload) {
      from = sim.calls;
      await operations[name]!(stage);
    }
  });
  return [from, ...changed.filter((at) => at > from)];
}

/** Cuts the power after the first `calls` calls of a workload; then everything must be as promised. */
async function cut(workload: Workload, calls: number, seed: number, again = Infinity): Promise<boolean> {
  const sim = new SimWorld(seed);
  const ledger = new Ledger();
  await perform(sim, ledger, workload, calls);
  sim.cutPower();
  sim.stopAt(again);
  await attempt(ledger, () => void new Life(sim, ledger, { recycle: true }).deliver());
  const stopped = sim.stopped;
  if (again < Infinity) sim.cutPower();
  else sim.killProcess();
  await reckon(sim, ledger);
  const where = `seed ${seed}, ${workload.join(", ")}, power cut after ${calls} calls and ${again} of the next start`;
  assert.deepEqual(ledger.violations, [], where);
  return stopped;
}

/** Wherever an earlier operation is cut, a shorter workload has shown it. */
async function cutEverywhere(workload: Workload, seeds: number): Promise<void> {
  for (const calls of await perform(new SimWorld(0), new Ledger(), workload)) {
    for (let seed = 0; seed < seeds; seed++) await cut(workload, calls, calls + 1000 * seed);
  }
}

Deno.test("P1–P13: a power cut at any call of a start breaks no promise", async () => {
  await cutEverywhere([], 10);
});

Deno.test("P1–P13: a power cut at any call of any one or two operations on a new log breaks no promise", async () => {
  for (const workload of [...longer([[]]), ...longer(longer([[]]))]) await cutEverywhere(workload, 2);
});

for (const last of names) {
  Deno.test(`P1–P13: a power cut at any call of "${last}" after up to two operations on a log breaks no promise`, async () => {
    const before = [[], ...longer([[]]), ...longer(longer([[]]))];
    for (const workload of before) await cutEverywhere([...segments, ...workload, last], 2);
  });
}

Deno.test("P1–P13: a second power cut at any call of the start after the first breaks no promise", async () => {
  for (const last of ["roll", "trim"]) {
    const workload = [...segments, "advance", last];
    for (const calls of await perform(new SimWorld(0), new Ledger(), workload)) {
      for (let again = 1; await cut(workload, calls, calls * 100 + again, again); again++);
    }
  }
});
