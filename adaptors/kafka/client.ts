/** The Kafka client, tamed: the shell around @platformatic/kafka. Everything here ends when it is closed, and soon. */
import { Buffer } from "node:buffer";
import type { Admin, BaseOptions, Producer as KafkaProducer } from "@platformatic/kafka";
import type { Clock } from "../../src/os/world.ts";
import { distrustOf, unverifiable } from "../reason.ts";
import { type Answer, type Answers, answersIn, everyError } from "./answer.ts";
import type { Group } from "./partition.ts";
import { type Carrier, type Identity, type Leaders, type Parcel, Producer, tries } from "./producer.ts";
import type { Packing } from "./records.ts";
import { ProduceRequest } from "./request.ts";
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

const noticeEveryMs = 60_000;

type Kafka = typeof import("@platformatic/kafka");
type AnyClient = KafkaProducer | Admin;

/** Kafka's number for topics among the things that have a configuration. */
const topicResource = 2 as const;

/** Not connected yet. */
export async function makeClient(access: Access): Promise<Client> {
  // Not before it is needed: loading it takes time and memory that those without Kafka should not pay.
  return new Client(await import("@platformatic/kafka"), access);
}

export class Client implements Brokers, Carrier {
  readonly #access: Access;
  readonly #kafka: Kafka;
  /** Knows the brokers, and what they know us by; sends nothing. */
  readonly #base: KafkaProducer;
  readonly #producer = new Producer(this);
  readonly #packing: Packing;
  #request: ProduceRequest | undefined;
  readonly #open = new Set<AnyClient>();
  /** Topics that the brokers did not have when last asked: one of them spoils the answer for all others asked with it. */
  readonly #absent = new Set<string>();
  readonly #described = new Set<string>();
  /** By the last requests. */
  #throttledMs = 0;
  /** Monotonic: when it was told last; long ago at first. */
  #noticedAt = -Infinity;
  #describing: Promise<void> = Promise.resolve();
  #closing: Promise<void> | undefined;
  readonly #over = new AbortController();

  constructor(kafka: Kafka, access: Access) {
    this.#kafka = kafka;
    this.#access = access;
    this.#base = this.#tame(new kafka.Producer(this.#options()));
    this.#packing = packingOf(kafka, access.compression);
  }

  get closed(): boolean {
    return this.#closing !== undefined;
  }

  /** Resolves when the brokers have answered and given us the number by which they know repeats. */
  async connect(): Promise<void> {
    try {
      await this.#base.metadata({ topics: [], retries: 0 });
      this.#request = new ProduceRequest(this.#kafka, await this.#base.listApis());
      await this.#producer.identify();
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
    this.#throttledMs = 0;
    const { answers, problem } = await this.#producer.produce(groups);
    const throttled = this.#throttledMs > 0;
    return { answers, throttled, ...(problem !== undefined && { problem: await this.#problemOf("send", problem) }) };
  }

  async leaders(topics: readonly string[], anew: boolean): Promise<Leaders> {
    try {
      return await this.#leaders(topics, anew);
    } catch (problem) {
      if (topics.length === 1) return new Map([[topics[0]!, this.#bar(problem)]]);
      // One of them, or the brokers: asking for each tells.
      const each = await Promise.all(topics.map((topic) => this.leaders([topic], anew)));
      return new Map(each.flatMap((leaders) => [...leaders]));
    }
  }

  async carry(broker: number, parcels: readonly Parcel[]): Promise<Answers> {
    const where = this.#base.currentMetadata?.brokers.get(broker);
    if (!where) throw new Error(`broker ${broker} is not known`);
    const connection = await this.#base.connections.get(where);
    const batches = await Promise.all(parcels.map(async ({ group, stamp }) => {
      const { topic, partition, records } = group;
      return { topic, partition, bytes: await records.seal(stamp, this.#packing) };
    }));
    const answer = await this.#request!.send(connection, batches, requestMs(this.#access));
    if (answer.throttleTimeMs > 0) this.#throttle(answer.throttleTimeMs);
    return answersIn(answer, (code) => this.#meaning(code));
  }

  async identify(): Promise<Identity> {
    const { producerId, producerEpoch: epoch } = await this.#base.initIdempotentProducer({});
    return { producerId, epoch };
  }

  /**
   * While brokers are away a request is tried for as long as a batch may take: who begins anew cannot repeat it so that brokers
   * know it for a repeat. A broker that is there and says no for the same time would keep other topics waiting: ten times
   * sooner is enough.
   */
  async pause(answered: boolean): Promise<void> {
    await this.#access.clock.sleep(pauseMs(answered, this.#access.timeoutMs), this.#over.signal);
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

  async #leaders(topics: readonly string[], anew: boolean): Promise<Leaders> {
    const { topics: found } = await this.#base.metadata({ topics: [...topics], forceUpdate: anew, retries: 0 });
    return new Map(topics.map((topic) => [topic, found.get(topic)?.partitions.map(({ leader }) => leader) ?? []]));
  }

  /** The broker reads nothing of ours for so long. Says so now and then. */
  #throttle(ms: number): void {
    const { clock, clientId, notice } = this.#access;
    this.#throttledMs = Math.max(this.#throttledMs, ms);
    if (clock.elapsed() - this.#noticedAt < noticeEveryMs) return;
    this.#noticedAt = clock.elapsed();
    notice(`the brokers' quota for client "${clientId}" makes it wait (${ms} ms this time); less is sent at once`);
  }

  /** What a code of the brokers' means. */
  #meaning(code: number): string {
    const { protocolErrors, protocolErrorsCodesById } = this.#kafka;
    return explainTopic(code, this.#access.sasl?.username) ??
      protocolErrors[protocolErrorsCodesById[code] ?? ""]?.message ?? `error ${code}`;
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
    this.#over.abort();
    const over = new AbortController();
    const ended = Promise.all([...[...this.#open].map(destroy), this.#describing]).finally(() => over.abort());
    await Promise.race([ended, this.#access.clock.sleep(1000, over.signal)]);
  }

  async #lookUp(topics: readonly string[], found: Map<string, number | string>): Promise<void> {
    const metadata = await this.#base.metadata({ topics: [...topics], retries: 0 });
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

  #absence(topic: string, problem: unknown): string {
    return `topic "${topic}": ${this.#bar(problem).text}`;
  }

  /** Why there is no sending to a topic; throws when the trouble is not with the topic. */
  #bar(problem: unknown): Answer {
    const code = isUnknownTopic(problem) ? unknownTopic : topicCode(problem);
    if (code === undefined) throw this.#problem("send", problem);
    return { code, text: this.#meaning(code), faults: [] };
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
    const partitions = this.#base.currentMetadata?.topics.get(topic)?.partitions ?? [];
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
    const requestTimeout = requestMs(this.#access);
    return {
      clientId,
      bootstrapBrokers: [...brokers],
      ...(tls ? { tls: { ca: tls.ca }, tlsServerName: tls.servername } : {}),
      ...(sasl ? { sasl } : {}),
      connectTimeout: Math.min(5000, timeoutMs / 2),
      ...{ requestTimeout, timeout: requestTimeout },
      retries: tries,
      // What closing interrupts is tried once more by the client, and only then ends.
      retryDelay: (_client, _operation, _attempt, _tries, problem) =>
        this.closed ? 0 : pauseMs(isAnswer(problem), timeoutMs),
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

function requestMs({ timeoutMs }: Access): number {
  return Math.max(1000, Math.floor(timeoutMs / 3));
}

function pauseMs(answered: boolean, timeoutMs: number): number {
  return (answered ? 0.1 : 1) * Math.max(timeoutMs / tries, 100);
}

/** Whether a broker said it. */
function isAnswer(problem: unknown): boolean {
  return [...everyError(problem)].some(({ apiId }) => apiId !== undefined);
}

/** What a broker has against a topic. */
function topicCode(problem: unknown): number | undefined {
  const said = [...everyError(problem)].find(({ apiId }) => apiId && !apiId.startsWith("SASL"));
  return said?.apiCode;
}

function packingOf(kafka: Kafka, compression: Access["compression"]): Packing {
  const { bitmask, ...algorithm } = kafka.compressionsAlgorithms[compression];
  const checksum = (bytes: Uint8Array) => {
    // Of other bytes than these the client makes a copy first.
    const { dynamicBuffer } = kafka.Writer.create().append(bufferOf(bytes));
    return kafka.crc32c(dynamicBuffer);
  };
  const compress = (bytes: Uint8Array) =>
    "compress" in algorithm ? algorithm.compress(bufferOf(bytes)) : algorithm.compressSync(bufferOf(bytes));
  return { compression: bitmask, compress, checksum };
}

function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
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
