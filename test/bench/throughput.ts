/** Cases that load the server as fast as it goes, round by round in turn with what it is compared with. */
import { lines, messageLine, query } from "./body.ts";
import { type Bench, type Case, type Result, Skipped } from "./case.ts";
import { median, rounded, shown, shownSpread, spreadOf } from "./figures.ts";
import { type Load, sendLoad } from "./load.ts";
import { busySeconds } from "./machine.ts";
import { type Peer, type PeerName, startPeer } from "./peer.ts";
import type { Options } from "./options.ts";
import { type Child, pause } from "./process.ts";
import { Server } from "./server.ts";

interface Plan {
  readonly name: string;
  readonly summary: string;
  readonly connections: number;
  /** Bodies are sent to /log; without one the query is. */
  readonly body?: { readonly text: string; readonly type: string };
  readonly messagesPerRequest: number;
  readonly config?: string;
  readonly references: readonly PeerName[];
}

/** A destination that never opens, as no directory can be made in a file: intake alone is measured, as the references are. */
const noDelivery = `[[destination]]
name = "nowhere"
kind = "file"
dir = "sparkngin.toml/out"
`;

const plans: readonly Plan[] = [
  {
    name: "get-64",
    summary: "one message a GET, synced before the 204, 64 connections, nothing delivered meanwhile",
    connections: 64,
    messagesPerRequest: 1,
    config: noDelivery,
    references: ["ceiling syncpre", "nginx"],
  },
  {
    name: "get-256",
    summary: "the same from 256 connections",
    connections: 256,
    messagesPerRequest: 1,
    config: noDelivery,
    references: ["ceiling syncpre", "nginx"],
  },
  {
    name: "get-1024",
    summary: "the same from 1024 connections: more than the runtime looks at in one turn",
    connections: 1024,
    messagesPerRequest: 1,
    config: noDelivery,
    references: ["ceiling syncpre"],
  },
  {
    name: "get-64-file",
    summary: "as get-64 without configuration: the file destination delivers meanwhile, on the same core",
    connections: 64,
    messagesPerRequest: 1,
    references: ["ceiling syncpre"],
  },
  {
    name: "post-json-1",
    summary: "one message a POST as JSON, synced, 64 connections, nothing delivered meanwhile",
    connections: 64,
    body: { text: messageLine(0), type: "application/json" },
    messagesPerRequest: 1,
    config: noDelivery,
    references: ["ceiling syncpre"],
  },
  {
    name: "ndjson-100",
    summary: "100 lines of NDJSON a POST, synced, 16 connections, nothing delivered meanwhile",
    connections: 16,
    body: { text: lines(100), type: "application/x-ndjson" },
    messagesPerRequest: 100,
    config: noDelivery,
    references: ["ceiling sync"],
  },
];

export const throughputCases: readonly Case[] = plans.map((plan) => ({
  name: plan.name,
  summary: plan.summary,
  runtimes: "each",
  run: async (bench) => [await measure(plan, bench)],
}));

/** One that is measured, with what is left to check when it was. */
interface Contender {
  readonly name: string;
  readonly address: string;
  readonly child: Child;
  /** How many messages it says it has taken, if it says. */
  readonly accepted?: () => Promise<number>;
}
/** What one round found. */
interface Round {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly p99_9: number;
  readonly cpuPerMillion: number;
  readonly cores: number;
  readonly loadCores: number;
  readonly otherCores: number;
}

const warmUpSeconds = 2;
/** For what the round before has left to the disk. */
const settleMs = 500;

async function measure(plan: Plan, bench: Bench): Promise<Result> {
  const load = await loadOf(plan, bench);
  await using started = new AsyncDisposableStack();
  const server = started.use(await startServer(plan, bench));
  const peers = await startPeers(plan, bench, started);
  const ours = { name: "sparkngin", address: server.address, child: server.child, accepted: () => server.accepted() };
  const contenders: Contender[] = [ours, ...peers];
  const timing = { seconds: Math.min(warmUpSeconds, bench.options.seconds), core: bench.machine.pins.load };
  try {
    for (const { address } of contenders) await sendLoad(address, load, timing);
    const rounds = await allRounds(contenders, plan, { bench, load });
    return resultOf(plan, rounds, bench.options);
  } catch (problem) {
    throw server.explained(problem);
  }
}

async function loadOf({ body, connections }: Plan, bench: Bench): Promise<Load> {
  if (body === undefined) return { path: query, connections };
  const file = `${bench.dir}/body`;
  await Deno.writeTextFile(file, body.text);
  return { path: "/log", connections, body: { file, type: body.type } };
}

function startServer({ config }: Plan, bench: Bench): Promise<Server> {
  return Server.start(bench.runtime, { dir: bench.dir, config, core: bench.machine.pins.server });
}

async function startPeers(plan: Plan, bench: Bench, started: AsyncDisposableStack): Promise<Contender[]> {
  const peers: Contender[] = [];
  for (const name of plan.references) {
    try {
      const { address, child } = started.use<Peer>(await startPeer(name, bench));
      peers.push({ name, address, child });
    } catch (problem) {
      if (!(problem instanceof Skipped)) throw problem;
      bench.without(name, problem.message);
    }
  }
  return peers;
}

interface Doing {
  readonly bench: Bench;
  readonly load: Load;
}

/** Every other round goes backwards, so that a machine that grows slower or faster treats all alike. */
async function allRounds(contenders: readonly Contender[], plan: Plan, doing: Doing): Promise<Map<string, Round[]>> {
  const found = new Map<string, Round[]>(contenders.map(({ name }) => [name, []]));
  for (let number = 0; number < doing.bench.options.rounds; number++) {
    for (const contender of number % 2 === 0 ? contenders : contenders.toReversed()) {
      await pause(settleMs);
      const round = await oneRound(contender, plan, doing);
      found.get(contender.name)!.push(round);
      doing.bench.note(`${plan.name} round ${number + 1}: ${contender.name} ${shown(round.perSecond)}/s`);
    }
  }
  return found;
}

async function oneRound(contender: Contender, plan: Plan, { bench, load }: Doing): Promise<Round> {
  const { child, address } = contender;
  const acceptedBefore = await contender.accepted?.();
  const [cpuBefore, busyBefore] = [child.cpuSeconds(), busySeconds()];
  const seen = await sendLoad(address, load, { seconds: bench.options.seconds, core: bench.machine.pins.load });
  const cpu = child.cpuSeconds() - cpuBefore;
  const busy = busySeconds() - busyBefore;
  const messages = seen.requests * plan.messagesPerRequest;
  if (contender.accepted) checkCount(messages, await contender.accepted() - acceptedBefore!, plan);
  return {
    perSecond: messages / seen.seconds,
    p50: seen.p50_ms,
    p99: seen.p99_ms,
    p99_9: seen.p99_9_ms,
    cpuPerMillion: cpu / messages * 1e6,
    cores: cpu / seen.seconds,
    loadCores: seen.cpu_s / seen.seconds,
    otherCores: Math.max(0, busy - cpu - seen.cpu_s) / seen.seconds,
  };
}

/** When wrk stops, each connection may have a request under way whose answer it does not wait for. */
function checkCount(answered: number, accepted: number, { connections, messagesPerRequest }: Plan): void {
  const most = answered + connections * messagesPerRequest;
  if (accepted >= answered && accepted <= most) return;
  throw new Error(`${answered} messages were answered with 2xx, but the server counts ${accepted} as accepted`);
}

function resultOf(plan: Plan, found: ReadonlyMap<string, readonly Round[]>, options: Options): Result {
  const [ours, ...others] = [...found].map(([name, rounds]) => ({ name, rounds }));
  const references = others.map(({ name, rounds }) => ({
    name,
    ...figuresOf(plan, rounds),
    ...ratioOf(ours!.rounds, rounds),
  }));
  const figures = figuresOf(plan, ours!.rounds);
  const { connections } = plan;
  const { seconds, rounds } = options;
  return {
    figures: { connections, seconds, rounds, ...figures, references },
    row: {
      result: `${shownSpread(spreadOf(ours!.rounds.map(({ perSecond }) => perSecond)))} ${unitOf(plan)}`,
      latency: `${figures.p50_ms} / ${figures.p99_ms} / ${figures.p99_9_ms}`,
      cpu: `${figures.cpu_s_per_million}`,
      beside: references.map(({ name, ratio }) => `${ratio} × ${name}`).join(", "),
    },
  };
}

function unitOf({ messagesPerRequest }: Plan): string {
  return messagesPerRequest === 1 ? "requests/s" : "messages/s";
}

function figuresOf(plan: Plan, rounds: readonly Round[]) {
  const middle = (name: keyof Round) => rounded(median(rounds.map((round) => round[name])));
  return {
    [unitOf(plan).replace("/", "_per_")]: spreadOf(rounds.map(({ perSecond }) => perSecond)),
    p50_ms: middle("p50"),
    p99_ms: middle("p99"),
    p99_9_ms: middle("p99_9"),
    cpu_s_per_million: middle("cpuPerMillion"),
    cores: middle("cores"),
    load_cores: middle("loadCores"),
    other_cores: middle("otherCores"),
  };
}

/** Ours to theirs, round by round: what disturbed a round disturbed both. */
function ratioOf(ours: readonly Round[], theirs: readonly Round[]): { ratio: number; ratios: number[] } {
  const ratios = ours.map(({ perSecond }, number) => perSecond / theirs[number]!.perSecond);
  return { ratio: rounded(median(ratios)), ratios: ratios.map((ratio) => rounded(ratio)) };
}
