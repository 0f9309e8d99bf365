/** A disk that takes its time: who sends waits for it and is answered, once, and the memory stays what it was. */
import assert from "node:assert";
import { Connection, getRequest } from "../../e2e/connection.ts";
import { makeTempDir, type Node, startNode } from "../../e2e/node.ts";
import { readOutput } from "../../e2e/output.ts";
import { pause } from "../../e2e/waiting.ts";
import { Driver } from "../driver.ts";
import { compileLibrary } from "../library.ts";
import { underLoad } from "../life.ts";
import { missing } from "../needs.ts";
import { drainTo, stopInTime } from "../operator.ts";
import { examine } from "../oracle.ts";
import { memoryMiB } from "../resources.ts";
import type { Order, Outcome, Row } from "../row.ts";

const callMs = 200;
const slowMs = 3000;
const stallMs = 5000;
/** A client gives up after so long, or later. */
const answerMsMax = 30_000;
const growthMiBMax = 50;
const probeEveryMs = 50;

const config = `
[[destination]]
name = "out"
kind = "file"
keep_max = "0"
`;

/** Requests that come at their own pace, each down a connection of its own, and what became of them. */
class Probes {
  readonly #topic: string;
  readonly #accepted: number[] = [];
  readonly #refused: number[] = [];
  #sent = 0;
  #worstMs = 0;

  constructor(topic: string) {
    this.#topic = topic;
  }
  /** As long as `fault` lasts; all have been answered when it resolves. */
  async send(node: Node, fault: Promise<void>): Promise<void> {
    const asked: Promise<void>[] = [];
    let over = false;
    void fault.then(() => over = true);
    while (!over) {
      asked.push(this.#ask(node, this.#sent++));
      await pause(probeEveryMs);
    }
    await Promise.all(asked);
  }
  /** Each that was accepted is there once, in one copy, and no other. */
  async assertThere(dir: string): Promise<void> {
    const there = (await readOutput(dir, this.#topic)).map(({ data }) => Number(JSON.parse(data!).n));
    assert.deepEqual(there.sort((a, b) => a - b), this.#accepted.sort((a, b) => a - b));
  }
  get summary(): string {
    const { length } = this.#refused;
    return `slowest of ${this.#sent} answers ${this.#worstMs} ms, ${length} of them 503`;
  }

  async #ask(node: Node, n: number): Promise<void> {
    using connection = await Connection.open(node.http);
    const begin = performance.now();
    const { status, body } = await connection.ask(getRequest(`/log?topic=${this.#topic}&n=${n}`));
    const tookMs = Math.round(performance.now() - begin);
    assert.ok(tookMs <= answerMsMax, `An answer took ${tookMs} ms`);
    assert.ok(status === 204 || status === 503, `${status} ${body}`);
    (status === 204 ? this.#accepted : this.#refused).push(n);
    this.#worstMs = Math.max(this.#worstMs, tookMs);
  }
}

async function run({ runs, seed, goOn }: Order): Promise<Outcome> {
  await using home = await makeTempDir();
  const out = `${home.path}/data/out`;
  const env = await environment(home.path);
  const faults = [
    { what: `${callMs} ms a call`, probes: new Probes("slow"), begin: () => during(env.SLOW_CALLS, callMs, slowMs) },
    { what: `${stallMs} ms stall`, probes: new Probes("stall"), begin: () => during(env.SLOW_STALL, 0, stallMs) },
  ];
  const driver = new Driver(seed, 64);
  await using node = await startNode({ dir: home.path, config, env });
  await underLoad(node, driver, () => pause(3000));
  const before = memoryMiB(node, "VmHWM");
  let done = 0;
  do {
    const { probes, begin } = faults[done % faults.length]!;
    await underLoad(node, driver, () => probes.send(node, begin()));
    done++;
  } while (done < runs && goOn(done));
  const growth = memoryMiB(node, "VmHWM") - before;
  assert.ok(growth <= growthMiBMax, `The memory grew by ${growth} MiB`);
  await drainTo({ out }, node);
  await stopInTime(node);
  for (const { probes } of faults) await probes.assertThere(out);
  const findings = await examine(driver, out);
  assert.equal(findings.copies, 0);
  const told = faults.map(({ what, probes }) => `${what}: ${probes.summary}`);
  const remark = `${told.join("; ")}; RSS at most ${before} MiB before, ${growth} more with it`;
  return { runs: done, accepted: driver.count("ok"), findings, worstRecoveryMs: 0, remark };
}

/** Of a node whose disk can be made slow. */
async function environment(dir: string) {
  return {
    LD_PRELOAD: await compileLibrary("slow_disk", dir),
    SLOW_DIR: `${await Deno.realPath(dir)}/data/`,
    SLOW_CALLS: `${dir}/slow`,
    SLOW_STALL: `${dir}/stalled`,
  };
}

async function during(file: string, number: number, ms: number): Promise<void> {
  await Deno.writeTextFile(file, String(number));
  await pause(ms);
  await Deno.remove(file);
}

export const row: Row = {
  number: 10,
  name: "slow disk: 200 ms a call, 5 s stall",
  promises: "P1 P4 P7 P16",
  runs: { ci: 2, full: 20, nightly: 200 },
  missing: () => missing(["gcc"]),
  run,
};
