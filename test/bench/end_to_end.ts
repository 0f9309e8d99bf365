/** The whole way: NDJSON over HTTP, through the log, until every message is synced in the files of the file destination. */
import { missing, startElastic } from "../services/elasticsearch.ts";
import { lines } from "./body.ts";
import { type Bench, type Case, type Result, Skipped } from "./case.ts";
import { median, rounded, shown, shownSpread, spreadOf } from "./figures.ts";
import { type Load, sendLoad } from "./load.ts";
import type { Options } from "./options.ts";
import { pause } from "./process.ts";
import { Server } from "./server.ts";

const connections = 16;
const messagesPerRequest = 100;
const warmUpSeconds = 2;
/** As without configuration, but no file is removed: they are counted at the end. */
const config = `[[destination]]
name = "out"
kind = "file"
keep_max = 0
`;

export const endToEnd: Case = {
  name: "file-end-to-end",
  summary: "100 lines of NDJSON a POST, 16 connections, until all are synced in the files of the file destination",
  runtimes: "each",
  run: async (bench) => [await measure(bench)],
};

/** The same into a real node of Elasticsearch, which shares the cores with us. It lags far behind intake, so it is short. */
export const elasticEndToEnd: Case = {
  name: "elasticsearch-end-to-end",
  summary: "100 lines of NDJSON a POST for a moment, until Elasticsearch has taken them all as documents",
  runtimes: "each",
  onRequest: true,
  run: async (bench) => [await measureElastic(bench)],
};

async function measureElastic(bench: Bench): Promise<Result> {
  const lack = missing();
  if (lack !== undefined) throw new Skipped(`needs ${lack}`);
  const { dir, runtime, machine } = bench;
  const elastic = await startElastic("elasticsearch");
  try {
    const load = await prepareLoad(dir);
    const config =
      `[[destination]]\nname = "es"\nkind = "elasticsearch"\nnodes = ["${elastic.url}"]\nbatch_bytes = "5MiB"\n`;
    await using server = await Server.start(runtime, { dir, config, core: machine.pins.server });
    const options = { ...bench.options, seconds: 1, rounds: 1 };
    // The first documents make the index and warm the node up.
    await oneRound(server, load, { bench, seconds: 1 });
    const rounds = await allRounds(server, load, { ...bench, options });
    const [accepted, found] = [await server.accepted(), await elastic.count("logs-*")];
    if (found !== accepted) throw new Error(`${accepted} messages were accepted, but there are ${found} documents`);
    return resultOf(rounds, options, "document");
  } finally {
    await elastic.stop();
  }
}

interface Round {
  /** From the first request until the last message is in its file. */
  readonly perSecond: number;
  readonly intakePerSecond: number;
  /** When the load stopped: messages that were not in their file yet, and how long that took. */
  readonly lag: number;
  readonly lagMs: number;
  readonly cpuPerMillion: number;
}

async function measure(bench: Bench): Promise<Result> {
  const { dir, runtime, machine, options } = bench;
  const load = await prepareLoad(dir);
  await using server = await Server.start(runtime, { dir, config, core: machine.pins.server });
  try {
    await oneRound(server, load, { bench, seconds: Math.min(warmUpSeconds, options.seconds) });
    const rounds = await allRounds(server, load, bench);
    await checkFiles(`${dir}/data/out`, await server.accepted());
    return resultOf(rounds, options);
  } catch (problem) {
    throw server.explained(problem);
  }
}

async function prepareLoad(dir: string): Promise<Load> {
  const file = `${dir}/body`;
  await Deno.writeTextFile(file, lines(messagesPerRequest));
  return { path: "/log", connections, body: { file, type: "application/x-ndjson" } };
}

async function allRounds(server: Server, load: Load, bench: Bench): Promise<Round[]> {
  const rounds: Round[] = [];
  for (let number = 0; number < bench.options.rounds; number++) {
    const round = await oneRound(server, load, { bench, seconds: bench.options.seconds });
    bench.note(`end-to-end round ${number + 1}: ${shown(round.perSecond)}/s, lag ${shown(round.lag)}`);
    rounds.push(round);
  }
  return rounds;
}

interface Doing {
  readonly bench: Bench;
  readonly seconds: number;
}

async function oneRound(server: Server, load: Load, { bench, seconds }: Doing): Promise<Round> {
  const before = await server.status();
  const cpuBefore = server.child.cpuSeconds();
  const begin = performance.now();
  const seen = await sendLoad(server.address, load, { seconds, core: bench.machine.pins.load });
  const stopped = performance.now();
  const lag = (await server.status()).destinations[0]!.pending;
  await delivered(server);
  const ended = performance.now();
  const messages = await server.accepted() - before.accepted;
  return {
    perSecond: messages / (ended - begin) * 1000,
    intakePerSecond: seen.requests * messagesPerRequest / seen.seconds,
    lag,
    lagMs: ended - stopped,
    cpuPerMillion: (server.child.cpuSeconds() - cpuBefore) / messages * 1e6,
  };
}

/** Until everything accepted is taken; fails when anything else became of a message. */
async function delivered(server: Server): Promise<void> {
  for (;;) {
    const { accepted, log, destinations: [out] } = await server.status();
    if (out!.position === log.durable && out!.pending === 0 && accepted === log.durable) {
      if (out!.taken !== accepted) throw new Error(`Of ${accepted} messages the destination took ${out!.taken}`);
      return;
    }
    await pause(10);
  }
}

/** A line a message, in all files together. */
async function checkFiles(dir: string, accepted: number): Promise<void> {
  let count = 0;
  for await (const path of filesIn(dir)) count += await lineCount(path);
  if (count !== accepted) throw new Error(`${accepted} messages were accepted, but the files hold ${count} lines`);
}

async function* filesIn(dir: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(dir)) {
    if (isDirectory) yield* filesIn(`${dir}/${name}`);
    else if (/\.ndjson(\.open)?$/.test(name)) yield `${dir}/${name}`;
  }
}

async function lineCount(path: string): Promise<number> {
  const file = await Deno.open(path);
  let count = 0;
  for await (const chunk of file.readable) {
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) count++;
  }
  return count;
}

function resultOf(rounds: readonly Round[], { seconds }: Options, what = "file"): Result {
  const values = (name: keyof Round) => rounds.map((round) => round[name]);
  const perSecond = spreadOf(values("perSecond"));
  const cpu = rounded(median(values("cpuPerMillion")));
  const [lag, lagMs] = [spreadOf(values("lag")), spreadOf(values("lagMs"))];
  return {
    figures: {
      connections,
      seconds,
      rounds: rounds.length,
      messages_per_s: perSecond,
      intake_messages_per_s: spreadOf(values("intakePerSecond")),
      lag_messages: lag,
      lag_ms: lagMs,
      cpu_s_per_million: cpu,
    },
    row: {
      result: `${shownSpread(perSecond)} messages/s; the last in its ${what} ${shown(lagMs.median)} ms after the load`,
      cpu: `${cpu}`,
    },
  };
}
