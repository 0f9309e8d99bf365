/** Messages over ZeroMQ: in through the synced log, and out to a subscriber, beside libzmq by itself. */
import { makeOf, missing } from "../services/zeromq.ts";
import { type Bench, type Case, type Result, Skipped } from "./case.ts";
import { median, rounded, shown, shownSpread, spreadOf } from "./figures.ts";
import { Child, pause, runToEnd } from "./process.ts";
import { Server } from "./server.ts";
import { noDelivery } from "./throughput.ts";

/** What a sender puts around it makes 200 bytes of it. */
const fillBytes = 165;
/** About what a second takes. */
const perSecond = 150_000;

const door = '[[zeromq]]\nlisten = ["127.0.0.1:0"]\n';
const publisher = `[[destination]]
name = "pub"
kind = "zeromq"
format = "raw"
buf_size = "100GiB"
listen = ["127.0.0.1:0"]
`;

export const zeromq: Case = {
  name: "zeromq",
  summary: "messages of 200 bytes in by PULL, synced, and out by PUB, beside pyzmq alone",
  runtimes: "each",
  async run(bench) {
    const lacks = missing("pyzmq", "C");
    if (lacks !== "") throw new Skipped(lacks.slice(" (".length, -1));
    return [await measureIn(bench), await measureOut(bench)];
  },
};

interface Round {
  readonly perSecond: number;
  readonly cpuPerMillion: number;
}

async function measureIn(bench: Bench): Promise<Result> {
  const { runtime, machine, dir } = bench;
  await using server = await Server.start(runtime, {
    dir: `${dir}/in`,
    config: door + noDelivery,
    core: machine.pins.server,
  });
  const rounds: Round[] = [];
  const alone: number[] = [];
  for (let number = 0; number < bench.options.rounds; number++) {
    rounds.push(
      await timed(server, countOf(bench), async () => {
        const before = (await server.status()).zeromq.accepted;
        await send(bench, zeromqAddress(server), countOf(bench));
        while ((await server.status()).zeromq.accepted < before + countOf(bench)) await pause(10);
      }),
    );
    alone.push(await pyzmqAlone(bench));
    bench.note(`zeromq/in round ${number + 1}: ${shown(rounds.at(-1)!.perSecond)}/s, pyzmq ${shown(alone.at(-1)!)}/s`);
  }
  return resultOf("in", rounds, alone);
}

async function measureOut(bench: Bench): Promise<Result> {
  const { runtime, machine, dir } = bench;
  const config = door + publisher;
  await using server = await Server.start(runtime, { dir: `${dir}/out`, config, core: machine.pins.server });
  const rounds: Round[] = [];
  const alone: number[] = [];
  const count = countOf(bench);
  for (let number = 0; number < bench.options.rounds; number++) {
    await send(bench, zeromqAddress(server), count);
    const end = (number + 1) * count;
    while ((await server.status()).zeromq.accepted < end) await pause(10);
    rounds.push(await timed(server, count, () => take(bench, publisherAddress(server), count)));
    alone.push(await pyzmqAlone(bench));
    bench.note(`zeromq/out round ${number + 1}: ${shown(rounds.at(-1)!.perSecond)}/s, pyzmq ${shown(alone.at(-1)!)}/s`);
  }
  return resultOf("out", rounds, alone);
}

function countOf({ options }: Bench): number {
  return options.seconds * perSecond;
}

async function timed(server: Server, count: number, work: () => Promise<void>): Promise<Round> {
  const [begin, cpuBegin] = [performance.now(), server.child.cpuSeconds()];
  await work();
  const seconds = (performance.now() - begin) / 1000;
  return { perSecond: count / seconds, cpuPerMillion: (server.child.cpuSeconds() - cpuBegin) / count * 1e6 };
}

async function send(bench: Bench, address: string, count: number): Promise<void> {
  await runPeer(bench, "C", ["push", "connect", address, String(count), String(fillBytes)]);
}

async function take(bench: Bench, address: string, count: number): Promise<void> {
  await runPeer(bench, "C", ["sub", "connect", address, String(count), "-1"]);
}

async function runPeer({ machine }: Bench, name: "C" | "pyzmq", args: readonly string[]): Promise<void> {
  const { command, args: first } = await makeOf(name);
  const { code, stderr } = await runToEnd({ command, args: [...first, ...args], core: machine.pins.load });
  if (code !== 0) throw new Error(`A peer ended with ${code}: ${stderr.slice(-300)}`);
}

/** From a process of pyzmq to another, on the cores of load and server. */
async function pyzmqAlone(bench: Bench): Promise<number> {
  const { machine } = bench;
  const count = countOf(bench);
  const { command, args } = await makeOf("pyzmq");
  const taker = ["pull", "bind", "tcp://127.0.0.1:*", String(count), "-1"];
  await using pull = new Child({ command, args: [...args, ...taker], core: machine.pins.server });
  while (!pull.stdout.includes("\n")) await pause(10);
  const begin = performance.now();
  const sent = runPeer(bench, "pyzmq", ["push", "connect", pull.stdout.trim(), String(count), String(fillBytes)]);
  await pull.exited;
  const seconds = (performance.now() - begin) / 1000;
  await sent;
  return count / seconds;
}

function zeromqAddress(server: Server): string {
  return `tcp://${/"zeromq":"([^"]+)"/.exec(server.child.stderr)![1]}`;
}

function publisherAddress(server: Server): string {
  return `tcp://${/peers find it at ([0-9.:]+)/.exec(server.child.stderr)![1]}`;
}

function resultOf(part: string, rounds: readonly Round[], alone: readonly number[]): Result {
  const ours = spreadOf(rounds.map((round) => round.perSecond));
  const theirs = spreadOf(alone);
  const cpu = rounded(median(rounds.map((round) => round.cpuPerMillion)));
  return {
    part,
    figures: { rounds: rounds.length, messages_per_s: ours, pyzmq_alone_per_s: theirs, cpu_s_per_million: cpu },
    row: {
      result: `${shownSpread(ours)} messages/s`,
      cpu: `${cpu}`,
      beside: `${rounded(ours.median / theirs.median, 2)} × pyzmq alone`,
    },
  };
}
