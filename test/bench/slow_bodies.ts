/** How long good clients wait while thousands of others send their bodies byte by byte, and while nobody does. */
import type { Bench, Case, Result } from "./case.ts";
import { Skipped } from "./case.ts";
import { type Contender, type Round, roundsInTurn } from "./contender.ts";
import { median, rounded, shown, spreadOf } from "./figures.ts";
import { sendPaced } from "./paced.ts";
import { compiled } from "./peer.ts";
import { pause } from "./process.ts";
import { Server } from "./server.ts";
import { noDelivery } from "./throughput.ts";

const connections = 64;
const rate = 2000;
const slowClients = 5000;
const openedPerSecond = 1000;
const bitEveryMs = 5000;
/** Until all are open, and the first have run out of their time: from then on as many end as begin. */
const fillMs = 7000;
const stepMs = 50;
const config = `[http]\nconnections_max = 10000\nconnections_per_address = 10000\n${noDelivery}`;

export const slowBodies: Case = {
  name: "slow-bodies",
  summary: `latency of ${shown(rate)} GETs a second beside ${
    shown(slowClients)
  } connections whose bodies do not come on`,
  runtimes: "each",
  run: async (bench) => [await measure(bench)],
};

async function measure(bench: Bench): Promise<Result> {
  const { dir, runtime, machine, kept } = bench;
  await using server = await Server.start(runtime, { dir, config, core: machine.pins.server });
  const pace = { paced: await compiled("paced", kept), connections, rate, bench };
  const send = (seconds: number) => sendPaced(server.address, seconds, pace);
  const open: number[] = [];
  const sendBeside = async (seconds: number) => {
    await using slow = new SlowBodies(server.address);
    await pause(fillMs);
    const seen = await send(seconds);
    open.push(slow.open);
    return seen;
  };
  const common = { address: server.address, cpuSeconds: () => server.child.cpuSeconds() };
  const contenders: Contender[] = [{ name: "beside", send: sendBeside, ...common }, { name: "alone", send, ...common }];
  const traffic = { name: "slow-bodies", connections, messagesPerRequest: 1 };
  try {
    const found = await roundsInTurn(contenders, traffic, bench);
    if (median(open) < slowClients / 2) {
      throw new Skipped(`needs ${slowClients} connections at once, had ${median(open)}`);
    }
    return resultOf(found.get("beside")!, found.get("alone")!, median(open));
  } catch (problem) {
    throw server.explained(problem);
  }
}

function resultOf(beside: readonly Round[], alone: readonly Round[], open: number): Result {
  const [ours, theirs] = [latencies(beside), latencies(alone)];
  const ratios = beside.map(({ p99 }, number) => rounded(p99 / alone[number]!.p99));
  const ratio = rounded(median(ratios));
  return {
    figures: {
      due_per_s: rate,
      connections,
      slow: open,
      ...ours,
      references: [{ name: "alone", ...theirs, ratio, ratios }],
    },
    row: {
      result: `${shown(rate)} requests/s due, ${shown(open)} slow bodies`,
      latency: shownLatencies(ours),
      beside: `alone ${shownLatencies(theirs)}; p99 ${ratio} ×`,
    },
  };
}

function latencies(rounds: readonly Round[]) {
  const spread = (name: "p50" | "p99" | "p99_9") => spreadOf(rounds.map((round) => round[name]));
  return { p50_ms: spread("p50"), p99_ms: spread("p99"), p99_9_ms: spread("p99_9") };
}

function shownLatencies({ p50_ms, p99_ms, p99_9_ms }: ReturnType<typeof latencies>): string {
  return [p50_ms, p99_ms, p99_9_ms].map(({ median }) => median).join(" / ");
}

/** Clients that announce a body and send a few bytes of it now and then, each until it is turned away; then another comes. */
class SlowBodies implements AsyncDisposable {
  readonly #hostname: string;
  readonly #port: number;
  readonly #open = new Set<Deno.TcpConn>();
  readonly #clients = new Set<Promise<void>>();
  readonly #opening: Promise<void>;
  #over = false;

  constructor(address: string) {
    const colon = address.lastIndexOf(":");
    this.#hostname = address.slice(0, colon);
    this.#port = Number(address.slice(colon + 1));
    this.#opening = this.#keepOpen();
  }
  get open(): number {
    return this.#open.size;
  }

  async #keepOpen(): Promise<void> {
    while (!this.#over) {
      const lacking = Math.min(slowClients - this.#clients.size, openedPerSecond * stepMs / 1000);
      for (let number = 0; number < lacking; number++) this.#begin();
      await pause(stepMs);
    }
  }

  #begin(): void {
    // Turned away, or nobody there any more: that is what these are for.
    const client: Promise<void> = this.#send().catch(() => {}).finally(() => this.#clients.delete(client));
    this.#clients.add(client);
  }

  async #send(): Promise<void> {
    using connection = await Deno.connect({ hostname: this.#hostname, port: this.#port });
    this.#open.add(connection);
    const turnedAway = connection.read(new Uint8Array(512)).catch(() => {}).finally(() =>
      this.#open.delete(connection)
    );
    await connection.write(head);
    while (this.#open.has(connection) && !this.#over) {
      await Promise.race([pause(bitEveryMs), turnedAway]);
      if (this.#open.has(connection)) await connection.write(bit);
    }
  }

  /** Closes all of them. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#over = true;
    for (const connection of this.#open) connection.close();
    await this.#opening;
    await Promise.all(this.#clients);
  }
}

const head = new TextEncoder().encode(
  "POST /log?topic=test HTTP/1.1\r\nHost: test\r\nContent-Type: application/octet-stream\r\nContent-Length: 8192\r\n\r\n",
);
const bit = new TextEncoder().encode("0123456789");
