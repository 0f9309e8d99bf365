/**
 * A small disk that others fill at random, up to the last byte or the last name, and give free again. Until then messages are
 * refused; what was accepted stays, whether the node runs on, stops in order, is killed, or is started while there is no room.
 */
import assert from "node:assert";
import { launchNode, makeTempDir, type Node, type TempDir } from "../../e2e/node.ts";
import { eventually, pause } from "../../e2e/waiting.ts";
import { chance, Driver } from "../driver.ts";
import { assertCalm, drain, Recoveries, takeOne, together, underLoad } from "../life.ts";
import { missing } from "../needs.ts";
import { examine } from "../oracle.ts";
import type { Order, Outcome, Row } from "../row.ts";
import { SmallDisk } from "../small_disk.ts";

const diskBytes = 64 << 20;
const inodes = 300;
/** How often one disk is filled: what is delivered stays on it in every second stretch. */
const fillsADisk = 10;
/** The promise is 5 s. The rest is for a busy machine. */
const resumeMs = 8000;
const exitDiskFull = 74;

export const row: Row = {
  number: 6,
  name: "disk without room, or without names, filled by another process",
  promises: "P2 P4 P12 P20",
  runs: { ci: 20, full: 200, nightly: 1000 },
  missing: () => missing([], "root"),
  run: fillDisks,
};

interface Lab {
  readonly home: TempDir;
  readonly disk: SmallDisk;
  readonly config: string;
  readonly driver: Driver;
  readonly random: () => number;
  readonly recoveries: Recoveries;
  /** How long it took to take messages again when there was room, the longest. */
  readonly resumed: { worstMs: number };
}

async function fillDisks({ runs, seed, goOn }: Order): Promise<Outcome> {
  const resumed = { worstMs: 0 };
  const outcomes: Outcome[] = [];
  let done = 0;
  for (let goesOn = true; goesOn && done < runs;) {
    const wanted = Math.min(fillsADisk, runs - done);
    const filled = () => goesOn = goOn(++done);
    outcomes.push(await fillOften(wanted, { seed: seed + outcomes.length, filled, resumed }));
  }
  const remark = `takes again at most ${(resumed.worstMs / 1000).toFixed(1)} s after there is room`;
  return { ...together(outcomes), remark };
}

interface Stretch {
  readonly seed: number;
  readonly filled: () => boolean;
  readonly resumed: { worstMs: number };
}

async function fillOften(wanted: number, { seed, filled, resumed }: Stretch): Promise<Outcome> {
  await using home = await makeTempDir();
  await using disk = await SmallDisk.mount(`${home.path}/data`, diskBytes, inodes);
  const out = seed % 2 === 0 ? `${home.path}/out` : `${disk.path}/out`;
  const [driver, random] = [new Driver(seed, 4), chance(seed, -6)];
  const lab = { home, disk, config: configFor(out), driver, random, recoveries: new Recoveries(), resumed };
  let runs = 0;
  for (let goesOn = true; goesOn && runs < wanted; runs++) {
    await fillOnce(lab);
    goesOn = filled();
  }
  await settle(lab, out);
  const findings = await examine(driver, out);
  assert.equal(findings.copies, 0, "this destination recognises what comes again");
  return { runs, accepted: driver.count("ok"), findings, worstRecoveryMs: lab.recoveries.worstMs };
}

/** Files are many, so that names run out too. */
function configFor(out: string): string {
  return `
[log]
segment = "256KiB"
retain_max = "1MiB"

[[destination]]
name = "out"
kind = "file"
dir = "${out}"
roll_bytes = "1MiB"
keep_max = "0"
`;
}

/** A life in which the disk fills up, and has room again. */
async function fillOnce(lab: Lab): Promise<void> {
  const { home, config, disk, driver, random, recoveries } = lab;
  await using node = await recoveries.start({ dir: home.path, config });
  assertCalm(node);
  await underLoad(node, driver, async () => {
    await pause(random() * 300);
    const before = driver.count("fail");
    await (random() < 0.7 ? fillBytes(lab) : fillNames(lab));
    await eventually("a refusal", () => driver.count("fail") > before);
    await pause(random() * 500);
  });
  await whileFull[chooseDeed(random())](lab, node);
  await free(disk);
}

type Deed = "goOn" | "stop" | "kill" | "startFull";

function chooseDeed(number: number): Deed {
  return number < 0.4 ? "goOn" : number < 0.6 ? "stop" : number < 0.8 ? "kill" : "startFull";
}

const whileFull: Readonly<Record<Deed, (lab: Lab, node: Node) => Promise<void>>> = {
  async goOn({ disk, resumed }, node) {
    await free(disk);
    await resumes(node, resumed);
    assert.equal(await node.stop(), 0, node.stderr());
  },
  async stop(_lab, node) {
    assert.equal(await node.stop(), 0, node.stderr());
    assertCalm(node);
  },
  async kill(_lab, node) {
    node.kill("SIGKILL");
    await node.exited;
  },
  async startFull(lab, node) {
    await whileFull.kill(lab, node);
    const { home, config, disk, resumed } = lab;
    await using again = await launchNode({ dir: home.path, config });
    again.ready().catch(() => {});
    await eventually("a node that is ready or ends", () => again.http !== "" || again.ended);
    if (again.ended) return assert.equal(await again.exited, exitDiskFull, again.stderr());
    await free(disk);
    await resumes(again, resumed);
    assert.equal(await again.stop(), 0, again.stderr());
  },
};

async function resumes(node: Node, resumed: { worstMs: number }): Promise<void> {
  const begin = performance.now();
  await eventually("messages to be taken again", () => takeOne(node, "first").then(() => true), resumeMs);
  resumed.worstMs = Math.max(resumed.worstMs, Math.round(performance.now() - begin));
}

/** In steps at random, to the last byte. */
async function fillBytes({ disk, random }: Lab): Promise<void> {
  using file = await Deno.open(`${disk.path}/hog`, { create: true, write: true });
  for (let step = 4 << 20; step >= 1;) {
    const block = new Uint8Array(1 + Math.floor(random() * step));
    const written = await file.write(block).catch(() => 0);
    if (written < block.length) step = Math.floor(step / 8);
    if (random() < 0.2) await pause(random() * 20);
  }
}

/** As many empty files as there are names left. */
async function fillNames({ disk }: Lab): Promise<void> {
  await Deno.mkdir(`${disk.path}/names`, { recursive: true });
  for (let i = 0; i < inodes; i++) {
    const file = await Deno.open(`${disk.path}/names/${i}`, { create: true, write: true }).catch(() => undefined);
    if (file === undefined) return;
    file.close();
  }
}

async function free({ path }: SmallDisk): Promise<void> {
  for (const name of ["hog", "names"]) await Deno.remove(`${path}/${name}`, { recursive: true }).catch(() => {});
}

async function settle({ home, config, recoveries }: Lab, out: string): Promise<void> {
  await using node = await recoveries.start({ dir: home.path, config });
  assertCalm(node);
  const standings = await drain(node, [out]);
  for (const { taken, position } of standings) assert.equal(taken, position);
}
