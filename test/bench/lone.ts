/** How long one message takes that comes alone: until its answer, and until it is at the destination. */
import { type Bench, type Case, type Result, Skipped } from "./case.ts";
import { query } from "./body.ts";
import { brokerOf } from "./broker.ts";
import { destination } from "./delivery.ts";
import { rounded } from "./figures.ts";
import { seenOf } from "./load.ts";
import { Child, findCommand, pause } from "./process.ts";
import { Server } from "./server.ts";

const messages = 200;
const warmUpMessages = 20;
const topic = "test";
/** Longer than a destination gathers, and never the same. */
const pauseMs = () => 30 + Math.random() * 20;
const patienceMs = 60_000;

export const lone: Case = {
  name: "lone",
  summary:
    `a message alone, ${messages} times: until its 204, until the file or a consumer of the broker has it, and until ` +
    "ack=delivered is answered",
  runtimes: "each",
  async run(bench) {
    const results = [await toFile(bench)];
    try {
      results.push(await toKafka(bench));
    } catch (problem) {
      if (!(problem instanceof Skipped)) throw problem;
      bench.without("kafka", problem.message);
    }
    return results;
  },
};

/** How far a destination is, in whatever it counts; it grows with every message. */
type Look = () => number;

async function toFile(bench: Bench): Promise<Result> {
  const config = `[[destination]]\nname = "${destination}"\nkind = "file"\n`;
  const out = `${bench.dir}/file/data/out`;
  return await measure(bench, { part: "file", config, look: () => bytesIn(out) });
}

function bytesIn(dir: string): number {
  let bytes = 0;
  try {
    for (const { name, isDirectory } of Deno.readDirSync(dir)) {
      bytes += isDirectory ? bytesIn(`${dir}/${name}`) : Deno.statSync(`${dir}/${name}`).size;
    }
  } catch (problem) {
    // It does not exist yet, or was finished just now.
    if (!(problem instanceof Deno.errors.NotFound)) throw problem;
  }
  return bytes;
}

async function toKafka(bench: Bench): Promise<Result> {
  await using broker = await brokerOf(bench);
  await broker.createTopic(topic, 1);
  const command = await findCommand("kcat");
  if (command === undefined) throw new Skipped("needs kcat");
  const args = ["-C", "-b", broker.addresses[0]!, "-t", topic, "-o", "beginning", "-u", "-q", "-f", "x"];
  await using consumer = new Child({ command, args });
  return await measure(bench, {
    part: "kafka",
    config: broker.config(destination),
    look: () => consumer.stdout.length,
  });
}

interface Way {
  readonly part: string;
  readonly config: string;
  readonly look: Look;
}

async function measure(bench: Bench, { part, config, look }: Way): Promise<Result> {
  const { dir, runtime, machine } = bench;
  const whole = `[http]\nack = ["disk", "delivered"]\n${config}`;
  await using server = await Server.start(runtime, { dir: `${dir}/${part}`, config: whole, core: machine.pins.server });
  try {
    const client = await Client.open(server.address);
    const [answered, seen, confirmed]: [number[], number[], number[]] = [[], [], []];
    for (let number = -warmUpMessages; number < messages; number++) {
      const there = await settled(look);
      const begin = performance.now();
      await client.get(query);
      const toAnswer = performance.now() - begin;
      await grown(look, there);
      const toThere = performance.now() - begin;
      await settled(look);
      const again = performance.now();
      await client.get(`${query}&ack=delivered`);
      const toConfirmed = performance.now() - again;
      if (number < 0) continue;
      answered.push(toAnswer);
      seen.push(toThere);
      confirmed.push(toConfirmed);
    }
    client.close();
    bench.note(`lone/${part}: done`);
    return resultOf(part, { answered, seen, confirmed });
  } catch (problem) {
    throw server.explained(problem);
  }
}

/** Nothing has come for a while. */
async function settled(look: Look): Promise<number> {
  for (let last = look();;) {
    await pause(pauseMs());
    const now = look();
    if (now === last) return now;
    last = now;
  }
}

async function grown(look: Look, from: number): Promise<void> {
  const limit = performance.now() + patienceMs;
  while (look() === from) {
    if (performance.now() > limit) throw new Error("the message did not come to its destination within a minute");
    await pause(0);
  }
}

/** One connection, said by hand: what a larger client does would be part of the figure. */
class Client {
  readonly #connection: Deno.Conn;
  readonly #into = new Uint8Array(4096);

  private constructor(connection: Deno.Conn) {
    this.#connection = connection;
  }
  static async open(address: string): Promise<Client> {
    const [hostname, port] = address.split(":");
    return new Client(await Deno.connect({ hostname: hostname!, port: Number(port) }));
  }
  async get(target: string): Promise<void> {
    await this.#connection.write(new TextEncoder().encode(`GET ${target} HTTP/1.1\r\nHost: bench\r\n\r\n`));
    const count = await this.#connection.read(this.#into) ?? 0;
    const answer = new TextDecoder().decode(this.#into.subarray(0, count));
    if (!answer.startsWith("HTTP/1.1 204 ")) {
      throw new Error(`A lone message was answered with "${answer.slice(0, 300)}"`);
    }
  }
  close(): void {
    this.#connection.close();
  }
}

interface Times {
  readonly answered: readonly number[];
  readonly seen: readonly number[];
  readonly confirmed: readonly number[];
}

function resultOf(part: string, { answered, seen, confirmed }: Times): Result {
  const [toAnswer, toThere, toConfirmed] = [answered, seen, confirmed].map(shareOf);
  const shown = ({ p50, p99 }: { p50: number; p99: number }) => `${p50} / ${p99}`;
  return {
    part,
    figures: { messages, answered_ms: toAnswer, there_ms: toThere, confirmed_ms: toConfirmed },
    row: {
      result: `there ${shown(toThere!)} ms (p50 / p99 of ${messages})`,
      beside: `its 204 ${shown(toAnswer!)} ms, ack=delivered ${shown(toConfirmed!)} ms`,
    },
  };
}

function shareOf(ms: readonly number[]) {
  const { p50_ms, p99_ms, max_ms } = seenOf(Float64Array.from(ms), { seconds: 0, cpu_s: 0 });
  return { p50: rounded(p50_ms), p99: rounded(p99_ms), max: rounded(max_ms) };
}
