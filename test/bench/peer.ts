/** What the server is compared with: each is started, measured like ours, and ended. What is not here is left out, and named. */
import { fileURLToPath } from "node:url";
import { type Bench, Skipped } from "./case.ts";
import type { Contender } from "./contender.ts";
import { startFlume } from "./flume.ts";
import { type Load, type Seen, sendLoad, type Timing } from "./load.ts";
import { startNats } from "./nats.ts";
import { startNginx } from "./nginx.ts";
import { startPostgres } from "./postgres.ts";
import { Child, findCommand, runToEnd, until } from "./process.ts";
import { root } from "./server.ts";

export type PeerName =
  | "ceiling syncpre"
  | "ceiling sync"
  | "ceiling count"
  | "nginx"
  | "nginx discard"
  | "without log"
  | "postgres"
  | "nats"
  | "flume";

/** Something that takes requests and can be measured. */
export interface Peer extends AsyncDisposable {
  readonly address: string;
  readonly child: Child;
  /** How it is loaded, where that is not as ours is. */
  readonly send?: (timing: Timing) => Promise<Seen>;
  /** Where its work is not that of `child` alone. */
  readonly cpuSeconds?: () => number;
}
/** What a peer is started for. */
export interface PeerSetup {
  readonly bench: Bench;
  readonly load: Load;
  /** Of a request. */
  readonly messages: number;
}

const starts: Readonly<Record<PeerName, (setup: PeerSetup) => Promise<Peer>>> = {
  "ceiling syncpre": ({ bench }) => startCeiling(bench, "syncpre"),
  "ceiling sync": ({ bench }) => startCeiling(bench, "sync"),
  "ceiling count": ({ bench }) => startCeiling(bench, "count"),
  nginx: ({ bench }) => startNginx(bench, "log"),
  "nginx discard": ({ bench }) => startNginx(bench, "discard"),
  "without log": ({ bench }) => startWithoutLog(bench),
  postgres: startPostgres,
  nats: startNats,
  flume: startFlume,
};

export async function startPeers(
  names: readonly PeerName[],
  setup: PeerSetup,
  started: AsyncDisposableStack,
): Promise<Contender[]> {
  const { bench, load } = setup;
  const peers: Contender[] = [];
  for (const name of names) {
    try {
      const { address, child, send, cpuSeconds } = started.use(await starts[name](setup));
      peers.push({
        name,
        address,
        send: (seconds) => {
          const timing = { seconds, core: bench.machine.pins.load };
          return send?.(timing) ?? sendLoad(address, load, timing);
        },
        cpuSeconds: cpuSeconds ?? (() => child.cpuSeconds()),
      });
    } catch (problem) {
      if (!(problem instanceof Skipped)) throw problem;
      bench.without(name, problem.message);
    }
  }
  return peers;
}

async function startCeiling(bench: Bench, mode: "sync" | "syncpre" | "count"): Promise<Peer> {
  const command = Deno.env.get("SPARKNGIN_CEILING") || await compiled("ceiling", bench.kept);
  const port = freePort();
  const file = `${bench.kept}/ceiling.${mode}`;
  if (mode === "syncpre" && !await Deno.stat(file).catch(() => undefined)) bench.note("ceiling fills a file of 4 GiB");
  return await startedPeer({ command, args: [String(port), mode, file] }, port, bench);
}

/** Of the C source of that name beside this, the program, made once in `dir`. */
export async function compiled(name: string, dir: string): Promise<string> {
  const made = `${dir}/${name}`;
  if (await Deno.stat(made).catch(() => undefined)) return made;
  const command = await findCommand("cc");
  if (command === undefined) {
    throw new Skipped(`needs cc${name === "ceiling" ? ", or a ceiling by SPARKNGIN_CEILING" : ""}`);
  }
  const source = fileURLToPath(new URL(`${name}.c`, import.meta.url));
  const { code, stderr } = await runToEnd({ command, args: ["-O2", "-o", made, source, "-lm"] });
  if (code !== 0) throw new Error(`Cannot compile ${source}: ${stderr}`);
  return made;
}

/** All of intake but the log, from source on the Deno that runs the benchmarks. */
async function startWithoutLog(bench: Bench): Promise<Peer> {
  if (!bench.runtime.name.endsWith("source")) throw new Skipped("is measured from source only");
  const port = freePort();
  const script = `${root}/test/bench/without_log.ts`;
  const args = ["run", "--quiet", "-A", "--config", `${root}/deno.json`, script, String(port)];
  return await startedPeer({ command: Deno.execPath(), args }, port, bench);
}

export interface PeerLaunch {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
}

/** On the server's core; resolves when it takes connections. */
export async function startedPeer(launch: PeerLaunch, port: number, bench: Bench): Promise<Peer> {
  const core = bench.machine.pins.server;
  const child = new Child({ ...launch, ...(core !== undefined && { core }) });
  try {
    await until(child, `the start of ${launch.command}`, () => listens(port));
  } catch (problem) {
    await child[Symbol.asyncDispose]();
    throw problem;
  }
  return { address: `127.0.0.1:${port}`, child, [Symbol.asyncDispose]: () => child[Symbol.asyncDispose]() };
}

async function listens(port: number): Promise<boolean> {
  try {
    using _ = await Deno.connect({ hostname: "127.0.0.1", port });
    return true;
  } catch (problem) {
    if (problem instanceof Deno.errors.ConnectionRefused) return false;
    throw problem;
  }
}

/** One that nobody has now. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
