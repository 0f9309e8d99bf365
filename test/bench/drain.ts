/** Reading the log: what a destination that takes everything at once can be given, from memory and from the disk. */
import type { Bench, Case, Result } from "./case.ts";
import { ratioOf } from "./contender.ts";
import { median, rounded, shown, shownSpread, spreadOf } from "./figures.ts";
import { makeLog } from "./large.ts";
import { forget, segmentsOf } from "./pages.ts";
import { runToEnd } from "./process.ts";
import { root } from "./server.ts";

interface Reading {
  readonly part: string;
  readonly readers: number;
  readonly from: "memory" | "disk";
}

const readings: readonly Reading[] = [
  { part: "memory-1", readers: 1, from: "memory" },
  { part: "memory-4", readers: 4, from: "memory" },
  { part: "memory-16", readers: 16, from: "memory" },
  { part: "disk-1", readers: 1, from: "disk" },
];

export const drain: Case = {
  name: "drain",
  summary:
    "destinations that take all at once read the log (--messages): 1, 4, 16 from the page cache, 1 from the disk",
  runtimes: "here",
  run: measure,
};

interface Round {
  readonly perSecond: number;
  readonly cpuPerMillion: number;
  /** What `cat` read of the same files in the same way, as messages. */
  readonly cat: number;
}

async function measure(bench: Bench): Promise<Result[]> {
  const { options, dir, note } = bench;
  const data = `${dir}/data`;
  note(`drain makes a log of ${shown(options.messages)} messages`);
  await makeLog(data, options.messages, "load");
  const found = new Map<string, Round[]>(readings.map(({ part }) => [part, []]));
  for (let number = 0; number < options.rounds; number++) {
    for (const reading of number % 2 === 0 ? readings : readings.toReversed()) {
      const round = await oneRound(reading, data, bench);
      note(`drain/${reading.part} round ${number + 1}: ${shown(round.perSecond)}/s`);
      found.get(reading.part)!.push(round);
    }
  }
  return readings.map((reading) => resultOf(reading, found.get(reading.part)!, options.messages));
}

async function oneRound({ readers, from }: Reading, data: string, { options, machine }: Bench): Promise<Round> {
  const files = segmentsOf(data);
  const { server: core } = machine.pins;
  const pinned = core !== undefined && { core };
  const script = `${root}/test/bench/drain_run.ts`;
  const args = ["run", "--quiet", "-A", "--unstable-net", "--config", `${root}/deno.json`, script, data];
  const read = await runToEnd({ command: Deno.execPath(), args: [...args, String(readers), from], ...pinned });
  if (read.code !== 0) throw new Error(`Reading ended with ${read.code}: ${read.stderr.slice(-1000)}`);
  if (from === "disk") await forget(files);
  else await timedCat(files, pinned);
  const { messages, seconds, cpu_s } = JSON.parse(read.stdout);
  return {
    perSecond: messages / seconds,
    cpuPerMillion: cpu_s / messages * 1e6,
    cat: options.messages / await timedCat(files, pinned),
  };
}

async function timedCat(files: readonly string[], pinned: false | { core: number }): Promise<number> {
  const begin = performance.now();
  const { code } = await runToEnd({
    command: "sh",
    args: ["-c", 'cat "$@" | cat > /dev/null', "cat", ...files],
    ...pinned,
  });
  if (code !== 0) throw new Error("cat could not read the log");
  return (performance.now() - begin) / 1000;
}

function resultOf({ part, readers, from }: Reading, rounds: readonly Round[], messages: number): Result {
  const perSecond = rounds.map((round) => round.perSecond);
  const cats = rounds.map(({ cat }) => cat);
  const rate = spreadOf(perSecond);
  const cpu = rounded(median(rounds.map(({ cpuPerMillion }) => cpuPerMillion)));
  const cat = { name: "cat", messages_per_s: spreadOf(cats), ...ratioOf(perSecond, cats) };
  return {
    part,
    figures: {
      from,
      readers,
      messages,
      rounds: rounds.length,
      messages_per_s: rate,
      cpu_s_per_million: cpu,
      references: [cat],
    },
    row: {
      result: `${shownSpread(rate)} messages/s${readers === 1 ? "" : " of all together"}`,
      cpu: `${cpu}`,
      beside: `${cat.ratio} × cat of the same files`,
    },
  };
}
