/** From HTTP to a destination, sustained: into files, into Kafka, into Elasticsearch. */
import { missing, startElastic } from "../services/elasticsearch.ts";
import { lines } from "./body.ts";
import { type Bench, type Case, type Result, Skipped } from "./case.ts";
import { ratioOf } from "./contender.ts";
import { type Broker, brokerOf, endOf } from "./broker.ts";
import {
  deliveryFigures,
  type DeliveryRound,
  deliveryRound,
  destination,
  messagesPerRequest,
  prepareLoad,
  shownDelivery,
  warmUpSeconds,
} from "./delivery.ts";
import { shown, spreadOf } from "./figures.ts";
import { findCommand, runToEnd } from "./process.ts";
import { Server } from "./server.ts";

/** As without configuration, but no file is removed: they are counted at the end. */
const fileConfig = `[[destination]]
name = "${destination}"
kind = "file"
keep_max = 0
`;
const topic = "test";

export const endToEnd: readonly Case[] = [
  {
    name: "file-end-to-end",
    summary: "100 lines of NDJSON a POST, 16 connections, until all are synced in the files of the file destination",
    runtimes: "each",
    run: async (bench) => [
      await measure(bench, {
        name: "file-end-to-end",
        config: fileConfig,
        check: (accepted) => checkFiles(`${bench.dir}/data/out`, accepted),
      }),
    ],
  },
  {
    name: "kafka-end-to-end",
    summary:
      "the same until a Kafka broker on the other core has acknowledged all; beside the bare client of the same library, and kcat, who sends the lines of a file",
    runtimes: "each",
    run: async (bench) => [await toKafka(bench)],
  },
  {
    name: "elasticsearch-end-to-end",
    summary:
      "100 lines of NDJSON a POST for a second, until Elasticsearch, on the same cores, has them all as documents",
    runtimes: "each",
    onRequest: true,
    run: async (bench) => [await toElastic(bench)],
  },
];

interface Way {
  readonly name: string;
  readonly config: string;
  /** Throws when not all that was accepted is there. */
  readonly check: (accepted: number) => Promise<void>;
  readonly references?: readonly Reference[];
}

interface Reference {
  readonly name: string;
  /** Messages a second that it brings there. */
  perSecond(): Promise<number>;
}

async function toKafka(bench: Bench): Promise<Result> {
  await using broker = await brokerOf(bench);
  await broker.createTopic(topic, 3);
  await broker.createTopic("beside", 3);
  return await measure(bench, {
    name: "kafka-end-to-end",
    config: broker.config(destination),
    async check(accepted) {
      const count = await endOf(broker, topic);
      if (count !== accepted) throw new Error(`${accepted} messages were accepted, but the topic holds ${count}`);
    },
    references: [
      { name: "the bare client", perSecond: () => clientPerSecond(broker, bench) },
      { name: "kcat", perSecond: () => kcatPerSecond(broker, bench) },
    ],
  });
}

/** It lags far behind intake, so it is short; what warms up makes the index, too. */
async function toElastic(bench: Bench): Promise<Result> {
  const lack = missing();
  if (lack !== undefined) throw new Skipped(`needs ${lack}`);
  const elastic = await startElastic("elasticsearch");
  try {
    const options = { ...bench.options, seconds: 1, rounds: 1 };
    return await measure({ ...bench, options }, {
      name: "elasticsearch-end-to-end",
      config:
        `[[destination]]\nname = "${destination}"\nkind = "elasticsearch"\nnodes = ["${elastic.url}"]\nbatch_bytes = "5MiB"\n`,
      async check(accepted) {
        const found = await elastic.count("logs-*");
        if (found !== accepted) throw new Error(`${accepted} messages were accepted, but there are ${found} documents`);
      },
    });
  } finally {
    await elastic.stop();
  }
}

async function measure(bench: Bench, { name, config, check, references = [] }: Way): Promise<Result> {
  const { dir, runtime, machine, options, note } = bench;
  const load = await prepareLoad(dir);
  await using server = await Server.start(runtime, { dir, config, core: machine.pins.server });
  try {
    await deliveryRound(server, load, { bench, seconds: Math.min(warmUpSeconds, options.seconds) });
    const rounds: DeliveryRound[] = [];
    const others = new Map<string, number[]>(references.map((one) => [one.name, []]));
    for (let number = 0; number < options.rounds; number++) {
      const round = await deliveryRound(server, load, { bench, seconds: options.seconds });
      note(`${name} round ${number + 1}: ${shown(round.perSecond)}/s, lag ${shown(round.lag)}`);
      rounds.push(round);
      for (const one of references) others.get(one.name)!.push(await one.perSecond());
    }
    await check(await server.accepted());
    const beside = [...others].map(([name, perSecond]) => besideOf(name, rounds, perSecond));
    return resultOf(rounds, beside, options.seconds);
  } catch (problem) {
    throw server.explained(problem);
  }
}

function besideOf(name: string, rounds: readonly DeliveryRound[], others: readonly number[]) {
  return { name, messages_per_s: spreadOf(others), ...ratioOf(rounds.map(({ perSecond }) => perSecond), others) };
}

function resultOf(
  rounds: readonly DeliveryRound[],
  beside: readonly ReturnType<typeof besideOf>[],
  seconds: number,
): Result {
  const figures = deliveryFigures(rounds, seconds);
  return {
    figures: { ...figures, ...(beside.length > 0 && { references: beside }) },
    row: {
      result: shownDelivery(figures),
      cpu: `${figures.cpu_s_per_million}`,
      ...(beside.length > 0 && { beside: beside.map(({ name, ratio }) => `${ratio} × ${name}`).join(", ") }),
    },
  };
}

const kcatLines = 5000 * messagesPerRequest;

/** By the library that the destination's connections are of, with as much at once as the destination sends. */
async function clientPerSecond(broker: Broker, { machine }: Bench): Promise<number> {
  const { server: core } = machine.pins;
  const args = ["run", "--quiet", "-A", `${import.meta.dirname}/kafka_client.ts`, broker.addresses[0]!, "beside"];
  const { code, stdout, stderr } = await runToEnd({
    command: Deno.execPath(),
    args,
    ...(core !== undefined && { core }),
  });
  if (code !== 0) throw new Error(`The bare client ended with ${code}: ${stderr}`);
  return Number(stdout);
}

/** By librdkafka, which has nothing to keep and nobody to answer. */
async function kcatPerSecond(broker: Broker, { dir, machine }: Bench): Promise<number> {
  const command = await findCommand("kcat");
  if (command === undefined) throw new Skipped("needs kcat");
  const file = `${dir}/lines`;
  if (!await Deno.stat(file).catch(() => undefined)) await Deno.writeTextFile(file, lines(kcatLines));
  const args = ["-P", "-b", broker.addresses[0]!, "-t", "beside", "-X", "acks=all", "-l", file];
  const { server: core } = machine.pins;
  const begin = performance.now();
  const { code, stderr } = await runToEnd({ command, args, ...(core !== undefined && { core }) });
  if (code !== 0) throw new Error(`kcat ended with ${code}: ${stderr}`);
  return kcatLines / (performance.now() - begin) * 1000;
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
