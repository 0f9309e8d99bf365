/**
 * How long an answer takes while requests fall due by the clock, whether or not earlier ones were answered: at half and at four
 * fifths of what the server can take, while the log goes from one segment to the next.
 */
import { query } from "./body.ts";
import { type Bench, type Case, type Result } from "./case.ts";
import { type Contender, type Round, roundsInTurn } from "./contender.ts";
import { median, rounded, shown, spreadOf } from "./figures.ts";
import { type Load, sendLoad } from "./load.ts";
import { type Pace, sendPaced } from "./paced.ts";
import { compiled, type PeerName, startPeers } from "./peer.ts";
import { Server } from "./server.ts";
import { noDelivery, ours } from "./throughput.ts";

const connections = 256;
const shares = [0.5, 0.8];
const references: readonly PeerName[] = ["ceiling syncpre", "nginx"];
/** Small, so that every round of a second or two comes to the next segment. */
const config = `[log]\nsegment = "4MiB"\n${noDelivery}`;

export const openLoop: Case = {
  name: "open-loop",
  summary:
    `latency at ${shares.map((share) => `${share * 100} %`).join(" and ")} of the maximum, from when a GET was due, ` +
    `${connections} connections, across segments`,
  runtimes: "each",
  run: measure,
};

async function measure(bench: Bench): Promise<Result[]> {
  const paced = await compiled("paced", bench.kept);
  const { dir, runtime, machine } = bench;
  await using started = new AsyncDisposableStack();
  const server = started.use(await Server.start(runtime, { dir, config, core: machine.pins.server }));
  const load: Load = { path: query, connections };
  try {
    const most = await maximum(server, load, bench);
    const results: Result[] = [];
    for (const share of shares) {
      await using peers = new AsyncDisposableStack();
      const pace = { paced, connections, rate: Math.round(most * share), bench };
      const others = await startPeers(references, { bench, load, messages: 1 }, peers);
      results.push(await atRate({ server, load, others, share, most }, pace));
    }
    return results;
  } catch (problem) {
    throw server.explained(problem);
  }
}

/** By wrk, as in the other cases. */
async function maximum(server: Server, load: Load, { options, machine, note }: Bench): Promise<number> {
  const timing = { seconds: options.seconds, core: machine.pins.load };
  await sendLoad(server.address, load, timing);
  const { requests, seconds } = await sendLoad(server.address, load, timing);
  note(`open-loop: at most ${shown(requests / seconds)}/s`);
  return requests / seconds;
}

interface Level {
  readonly server: Server;
  readonly load: Load;
  readonly others: readonly Contender[];
  readonly share: number;
  readonly most: number;
}

async function atRate({ server, load, others, share, most }: Level, pace: Pace): Promise<Result> {
  const { bench, rate } = pace;
  const late: number[] = [];
  const paced = (contender: Contender): Contender => ({
    ...contender,
    async send(seconds) {
      const seen = await sendPaced(contender.address, seconds, pace);
      late.push(seen.late_p99_ms);
      return seen;
    },
  });
  const all = [ours(server, load, bench), ...others];
  const before = segmentsIn(server);
  const part = `${share * 100}`;
  const traffic = { name: `open-loop/${part}`, connections, messagesPerRequest: 1 };
  const found = await roundsInTurn(all.map(paced), traffic, bench);
  const [mine, ...theirs] = [...found].map(([name, rounds]) => ({ name, ...latencies(rounds) }));
  const { name: _, ...figures } = mine!;
  return {
    part,
    figures: {
      connections,
      seconds: bench.options.seconds,
      rounds: bench.options.rounds,
      maximum_per_s: rounded(most),
      due_per_s: rate,
      ...figures,
      late_p99_ms: rounded(median(late)),
      segments: segmentsIn(server) - before,
      references: theirs,
    },
    row: {
      result: `${shown(rate)} requests/s due`,
      latency: shownLatencies(mine!),
      cpu: `${mine!.cpu_s_per_million}`,
      beside: theirs.map((one) => `${one.name} ${shownLatencies(one)}`).join(", "),
    },
  };
}

function latencies(rounds: readonly Round[]) {
  const spread = (name: "p50" | "p99" | "p99_9") => spreadOf(rounds.map((round) => round[name]));
  const middle = (name: keyof Round) => rounded(median(rounds.map((round) => round[name])));
  return {
    p50_ms: spread("p50"),
    p99_ms: spread("p99"),
    p99_9_ms: spread("p99_9"),
    cpu_s_per_million: middle("cpuPerMillion"),
    load_cores: middle("loadCores"),
    other_cores: middle("otherCores"),
  };
}

function shownLatencies({ p50_ms, p99_ms, p99_9_ms }: ReturnType<typeof latencies>): string {
  return [p50_ms, p99_ms, p99_9_ms].map(({ median }) => median).join(" / ");
}

/** Nothing is delivered, so none goes away. */
function segmentsIn({ dir }: Server): number {
  return [...Deno.readDirSync(`${dir}/data/log`)].filter(({ name }) => name.endsWith(".seg")).length;
}
