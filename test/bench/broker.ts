/** A Kafka broker of the benchmarks' own, on the core of the load: what it takes is not the server's. */
import { type Kafka, missing, startKafka } from "../services/kafka.ts";
import { type Bench, Skipped } from "./case.ts";
import { runToEnd } from "./process.ts";

export interface Broker extends AsyncDisposable {
  readonly addresses: readonly string[];
  createTopic(topic: string, partitions: number): Promise<void>;
  /** A destination of that name that sends there. */
  config(name: string): string;
}

/** Throws `Skipped` when it cannot be had here. */
export async function brokerOf({ machine, note }: Bench): Promise<Broker> {
  const lacking = missing();
  if (lacking !== "") throw new Skipped(lacking.replace(/^ \(|\)$/g, ""));
  note("starts Kafka");
  const { load: core } = machine.pins;
  const kafka: Kafka = await startKafka(core === undefined ? {} : { core });
  return {
    addresses: kafka.brokers,
    createTopic: (topic, partitions) => kafka.createTopic(topic, { partitions }),
    config: (name) => `[[destination]]\nname = "${name}"\nkind = "kafka"\nbrokers = ${JSON.stringify(kafka.brokers)}\n`,
    [Symbol.asyncDispose]: () => kafka.stop(),
  };
}

/** How many messages a topic holds. */
export async function endOf({ addresses }: Broker, topic: string): Promise<number> {
  const partitions = [0, 1, 2].flatMap((number) => ["-t", `${topic}:${number}:-1`]);
  const { stdout, stderr } = await runToEnd({ command: "kcat", args: ["-b", addresses[0]!, "-Q", ...partitions] });
  const ends = [...stdout.matchAll(/offset (\d+)/g)].map(([, end]) => Number(end));
  if (ends.length === 0) throw new Error(`kcat cannot tell what "${topic}" holds: ${stderr}`);
  return ends.reduce((sum, end) => sum + end, 0);
}
