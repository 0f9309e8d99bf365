/** Starts on a log that a killed process has left, beside starts without one: what grows with the log shows here. */
import type { Bench, Case, Result } from "./case.ts";
import { launch, untilAccepted } from "./executable.ts";
import { median, shown, shownSpread, spreadOf } from "./figures.ts";
import { type Memory, pause, runToEnd } from "./process.ts";
import { root, type Runtime } from "./server.ts";

/** Of the log, as `large_log.ts` makes it. */
const messageBytes = 1024;
const idleMs = 1000;
/** A destination that never opens, as no directory can be made in a file: everything stays pending. */
const config = `[[destination]]
name = "nowhere"
kind = "file"
dir = "sparkngin.toml/out"
from = "oldest"
`;

export const startLarge: Case = {
  name: "start-large",
  summary: "from the start of the process to the first 204 after kill -9, with a large log (--log-mib) and without one",
  runtimes: "each",
  run: async (bench) => [await measure(bench)],
};

interface Start {
  readonly ms: number;
  readonly memory: Memory;
}

async function measure(bench: Bench): Promise<Result> {
  const messages = Math.ceil(bench.options.logMib * 2 ** 20 / messageBytes);
  const large = `${bench.dir}/large`;
  bench.note(`start-large makes a log of ${shown(messages)} messages`);
  await makeLog(large, messages);
  const [found, empty]: [Start[], Start[]] = [[], []];
  for (let number = 0; number < bench.options.rounds; number++) {
    const dir = `${bench.dir}/round-${number}`;
    await copyLog(large, `${dir}/data`);
    found.push(await start(bench.runtime, dir));
    empty.push(await start(bench.runtime, `${bench.dir}/empty-${number}`));
    await Deno.remove(dir, { recursive: true });
  }
  return resultOf({ found, empty, messages, log_bytes: await bytesIn(`${large}/log`) }, bench);
}

/** "load": of what `ndjson-100` sends; else as a killed process leaves it. */
export async function makeLog(dir: string, messages: number, kind: "load" | "killed" = "killed"): Promise<void> {
  const args = ["run", "-A", "--config", `${root}/deno.json`, `${root}/test/bench/large_log.ts`];
  args.push(dir, String(messages), kind);
  const { code, stderr } = await runToEnd({ command: Deno.execPath(), args });
  if (code !== 0) throw new Error(`The log could not be made: ${stderr.slice(-1000)}`);
}

/** Only the last segment is ever changed by a start: the others are the same files under further names. */
export async function copyLog(from: string, to: string): Promise<void> {
  for (const name of ["log", "cursors", "dead", "quarantine"]) await Deno.mkdir(`${to}/${name}`, { recursive: true });
  for (const name of ["node", "epoch"]) await Deno.copyFile(`${from}/${name}`, `${to}/${name}`);
  const names = [...Deno.readDirSync(`${from}/log`)].map(({ name }) => name).sort();
  for (const name of names.slice(0, -1)) await Deno.link(`${from}/log/${name}`, `${to}/log/${name}`);
  await Deno.copyFile(`${from}/log/${names.at(-1)}`, `${to}/log/${names.at(-1)}`);
}

async function start(runtime: Runtime, dir: string): Promise<Start> {
  const begin = performance.now();
  await using launched = await launch(runtime, { dir, config });
  await untilAccepted(launched);
  const ms = performance.now() - begin;
  await pause(idleMs);
  const { child } = launched.server;
  const memory = child.memory();
  child.kill("SIGKILL");
  return { ms, memory };
}

interface Found {
  readonly found: readonly Start[];
  readonly empty: readonly Start[];
  readonly messages: number;
  readonly log_bytes: number;
}

function resultOf({ found, empty, messages, log_bytes }: Found, { options }: Bench): Result {
  const [ms, empty_ms] = [found, empty].map((starts) => spreadOf(starts.map(({ ms }) => ms)));
  const [pss_bytes, empty_pss_bytes] = [found, empty].map((starts) =>
    median(starts.map(({ memory }) => memory.pssBytes))
  );
  const more = shown((pss_bytes! - empty_pss_bytes!) / 2 ** 20);
  return {
    figures: { messages, log_bytes, rounds: options.rounds, ms, empty_ms, pss_bytes, empty_pss_bytes },
    row: {
      result:
        `${shownSpread(ms!)} ms with ${shown(log_bytes / 2 ** 20)} MiB of log, ${shownSpread(empty_ms!)} ms without; ` +
        `${more} MiB more`,
    },
  };
}

async function bytesIn(dir: string): Promise<number> {
  let bytes = 0;
  for await (const { name } of Deno.readDir(dir)) bytes += (await Deno.stat(`${dir}/${name}`)).size;
  return bytes;
}
