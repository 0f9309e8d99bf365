/** What the server holds when it has nothing to do. Not pinned: the number of its threads depends on the cores. */
import type { Bench, Case, Result } from "./case.ts";
import { median, shown, spreadOf } from "./figures.ts";
import { type Memory, pause } from "./process.ts";
import { Server } from "./server.ts";

const idleMs = 5000;
/** Beside the first. */
const further = 4;

export const idleMemory: Case = {
  name: "idle-memory",
  summary: `resident memory after ${
    idleMs / 1000
  } s without work and without configuration; and what each further destination takes`,
  runtimes: "each",
  run: async (bench) => [await measure(bench)],
};

async function measure(bench: Bench): Promise<Result> {
  const one: Memory[] = [];
  const many: Memory[] = [];
  for (let number = 0; number < bench.options.rounds; number++) {
    one.push(await idle(bench, `${number}-one`));
    many.push(await idle(bench, `${number}-many`, destinations(1 + further)));
  }
  const spread = (memories: readonly Memory[], name: keyof Memory) => spreadOf(memories.map((one) => one[name]));
  const each = (name: keyof Memory) =>
    Math.round(median(one.map((least, number) => (many[number]![name] - least[name]) / further)));
  const figures = {
    idle_s: idleMs / 1000,
    rounds: bench.options.rounds,
    rss_bytes: spread(one, "rssBytes"),
    pss_bytes: spread(one, "pssBytes"),
    further_destination_rss_bytes: each("rssBytes"),
    further_destination_pss_bytes: each("pssBytes"),
  };
  const { rss_bytes, pss_bytes, further_destination_pss_bytes } = figures;
  return {
    figures,
    row: {
      result: `RSS ${mebibytes(rss_bytes.median)}, PSS ${mebibytes(pss_bytes.median)}; ` +
        `${mebibytes(further_destination_pss_bytes)} each further destination`,
    },
  };
}

async function idle(bench: Bench, name: string, config?: string): Promise<Memory> {
  const dir = `${bench.dir}/${name}`;
  await using server = await Server.start(bench.runtime, { dir, config });
  await pause(idleMs);
  return server.child.memory();
}

function destinations(count: number): string {
  const names = Array.from({ length: count }, (_, number) => `out${number}`);
  return names.map((name) => `[[destination]]\nname = "${name}"\nkind = "file"\n`).join("");
}

function mebibytes(bytes: number): string {
  return `${shown(bytes / 2 ** 20)} MiB`;
}
