/**
 * Whether a second thread of intake would pay: two nodes beside each other, each with a log of its own and half of the connections,
 * against one. Nothing is handed from thread to thread here, so what two threads with one log could win is less.
 */
import { makeCertificates, missing } from "../services/certificates.ts";
import { lines, query } from "./body.ts";
import { type Bench, type Case, type Result, Skipped } from "./case.ts";
import { type Contender, figuresOf, ratioOf, type Round, type RoundFigures, roundsInTurn } from "./contender.ts";
import { shown, shownSpread, type Spread } from "./figures.ts";
import { gzipped, type Load, type Seen, sendLoad } from "./load.ts";
import { Server } from "./server.ts";
import { noDelivery } from "./throughput.ts";

interface Work {
  readonly name: string;
  readonly connections: number;
  readonly messagesPerRequest: number;
  readonly isSecure?: boolean;
  readonly body?: { readonly bytes: Uint8Array; readonly type: string; readonly encoding?: string };
}

const lineCount = 100;
const largeBytes = 100_000;
const unit = "messages_per_s";

export const twoIntakes: Case = {
  name: "two-intakes",
  summary:
    "GETs, GETs over TLS, NDJSON packed by gzip and bodies of 100 kB to two nodes on both cores, beside the same to one",
  runtimes: "each",
  onRequest: true,
  run: measure,
};

async function measure(bench: Bench): Promise<Result[]> {
  const results = [];
  for (const work of await works()) results.push(await measureOne(work, bench));
  return results;
}

async function works(): Promise<Work[]> {
  const large = JSON.stringify({ topic: "test", data: "x".repeat(largeBytes) });
  return [
    { name: "get", connections: 64, messagesPerRequest: 1 },
    { name: "get-tls", connections: 64, messagesPerRequest: 1, isSecure: true },
    {
      name: "ndjson-100-gzip",
      connections: 16,
      messagesPerRequest: lineCount,
      body: { bytes: await gzipped(lines(lineCount)), type: "application/x-ndjson", encoding: "gzip" },
    },
    {
      name: "post-json-100k",
      connections: 16,
      messagesPerRequest: 1,
      body: { bytes: new TextEncoder().encode(large), type: "application/json" },
    },
  ];
}

async function measureOne(work: Work, { dir: whole, ...others }: Bench): Promise<Result> {
  const dir = `${whole}/${work.name}`;
  await Deno.mkdir(dir);
  const bench = { dir, ...others };
  const config = await configOf(work, dir);
  const load = await loadOf(work, dir);
  await using started = new AsyncDisposableStack();
  const start = async (name: string) =>
    started.use(await Server.start(bench.runtime, { dir: `${dir}/${name}`, config }));
  const two = contender("two", [await start("left"), await start("right")], load);
  const one = contender("one", [await start("alone")], load);
  return resultOf(work, await roundsInTurn([two, one], work, bench));
}

async function configOf({ isSecure }: Work, dir: string): Promise<string> {
  if (!isSecure) return noDelivery;
  const lacking = missing();
  if (lacking !== "") throw new Skipped(lacking.replace(/^ \(|\)$/g, ""));
  const { server: { cert, key } } = await makeCertificates(dir);
  return `[http]\ntls_cert = ${JSON.stringify(cert)}\ntls_key = ${JSON.stringify(key)}\n${noDelivery}`;
}

async function loadOf({ body, connections, isSecure = false }: Work, dir: string): Promise<Load> {
  if (body === undefined) return { path: query, connections, isSecure };
  const file = `${dir}/body`;
  const { bytes, ...kind } = body;
  await Deno.writeFile(file, bytes);
  return { path: "/log", connections, body: { file, ...kind } };
}

/** Neither it nor its load is bound to a core: the load's share is what two cores have left for one node. */
function contender(name: string, servers: readonly Server[], load: Load): Contender {
  const part = { ...load, connections: load.connections / servers.length };
  return {
    name,
    address: servers.map(({ address }) => address).join(" "),
    async send(seconds) {
      return together(await Promise.all(servers.map(({ address }) => sendLoad(address, part, { seconds }))));
    },
    cpuSeconds: () => servers.reduce((sum, { child }) => sum + child.cpuSeconds(), 0),
    async accepted() {
      return (await Promise.all(servers.map((server) => server.accepted()))).reduce((sum, count) => sum + count, 0);
    },
  };
}

/** Of loads at the same time. Percentiles are those of the one that waited longer. */
function together(parts: readonly Seen[]): Seen {
  const sum = (name: keyof Seen) => parts.reduce((sum, part) => sum + part[name], 0);
  const most = (name: keyof Seen) => Math.max(...parts.map((part) => part[name]));
  return {
    requests: sum("requests"),
    cpu_s: sum("cpu_s"),
    seconds: most("seconds"),
    p50_ms: most("p50_ms"),
    p99_ms: most("p99_ms"),
    p99_9_ms: most("p99_9_ms"),
    max_ms: most("max_ms"),
  };
}

function resultOf({ name }: Work, found: ReadonlyMap<string, readonly Round[]>): Result {
  const rates = (name: string) => found.get(name)!.map(({ perSecond }) => perSecond);
  const [two, one] = [figuresOf(unit, found.get("two")!), figuresOf(unit, found.get("one")!)];
  const { ratio, ratios } = ratioOf(rates("two"), rates("one"));
  return {
    part: name,
    figures: { ...two, references: [{ name: "one", ...one, ratio, ratios }] },
    row: {
      result: `two: ${coresOf(two)}`,
      cpu: `${two.cpu_s_per_million} against ${one.cpu_s_per_million}`,
      beside: `one: ${coresOf(one)}; two take ${shown(ratio)} × as many`,
    },
  };
}

function coresOf(figures: RoundFigures): string {
  const { cores, load_cores } = figures;
  return `${shownSpread(figures[unit] as Spread)} messages/s by ${cores} cores, the load ${load_cores}`;
}
