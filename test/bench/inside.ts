/** Where the time goes: the steps of a message's way one by one, in this process, without HTTP. */
import process from "node:process";
import type { Bench, Case, Result } from "./case.ts";
import { median, rounded, shownSpread, spreadOf } from "./figures.ts";
import type { Probe } from "./probe.ts";

/** A probe repeats for so long before somebody looks at the clock. */
const sliceMs = 5;
const sampleSecondsMax = 1;

export const inside: Case = {
  name: "inside",
  summary: "µs a message of each step of its way, in one process and without HTTP",
  runtimes: "here",
  onRequest: true,
  hasParts: true,
  async run(bench) {
    // Loads most of the source, which the other cases only run.
    const { openProbes } = await import("./probe.ts");
    await using opened = await openProbes();
    for (const reason of opened.missing) bench.without("inside/log", reason);
    const results: Result[] = [];
    for (const probe of chosen(opened.probes, bench)) {
      const result = await measure(probe, bench);
      bench.note(`inside/${probe.name}: ${result.row.result}`);
      results.push(result);
    }
    return results;
  },
};

/** Those that are named, or all. */
function chosen(probes: readonly Probe[], { options: { cases } }: Bench): readonly Probe[] {
  if (cases.includes(inside.name)) return probes;
  const unknown = cases.find((name) => !probes.some((probe) => name === `${inside.name}/${probe.name}`));
  if (unknown !== undefined) {
    throw new Error(`There is no part "${unknown}": ${probes.map(({ name }) => name).join(" ")}`);
  }
  return probes.filter((probe) => cases.includes(`${inside.name}/${probe.name}`));
}

async function measure(probe: Probe, { options }: Bench): Promise<Result> {
  const sampleMs = Math.min(options.seconds, sampleSecondsMax) * 1000;
  const repeats = await repeatsIn(probe, sliceMs);
  await sample(probe, { repeats, sampleMs });
  const found: Sample[] = [];
  for (let round = 0; round < options.rounds; round++) found.push(await sample(probe, { repeats, sampleMs }));
  const us = spreadOf(found.map(({ us }) => us));
  const cpu = rounded(median(found.map(({ cpuUs }) => cpuUs)));
  const { rounds } = options;
  return {
    part: probe.name,
    figures: { what: probe.what, seconds: sampleMs / 1000, rounds, us_per_message: us, cpu_s_per_million: cpu },
    row: { result: `${shownSpread(us)} µs`, cpu: `${cpu}` },
  };
}

/** How often it can run within that time, at least once. */
async function repeatsIn(probe: Probe, ms: number): Promise<number> {
  for (let repeats = 1;; repeats *= 2) {
    if (await timed(probe, repeats) >= ms) return repeats;
  }
}

interface Sampling {
  readonly repeats: number;
  readonly sampleMs: number;
}

/** µs a message, by the clock and of the CPU, which counts what threads beside ours collect of garbage. */
interface Sample {
  readonly us: number;
  readonly cpuUs: number;
}

async function sample(probe: Probe, { repeats, sampleMs }: Sampling): Promise<Sample> {
  let [ms, cpuUs, messages] = [0, 0, 0];
  while (ms < sampleMs) {
    const before = process.cpuUsage();
    ms += await timed(probe, repeats);
    const { user, system } = process.cpuUsage(before);
    cpuUs += user + system;
    messages += repeats * probe.messages;
    probe.tidy?.();
  }
  return { us: ms * 1000 / messages, cpuUs: cpuUs / messages };
}

async function timed({ run }: Probe, repeats: number): Promise<number> {
  const begin = performance.now();
  for (let i = 0; i < repeats; i++) {
    const running = run();
    if (running !== undefined) await running;
  }
  return performance.now() - begin;
}
