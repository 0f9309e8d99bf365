/** The Kafka client, tamed: the shell around @platformatic/kafka. Everything here ends when it is closed, and soon. */
import type { Admin, BaseOptions, Producer } from "@platformatic/kafka";
import type { Clock } from "../../src/os/world.ts";
import { distrustOf, unverifiable } from "../reason.ts";
import { type Answers, answersIn, everyError, takenAnswers } from "./answer.ts";
import type { Group } from "./partition.ts";
import type { Brokers } from "./sender.ts";
import { explain, explainTopic, unknownTopic } from "./trouble.ts";

export interface Access {
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly tls: { readonly ca?: string; readonly servername?: string } | undefined;
  readonly sasl: { readonly mechanism: Mechanism; readonly username: string; readonly password: string } | undefined;
  readonly compression: "none" | "gzip" | "snappy" | "lz4" | "zstd";
  readonly createTopics: boolean;
  /** For a batch, repeats included. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  notice(text: string): void;
}
export type Mechanism = "PLAIN" | "SCRAM-SHA-256" | "SCRAM-SHA-512";

type Kafka = typeof import("@platformatic/kafka");
type AnyClient = Producer<any, any, any, any> | Admin;

const allReplicas = -1;
/** Kafka's number for topics among the things that have a configuration. */
const topicResource = 2 as const;

/** Not connected yet. */
export async function makeClient(access: Access): Promise<Client> {
  // Not before it is needed: loading it takes time and memory that those without Kafka should not pay.
  return new Client(await import("@platformatic/kafka"), access);
}

export class Client implements Brokers {
  readonly #access: Access;
  readonly #kafka: Kafka;
  readonly #producer: Producer;
  readonly #open = new Set<AnyClient>();
  /** Topics that the brokers did not have when last asked: one of them spoils the answer for all others asked with it. */
  readonly #absent = new Set<string>();
  readonly #described = new Set<string>();
  /** What went wrong with requests since the last were begun: of some the client itself forgets what was answered. */
  readonly #heard: unknown[] = [];
  #describing: Promise<void> = Promise.resolve();
  #closing: Promise<void> | undefined;

  constructor(kafka: Kafka, access: Access) {
    this.#kafka = kafka;
    this.#access = access;
    this.#producer = this.#tame(
      new kafka.Producer({ ...this.#options(), idempotent: true, compression: access.compression }),
    );
    this.#producer.on(
      "client:performWithRetry:failed",
      (_operation, _tries, errors) => void this.#heard.push(...errors),
    );
  }

  get closed(): boolean {
    return this.#closing !== undefined;
  }

  /** Resolves when the brokers have answered and given us the number by which they know repeats. */
  async connect(): Promise<void> {
    try {
      await this.#producer.metadata({ topics: [], retries: 0 });
      await this.#producer.initIdempotentProducer({});
    } catch (problem) {
      const error = await this.#problemOf("connect", problem);
      await this.close();
      throw error;
    }
  }

  async partitions(topics: readonly string[]): Promise<ReadonlyMap<string, number | string>> {
    const found = new Map<string, number | string>();
    const usual = topics.filter((topic) => !this.#absent.has(topic));
    try {
      if (usual.length > 0) await this.#lookUp(usual, found);
    } catch {
      // One of them, or the brokers: asking for each tells.
    }
    const left = topics.filter((topic) => !found.has(topic));
    await Promise.all(left.map((topic) => this.#lookUpOne(topic, found)));
    // No batch waits for it.
    this.#describing = this.#describe(topics.filter((topic) => typeof found.get(topic) === "number")).catch(() => {});
    return found;
  }

  async produce(groups: readonly Group[]): ReturnType<Brokers["produce"]> {
    this.#heard.length = 0;
    try {
      const messages = groups.flatMap((group) => group.messages) as Parameters<Producer["send"]>[0]["messages"];
      // The client looks for `acks` here only, not at what its constructor was given.
      return { answers: takenAnswers(await this.#producer.send({ messages, acks: allReplicas, idempotent: true })) };
    } catch (problem) {
      this.#producer.clearMetadata();
      return { answers: this.#answers(problem), problem: await this.#problemOf("send", problem) };
    }
  }

  /** The same, asked of the brokers where their certificates are at fault and nobody says how. */
  async #problemOf(what: "connect" | "send", cause: unknown): Promise<Error> {
    const { brokers, tls, clock } = this.#access;
    const vague = [...everyError(cause)].find(({ message }) => message?.includes(unverifiable));
    for (const broker of tls && vague ? brokers : []) {
      const { hostname, port } = new URL(`tls://${broker}`);
      const host = hostname.replace(/^\[|\]$/g, "");
      const server = {
        host,
        port: Number(port || 9092),
        name: tls?.servername ?? host,
        ...(tls?.ca && { ca: tls.ca }),
      };
      const distrust = await distrustOf(vague, () => server, clock);
      if (distrust?.includes("expired")) return new Error(`Cannot ${what} to Kafka: ${broker}: ${distrust}`, { cause });
    }
    return this.#problem(what, cause);
  }

  #answers(problem: unknown): Answers {
    const answers = answersIn({ errors: [...this.#heard, problem] });
    for (const [name, answer] of answers) {
      const text = explainTopic(answer.code, this.#access.sasl?.username);
      if (text !== undefined) answers.set(name, { ...answer, text });
    }
    return answers;
  }

  /** Whatever waits ends with an error. Gives a connection that does not end by itself a second. */
  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  /** An error that says what could not be done and why. */
  #problem(what: "connect" | "send", cause: unknown): Error {
    return new Error(`Cannot ${what} to Kafka: ${this.#explain(cause)}`, { cause });
  }

  #explain(problem: unknown): string {
    const { brokers, sasl, tls } = this.#access;
    const login = { sasl: sasl?.mechanism ?? "none", username: sasl?.username };
    return explain(problem, { ...login, brokers, tls: tls !== undefined, closed: this.closed });
  }

  async #end(): Promise<void> {
    const over = new AbortController();
    const ended = Promise.all([...[...this.#open].map(destroy), this.#describing]).finally(() => over.abort());
    await Promise.race([ended, this.#access.clock.sleep(1000, over.signal)]);
  }

  async #lookUp(topics: readonly string[], found: Map<string, number | string>): Promise<void> {
    const metadata = await this.#producer.metadata({ topics: [...topics], retries: 0 });
    for (const topic of topics) {
      this.#absent.delete(topic);
      const partitions = metadata.topics.get(topic)?.partitionsCount;
      found.set(topic, partitions || `topic "${topic}" is one of the brokers' own`);
    }
  }

  async #lookUpOne(topic: string, found: Map<string, number | string>): Promise<void> {
    try {
      await this.#lookUp([topic], found);
    } catch (problem) {
      if (isUnknownTopic(problem) && this.#access.createTopics) {
        return await this.#create(topic, found);
      }
      found.set(topic, this.#absence(topic, problem));
      this.#absent.add(topic);
    }
  }

  /** Why there is no sending to a topic; throws when the trouble is not with the topic. */
  #absence(topic: string, problem: unknown): string {
    if (isUnknownTopic(problem)) {
      return `topic "${topic}": ${explainTopic(unknownTopic)}`;
    }
    const { sasl } = this.#access;
    for (const { apiId, apiCode, message } of everyError(problem)) {
      if (apiId && !apiId.startsWith("SASL")) {
        return `topic "${topic}": ${explainTopic(apiCode, sasl?.username) ?? message}`;
      }
    }
    throw this.#problem("send", problem);
  }

  /** With the brokers' own defaults for partitions and copies. */
  async #create(topic: string, found: Map<string, number | string>): Promise<void> {
    try {
      await this.#administer((admin) => admin.createTopics({ topics: [topic] }));
    } catch (problem) {
      if (![...everyError(problem)].some(({ apiId }) => apiId === "TOPIC_ALREADY_EXISTS")) {
        found.set(topic, `topic "${topic}" cannot be created: ${this.#explain(problem)}`);
        return;
      }
    }
    await this.#lookUpCreated(topic, found);
  }

  /** The brokers hear of a new topic a moment after it is created, and of its leaders a moment later. */
  async #lookUpCreated(topic: string, found: Map<string, number | string>): Promise<void> {
    for (let tries = 0; !this.closed; tries++) {
      try {
        return await this.#lookUp([topic], found);
      } catch (problem) {
        if (tries < 20) await this.#access.clock.sleep(100);
        else return void found.set(topic, this.#absence(topic, problem));
      }
    }
  }

  /** Tells how much "acknowledged" is worth, for topics not spoken of before. */
  async #describe(topics: readonly string[]): Promise<void> {
    const fresh = topics.filter((topic) => !this.#described.has(topic));
    if (fresh.length === 0 || this.closed) return;
    for (const topic of fresh) this.#described.add(topic);
    const replicas = new Map(fresh.map((topic) => [topic, this.#replicas(topic)]));
    // Not everybody who may write may read configurations; the replicas are known either way.
    const inSync = await this.#inSync(fresh).catch(() => new Map<string, number>());
    this.#noticeCopies(replicas, inSync);
  }

  #replicas(topic: string): number {
    const partitions = this.#producer.currentMetadata?.topics.get(topic)?.partitions ?? [];
    return Math.min(...partitions.map((partition) => partition.replicas.length));
  }

  async #inSync(topics: readonly string[]): Promise<Map<string, number>> {
    const resources = topics.map((resourceName) => ({
      resourceType: topicResource,
      resourceName,
      configurationKeys: ["min.insync.replicas"],
    }));
    const described = await this.#administer((admin) => admin.describeConfigs({ resources }));
    return new Map(described.map(({ resourceName, configs }) => [resourceName, Number(configs[0]?.value ?? 1)]));
  }

  #noticeCopies(replicas: ReadonlyMap<string, number>, inSync: ReadonlyMap<string, number>): void {
    if (this.closed) return;
    const topics = Map.groupBy(replicas.keys(), (topic) => copies(replicas.get(topic)!, inSync.get(topic)));
    for (const [meaning, names] of topics) {
      const more = names.length > 5 ? ` and ${names.length - 5} more` : "";
      this.#access.notice(`acks=all here means ${meaning}: topic ${names.slice(0, 5).join(", ")}${more}`);
    }
  }

  async #administer<T>(work: (admin: Admin) => Promise<T>): Promise<T> {
    if (this.closed) throw new Error("Client is closed");
    const admin = this.#tame(new this.#kafka.Admin({ ...this.#options(), retries: 2 }));
    try {
      return await work(admin);
    } finally {
      await destroy(admin);
      this.#open.delete(admin);
    }
  }

  #options(): BaseOptions {
    const { brokers, clientId, tls, sasl, timeoutMs } = this.#access;
    return {
      clientId,
      bootstrapBrokers: [...brokers],
      ...(tls ? { tls: { ca: tls.ca }, tlsServerName: tls.servername } : {}),
      ...(sasl ? { sasl } : {}),
      connectTimeout: Math.min(5000, timeoutMs / 2),
      requestTimeout: Math.max(1000, timeoutMs / 3),
      timeout: Math.max(1000, timeoutMs / 3),
      retries: tries,
      // What closing interrupts is tried once more by the client, and only then ends.
      retryDelay: (_client, _operation, _attempt, _tries, problem) => this.closed ? 0 : pauseMs(problem, timeoutMs),
    };
  }

  /** An error event without a listener would end the process; the client leaves some of its connections without one. */
  #tame<T extends AnyClient>(client: T): T {
    this.#open.add(client);
    client.connections.on("connecting", ({ connection }) => {
      connection.on("error", () => {});
      connection.once("connecting", () => queueMicrotask(() => connection.socket?.on("error", () => {})));
    });
    return client;
  }
}

const tries = 60;

/**
 * While brokers are away the client tries as long as a batch may take: it alone can repeat a request so that brokers know
 * it for a repeat. A broker that is there and says no for the same time would keep other topics waiting: ten times sooner
 * is enough.
 */
function pauseMs(problem: unknown, timeoutMs: number): number {
  const said = [...everyError(problem)].some(({ apiId }) => apiId !== undefined);
  return (said ? 0.1 : 1) * Math.max(timeoutMs / tries, 100);
}

function isUnknownTopic(problem: unknown): boolean {
  return [...everyError(problem)].some(({ apiCode, message }) =>
    apiCode === unknownTopic || message?.startsWith("Unknown topic ")
  );
}

function copies(replicas: number, inSync: number | undefined): string {
  const count = Math.min(replicas, inSync ?? 1);
  const least = `${inSync === undefined && replicas > 1 ? "at least " : ""}${count} ${count === 1 ? "copy" : "copies"}`;
  return `${least} (replication factor ${replicas}, min.insync.replicas ${inSync ?? "unknown"})`;
}

/** Not politely: a broker that is frozen would never let the last bytes go. */
async function destroy(client: AnyClient): Promise<void> {
  const sockets = [...client.connections].map(([, connection]) => connection.socket);
  const closed = client.close().catch(() => {});
  for (const socket of sockets) socket?.destroy();
  await closed;
}
