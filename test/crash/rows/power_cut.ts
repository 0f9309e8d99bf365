/**
 * Power cuts on real journals: the file system that holds log and output is shut down at a random moment, or exactly before or
 * after the n-th call at some site, e.g. the sync of a new segment's name, a write of a cursor, the removal of a delivered one.
 */
import assert from "node:assert";
import { launchNode, makeTempDir, type Node, type TempDir } from "../../e2e/node.ts";
import { eventually, pause } from "../../e2e/waiting.ts";
import { chance, Driver } from "../driver.ts";
import { type Call, Faults, type Rule, type Site, sitesOf } from "../fault.ts";
import { assertCalm, drain, inStretches, Recoveries, takeOne, underLoad } from "../life.ts";
import { type FileSystem, LoopDisk } from "../loop_disk.ts";
import { missing } from "../needs.ts";
import { examine, type Findings } from "../oracle.ts";
import type { Order, Outcome, Row } from "../row.ts";

/** A roll every few commits, and delivered segments go at once. */
const config = `
[log]
segment = "64KiB"
retain_max = "0"

[[destination]]
name = "out"
kind = "file"
roll_bytes = "300KiB"
keep_max = "0"
`;
/** How many cuts one disk has room for. */
const cutsADisk = 25;
/** After that long without the call that was aimed at, the power is cut anyhow. */
const patienceMs = 1200;
const changes: readonly Call[] = ["create", "write", "sync", "sync directory", "rename", "unlink", "truncate"];

export const row: Row = {
  number: 4,
  name: "power cut on ext4 and XFS, at random and aimed at every kind of change",
  promises: "P1 P2 P3 P5 P6 P8 P11",
  runs: { ci: 100, full: 1000, nightly: 10_000 },
  missing: () => missing(["gcc", "losetup", "mkfs.ext4", "mkfs.xfs", "xfs_io"], "root"),
  run: (order) => inStretches(order, cutsADisk, cutOften),
};

interface Lab {
  readonly home: TempDir;
  readonly disk: LoopDisk;
  readonly faults: Faults;
  readonly driver: Driver;
  readonly random: () => number;
  readonly recoveries: Recoveries;
}

/** One file system after the other, by seed. */
async function withLab<T>(seed: number, act: (lab: Lab) => Promise<T>): Promise<T> {
  const kind: FileSystem = seed % 2 === 0 ? "ext4" : "xfs";
  await using home = await makeTempDir();
  await using disk = await LoopDisk.make(kind, home.path, `${home.path}/data`);
  const faults = await Faults.prepare(home.path, disk.path);
  const [driver, random] = [new Driver(seed, 6), chance(seed, -4)];
  return await act({ home, disk, faults, driver, random, recoveries: new Recoveries() });
}

function cutOften({ runs, seed, goOn }: Order): Promise<Outcome> {
  return withLab(seed, async (lab) => {
    const sites = await findSites(lab);
    let done = 0;
    do await cutOnce(lab, chooseRule(lab.random, sites)); while (++done < runs && goOn(done));
    const findings = await settle(lab);
    assert.equal(findings.copies, 0, "this destination recognises what comes again");
    return { runs: done, accepted: lab.driver.count("ok"), findings, worstRecoveryMs: lab.recoveries.worstMs };
  });
}

/** Tests the tester: what is lost by a power cut when these calls only say that they did something. An alarm counts as well. */
export function lossWithout(site: Site, seed: number): Promise<number> {
  return withLab(seed, async (lab) => {
    const { home, faults, driver, recoveries } = lab;
    faults.arm({ ...site, at: 1, does: "pretend", after: false, lasts: "for ever" });
    {
      await using node = await recoveries.start({ dir: home.path, config, env: faults.env });
      await underLoad(node, driver, async () => {
        await pause(patienceMs);
        await cutPower(lab, node);
      });
    }
    await lab.disk.mountAgain();
    try {
      return (await settle(lab)).lost;
    } catch (problem) {
      if (problem instanceof assert.AssertionError) return 1;
      throw problem;
    }
  });
}

type Counted = ReturnType<typeof sitesOf>[number];

/** What an undisturbed life changes on the disk. */
async function findSites(lab: Lab): Promise<Counted[]> {
  const { home, faults, driver, recoveries } = lab;
  await faults.trace();
  await using node = await recoveries.start({ dir: home.path, config, env: faults.env });
  await underLoad(node, driver, () => pause(patienceMs));
  assert.equal(await node.stop(), 0, node.stderr());
  return sitesOf(await faults.traced()).filter(({ site: { call } }) => changes.includes(call));
}

/** A third of the cuts come at any moment. */
function chooseRule(random: () => number, sites: readonly Counted[]): Rule | undefined {
  if (random() < 1 / 3) return undefined;
  const { site, count } = sites[Math.floor(random() * sites.length)]!;
  return { ...site, ...aim(random, count) };
}

/** Mostly early: one life is shorter than the one in which the calls were counted. */
function aim(random: () => number, count: number): Omit<Rule, keyof Site> {
  return { at: Math.floor(count ** random()), does: "freeze", after: random() < 0.5, lasts: "once" };
}

async function cutOnce(lab: Lab, rule: Rule | undefined): Promise<void> {
  const { disk, faults, home } = lab;
  faults.disarm();
  if (rule) faults.arm(rule);
  {
    await using node = await launchNode({ dir: home.path, config, env: faults.env });
    if (await becomesReady(lab, node)) await loadUntilCut(lab, node, rule);
    else await cutPower(lab, node);
  }
  await disk.mountAgain();
}

/** False if it was frozen before. What earlier cuts have left is no reason for an alarm. */
async function becomesReady({ faults, recoveries }: Lab, node: Node): Promise<boolean> {
  const begin = performance.now();
  let outcome: unknown;
  void node.ready().then(() => takeOne(node, "first")).then(() => outcome = "taken", (problem) => outcome = problem);
  while (outcome === undefined && faults.fired === 0) await pause(2);
  if (outcome === undefined) return false;
  assert.equal(outcome, "taken");
  recoveries.note(performance.now() - begin);
  assertCalm(node);
  return true;
}

async function loadUntilCut(lab: Lab, node: Node, rule: Rule | undefined): Promise<void> {
  const { faults, driver, random } = lab;
  const end = performance.now() + (rule ? patienceMs : 30 + random() * 600);
  await underLoad(node, driver, async () => {
    while (faults.fired === 0 && performance.now() < end) await pause(2);
    await cutPower(lab, node);
  });
}

/**
 * Frozen first, as the power takes processor and disk at once. Otherwise an `fdatasync` that is under way during the shutdown can
 * return success though the journal was given up, on ext4 and XFS of Linux 6.18, and the answer to its senders still goes out.
 */
async function cutPower({ disk, random }: Lab, node: Node): Promise<void> {
  node.kill("SIGSTOP");
  await eventually("a node that stands still", () => threadStates(node.pid).every((state) => "TtD".includes(state)));
  await disk.cutPower(random() < 1 / 3);
  node.kill("SIGKILL");
}

function threadStates(pid: number): string[] {
  const tasks = [...Deno.readDirSync(`/proc/${pid}/task`)];
  return tasks.map(({ name }) => /\) (\w)/.exec(Deno.readTextFileSync(`/proc/${pid}/task/${name}/stat`))![1]!);
}

async function settle({ home, disk, driver, recoveries }: Lab): Promise<Findings> {
  await using node = await recoveries.start({ dir: home.path, config });
  assertCalm(node);
  const standings = await drain(node, [`${disk.path}/out`]);
  for (const { taken, position } of standings) assert.equal(taken, position);
  return await examine(driver, `${disk.path}/out`);
}
