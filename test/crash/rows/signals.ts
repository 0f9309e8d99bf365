/** Told to stop in every phase of its life: it ends in time, and nothing that was accepted is lost. Told anything else: it goes on. */
import assert from "node:assert";
import { launchNode, makeTempDir, type Node, runCommand, startNode } from "../../e2e/node.ts";
import { eventually, pause, within } from "../../e2e/waiting.ts";
import { chance, Driver } from "../driver.ts";
import { Faults } from "../fault.ts";
import { compileLibrary } from "../library.ts";
import { Recoveries, underLoad } from "../life.ts";
import { missing } from "../needs.ts";
import { drainTo, stopInTime, stopMsMax } from "../operator.ts";
import { examine } from "../oracle.ts";
import type { Order, Outcome, Row } from "../row.ts";
import { SmallDisk } from "../small_disk.ts";

const diskBytes = 128 << 20;

interface Life {
  readonly dir: string;
  readonly config: string;
  readonly disk: SmallDisk;
  readonly driver: Driver;
  readonly random: () => number;
  readonly faults: Faults;
  /** The disk does not answer while this file is there. */
  readonly stalled: string;
  readonly env: Readonly<Record<string, string>>;
}

/** The dead destination is there in every phase; it is not required, so that the small disk does not fill up behind it. */
function configFor(out: string): string {
  return `
[log]
segment = "1MiB"
retain_max = "4MiB"

[[destination]]
name = "out"
kind = "file"
dir = "${out}"
roll_bytes = "300KiB"
keep_max = "0"

[[destination]]
name = "dead"
kind = "kafka"
brokers = ["127.0.0.1:1"]
required = false
`;
}

/** Under load, what `end` says: how long the end took. */
async function whileLoaded({ driver }: Life, node: Node, end: () => Promise<number>): Promise<number> {
  let tookMs = 0;
  await underLoad(node, driver, async () => {
    tookMs = await end();
  });
  return tookMs;
}

async function tellStopped({ dir }: Life, what: "pause" | "resume"): Promise<void> {
  const { code, stderr } = await runCommand(["destination", what, "out", "--data", "data"], { dir });
  assert.equal(code, 0, stderr);
}

/** Each ends the node; how long that took from the first signal, in ms. */
const phases = {
  async starting({ dir, config, random }: Life) {
    await using node = await launchNode({ dir, config });
    await pause(random() * 500);
    const begin = performance.now();
    node.kill("SIGTERM");
    const code = await within("the end of a start", node.exited, () => node.stderr());
    // Before there is a listener the signal itself ends the process.
    assert.ok(code === 0 || code === 143, `${code} ${node.stderr()}`);
    return performance.now() - begin;
  },

  async "under load"(life: Life) {
    await using node = await startNode(life);
    return await whileLoaded(life, node, async () => {
      await pause(life.random() * 600);
      return await stopInTime(node);
    });
  },

  async draining(life: Life) {
    await tellStopped(life, "pause");
    {
      await using node = await startNode(life);
      await underLoad(node, life.driver, () => pause(500));
      await stopInTime(node);
    }
    await tellStopped(life, "resume");
    await using node = await startNode(life);
    await pause(life.random() * 40);
    return await stopInTime(node);
  },

  async "disk full"(life: Life) {
    await using node = await startNode(life);
    const { driver, disk } = life;
    const refused = driver.count("fail");
    try {
      return await whileLoaded(life, node, async () => {
        await disk.fill();
        await eventually("a refusal", () => driver.count("fail") > refused);
        return await stopInTime(node);
      });
    } finally {
      await disk.free();
    }
  },

  async "disk failed"(life: Life) {
    await using node = await startNode(life);
    try {
      return await whileLoaded(life, node, async () => {
        await pause(200);
        life.faults.arm({ call: "sync", pattern: "log/*", at: 1, does: "EIO", after: false, lasts: "for ever" });
        await eventually("the log to stop", () => node.stderr().includes("the log has stopped"));
        const begin = performance.now();
        node.kill("SIGTERM");
        const code = await within("the end", node.exited, () => node.stderr());
        assert.ok(code === 0 || code === 70, `${code} ${node.stderr()}`);
        return performance.now() - begin;
      });
    } finally {
      life.faults.disarm();
    }
  },

  async "disk stalled"(life: Life) {
    await using node = await startNode(life);
    try {
      return await whileLoaded(life, node, async () => {
        await pause(200);
        await Deno.writeTextFile(life.stalled, "");
        await pause(life.random() * 300);
        return await stopInTime(node);
      });
    } finally {
      await Deno.remove(life.stalled);
    }
  },

  async "asked twice"(life: Life) {
    await using node = await startNode(life);
    return await whileLoaded(life, node, async () => {
      await pause(100 + life.random() * 300);
      node.kill("SIGTERM");
      await pause(life.random() * 60);
      return await stopInTime(node);
    });
  },

  async "SIGHUP storm"(life: Life) {
    await using node = await startNode(life);
    return await whileLoaded(life, node, async () => {
      for (let i = 0; i < 200; i++) {
        node.kill("SIGHUP");
        await pause(life.random() * 3);
      }
      const before = life.driver.count("ok");
      await eventually("messages to be accepted after it", () => node.ended || life.driver.count("ok") > before);
      return await stopInTime(node);
    });
  },
} as const;

async function run({ runs, seed, goOn }: Order): Promise<Outcome> {
  await using home = await makeTempDir();
  const dir = home.path;
  await using disk = await SmallDisk.mount(`${dir}/data`, diskBytes);
  const life = await prepare(dir, disk, seed);
  const recoveries = new Recoveries();
  await settle(life, recoveries);
  const worst = new Map<string, number>();
  let done = 0;
  do {
    const [phase, act] = Object.entries(phases)[done % Object.keys(phases).length]!;
    const tookMs = Math.round(await act(life));
    assert.ok(tookMs <= stopMsMax, `${phase}: the end took ${tookMs} ms`);
    worst.set(phase, Math.max(worst.get(phase) ?? 0, tookMs));
    done++;
  } while (done < runs && goOn(done));
  await settle(life, recoveries);
  return {
    runs: done,
    accepted: life.driver.count("ok"),
    findings: await examine(life.driver, `${dir}/out`),
    worstRecoveryMs: recoveries.worstMs,
    remark: `slowest end: ${[...worst].map(([phase, ms]) => `${phase} ${ms} ms`).join(", ")}`,
  };
}

async function prepare(dir: string, disk: SmallDisk, seed: number): Promise<Life> {
  const data = `${await Deno.realPath(dir)}/data`;
  const faults = await Faults.prepare(dir, data);
  const stalled = `${dir}/stalled`;
  const libraries = [faults.env.LD_PRELOAD, await compileLibrary("slow_disk", dir)];
  const env = { ...faults.env, LD_PRELOAD: libraries.join(":"), SLOW_DIR: `${data}/`, SLOW_STALL: stalled };
  const driver = new Driver(seed, 6);
  return { dir, config: configFor(`${dir}/out`), disk, driver, random: chance(seed, -22), faults, stalled, env };
}

/** A life without faults, in which all that is left gets through. */
async function settle(life: Life, recoveries: Recoveries): Promise<void> {
  await using node = await recoveries.start(life);
  await drainTo({ out: `${life.dir}/out` }, node);
  await stopInTime(node);
}

export const row: Row = {
  number: 22,
  name: "SIGTERM in every phase, twice, and SIGHUP",
  promises: "P1 P2 P20",
  runs: { ci: 8, full: 200, nightly: 2000 },
  missing: () => missing(["gcc"], "root"),
  run,
};
