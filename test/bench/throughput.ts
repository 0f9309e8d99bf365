/** Cases that load the server as fast as it goes, round by round in turn with what it is compared with. */
import { lines, messageLine, query } from "./body.ts";
import type { Bench, Case, Result } from "./case.ts";
import { type Contender, figuresOf, ratioOf, type Round, roundsInTurn } from "./contender.ts";
import { rounded, shownSpread, spreadOf } from "./figures.ts";
import { gzipped, type Load, sendLoad } from "./load.ts";
import type { Options } from "./options.ts";
import { type PeerName, startPeers } from "./peer.ts";
import { Server } from "./server.ts";

interface Plan {
  readonly name: string;
  readonly summary: string;
  readonly connections: number;
  /** Bodies are sent to /log; without one the query is. */
  readonly body?: { readonly text: string; readonly type: string; readonly gzip?: boolean };
  readonly messagesPerRequest: number;
  readonly config?: string;
  readonly onRequest?: boolean;
  readonly references: readonly PeerName[];
}

/** A destination that never opens, as no directory can be made in a file: intake alone is measured, as the references are. */
export const noDelivery = `[[destination]]
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
    references: ["ceiling syncpre", "nginx", "without log", "postgres", "nats", "flume"],
  },
  {
    name: "get-256",
    summary: "the same from 256 connections",
    connections: 256,
    messagesPerRequest: 1,
    config: noDelivery,
    references: ["ceiling syncpre", "nginx", "without log"],
  },
  {
    name: "get-1024",
    summary: "the same from 1024 connections: more than the runtime looks at in one turn",
    connections: 1024,
    messagesPerRequest: 1,
    config: noDelivery,
    references: ["ceiling syncpre", "nginx", "without log"],
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
  ...[1, 16].map(fewer),
  ...[1, 10, 100, 800].map(larger),
  ...[4, 16].map(more),
  ...[1, 10, 100, 1000].flatMap((count) => [ndjson(count), ndjson(count, "gzip")]),
];

// How the cost of a message grows: by themselves, for the CPU that they take.

function fewer(connections: number): Plan {
  const summary = `as get-64 from ${connections} connections, by itself`;
  const plan = { connections, messagesPerRequest: 1, config: noDelivery, onRequest: true, references: [] };
  return { name: `get-${connections}`, summary, ...plan };
}

function larger(kilobytes: number): Plan {
  return {
    name: `post-json-${kilobytes}k`,
    summary: `as post-json-1 with ${kilobytes} kB of data, 16 connections, by itself`,
    connections: 16,
    body: { text: JSON.stringify({ topic: "test", data: "x".repeat(kilobytes * 1000) }), type: "application/json" },
    messagesPerRequest: 1,
    config: noDelivery,
    onRequest: true,
    references: [],
  };
}

function more(destinations: number): Plan {
  const each = (_: unknown, number: number) => `[[destination]]\nname = "out${number}"\nkind = "file"\n`;
  return {
    name: `get-64-file-${destinations}`,
    summary: `as get-64-file with ${destinations} file destinations, by itself`,
    connections: 64,
    messagesPerRequest: 1,
    config: Array.from({ length: destinations }, each).join(""),
    onRequest: true,
    references: [],
  };
}

function ndjson(count: number, gzip?: "gzip"): Plan {
  // The more in a request, the fewer of them keep the core busy; more would only make each commit longer.
  const connections = count < 100 ? 64 : count < 1000 ? 16 : 8;
  const packed = gzip === undefined ? "" : ", packed by gzip";
  const batch: readonly PeerName[] = count === 100 ? ["flume"] : [];
  return {
    name: `ndjson-${count}${gzip === undefined ? "" : "-gzip"}`,
    summary:
      `${count} lines of NDJSON a POST${packed}, synced, ${connections} connections, nothing delivered meanwhile`,
    connections,
    body: { text: lines(count), type: "application/x-ndjson", gzip: gzip !== undefined },
    messagesPerRequest: count,
    config: noDelivery,
    references: gzip ? ["ceiling sync"] : ["ceiling sync", "ceiling count", "nginx discard", ...batch],
  };
}

export const throughputCases: readonly Case[] = plans.map((plan) => ({
  name: plan.name,
  summary: plan.summary,
  runtimes: "each",
  onRequest: plan.onRequest === true,
  run: async (bench) => [await measure(plan, bench)],
}));

async function measure(plan: Plan, bench: Bench): Promise<Result> {
  const load = await loadOf(plan, bench);
  await using started = new AsyncDisposableStack();
  const { dir, runtime, machine } = bench;
  const server = started.use(await Server.start(runtime, { dir, config: plan.config, core: machine.pins.server }));
  const peers = await startPeers(plan.references, { bench, load, messages: plan.messagesPerRequest }, started);
  try {
    const rounds = await roundsInTurn([ours(server, load, bench), ...peers], plan, bench);
    return resultOf(plan, rounds, bench.options);
  } catch (problem) {
    throw server.explained(problem);
  }
}

/** The server under test. */
export function ours(server: Server, load: Load, { machine }: Bench): Contender {
  return {
    name: "sparkngin",
    address: server.address,
    send: (seconds) => sendLoad(server.address, load, { seconds, core: machine.pins.load }),
    cpuSeconds: () => server.child.cpuSeconds(),
    accepted: () => server.accepted(),
  };
}

async function loadOf({ body, connections }: Plan, { dir }: Bench): Promise<Load> {
  if (body === undefined) return { path: query, connections };
  const file = `${dir}/body`;
  const { text, type, gzip = false } = body;
  await Deno.writeFile(file, gzip ? await gzipped(text) : new TextEncoder().encode(text));
  return { path: "/log", connections, body: { file, type, ...(gzip && { encoding: "gzip" }) } };
}

function resultOf(plan: Plan, found: ReadonlyMap<string, readonly Round[]>, options: Options): Result {
  const rates = (rounds: readonly Round[]) => rounds.map(({ perSecond }) => perSecond);
  const unit = plan.messagesPerRequest === 1 ? "requests/s" : "messages/s";
  const key = unit.replace("/", "_per_");
  const [ours, ...others] = [...found].map(([name, rounds]) => ({ name, rounds }));
  const references = others.map(({ name, rounds }) => ({
    name,
    ...figuresOf(key, rounds),
    ...ratioOf(rates(ours!.rounds), rates(rounds)),
  }));
  const figures = figuresOf(key, ours!.rounds);
  const { connections } = plan;
  const { seconds, rounds } = options;
  const perSecond = spreadOf(rates(ours!.rounds));
  // Of the bodies as they are unpacked.
  const bytes = plan.body && perSecond.median * plan.body.text.length / plan.messagesPerRequest;
  return {
    figures: {
      connections,
      seconds,
      rounds,
      ...figures,
      ...(bytes && { mb_per_s: rounded(bytes / 1e6) }),
      references,
    },
    row: {
      result: `${shownSpread(perSecond)} ${unit}`,
      latency: `${figures.p50_ms} / ${figures.p99_ms} / ${figures.p99_9_ms}`,
      cpu: `${figures.cpu_s_per_million}`,
      beside: references.map(({ name, ratio, cpu_s_per_million }) => `${ratio} × ${name} (${cpu_s_per_million} CPU s)`)
        .join(", "),
    },
  };
}
