/**
 * Real Kafka brokers for the tests: KRaft nodes on free ports of 127.0.0.1, in a directory of their own that goes away with
 * them. What they hold is read back with `kcat`, which shares no code with what wrote it.
 */
import { Buffer } from "node:buffer";
import type { Admin } from "@platformatic/kafka";

export interface KafkaSetup {
  /** Three nodes replicate every topic three times and want two copies of each message. */
  readonly nodes?: 1 | 3;
  /** Adds a SASL_SSL listener to each node: user "ev", password "secret". */
  readonly secure?: boolean;
  /** The only core that they may use; left out: all. */
  readonly core?: number;
  /** Adds a listener to each node for each of these hosts, that sends its clients to a port there, see `detours`. */
  readonly detours?: readonly string[];
  /** Whatever no rule denies is allowed, see `deny`. */
  readonly rules?: boolean;
  /** Further lines of server.properties. */
  readonly properties?: Readonly<Record<string, string>>;
  /** `false`: only prepared; `restart` starts the nodes. */
  readonly started?: boolean;
}

/** A message as a consumer sees it. */
export interface Received {
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly key: Uint8Array | undefined;
  readonly value: Uint8Array;
  readonly headers: ReadonlyMap<string, string>;
}

/** Who comes to `listen` is told that the node is to be found at `host` and `advertised`. */
export interface Detour {
  readonly host: string;
  readonly listen: number;
  readonly advertised: number;
}

interface Node {
  readonly id: number;
  readonly dir: string;
  readonly port: number;
  readonly securePort: number;
  readonly controllerPort: number;
  readonly detours: readonly Detour[];
  process?: Deno.ChildProcess;
}

const version = "4.3.1";
const clusterId = "AAAAAAAAAAAAAAAAAAAAAA";

/** To be put into the name of a test that is ignored: what is not installed here, or "". */
export function missing(): string {
  const tools = ["java", "mvn", "kcat", "openssl"].filter((tool) => !isInstalled(tool));
  return tools.length === 0 ? "" : ` (needs Java: no ${tools.join(", ")} here)`;
}

export async function startKafka(setup: KafkaSetup = {}): Promise<Kafka> {
  const jars = await fetchJars();
  const dir = await Deno.makeTempDir({ prefix: "kafka-" });
  const kafka = new Kafka(dir, jars, setup, makeNodes(dir, setup));
  try {
    await kafka.format();
    if (setup.started !== false) await Promise.all(kafka.brokers.map((_, i) => kafka.restart(i)));
    return kafka;
  } catch (problem) {
    await kafka.stop();
    throw problem;
  }
}

export class Kafka {
  readonly #dir: string;
  readonly #jars: string;
  readonly #setup: KafkaSetup;
  readonly #nodes: readonly Node[];
  readonly #launched: Promise<void>[] = [];
  #stopped = false;

  constructor(dir: string, jars: string, setup: KafkaSetup, nodes: readonly Node[]) {
    this.#dir = dir;
    this.#jars = jars;
    this.#setup = setup;
    this.#nodes = nodes;
  }

  get brokers(): string[] {
    return this.#nodes.map(({ port }) => `127.0.0.1:${port}`);
  }

  get secureBrokers(): string[] {
    return this.#nodes.map(({ securePort }) => `127.0.0.1:${securePort}`);
  }

  /** Of the first node. */
  get detours(): readonly Detour[] {
    return this.#node(0).detours;
  }

  /** The certificate that signed those of the secure listeners. */
  get ca(): string {
    return `${this.#dir}/ca.pem`;
  }

  async format(): Promise<void> {
    if (this.#setup.secure) await makeCertificates(this.#dir);
    await Deno.writeTextFile(`${this.#dir}/log4j2.properties`, logging);
    for (const node of this.#nodes) {
      await Deno.mkdir(node.dir);
      await Deno.writeTextFile(this.#properties(node), this.#server(node));
      await this.#run("kafka.tools.StorageTool", [
        ...["format", "-t", clusterId, "-c", this.#properties(node)],
        ...(this.#setup.secure ? scramUsers : []),
      ]);
    }
  }

  /** Starts node `i`, if it does not run, and waits until it serves. */
  async restart(i: number): Promise<void> {
    const node = this.#node(i);
    node.process ??= this.#java(node.dir, ["-Xmx384m", "-Xms128m", "-XX:+UseSerialGC"], "kafka.Kafka", [
      this.#properties(node),
    ]);
    await this.serves(i);
  }

  /** Starts node `i` without waiting for it. */
  launch(i: number): void {
    this.#launched.push(this.restart(i).catch(() => {}));
  }

  async serves(i: number): Promise<void> {
    const node = this.#node(i);
    for (let tries = 0; tries < 240 && !this.#stopped; tries++) {
      const { success, text } = await kcat(["-b", `127.0.0.1:${node.port}`, "-L", "-m", "1"]);
      if (success && text.includes(`broker ${node.id} at`)) return;
      await pause(250);
    }
    throw new Error(`Cannot start Kafka in ${node.dir}: ${await Deno.readTextFile(`${node.dir}/out`)}`);
  }

  /** The node that leads this partition, for `kill` and the like. */
  async leader(topic: string, partition: number): Promise<number> {
    for (let tries = 0; tries < 80; tries++) {
      const { text } = await kcat(["-b", this.brokers.join(","), "-L", "-t", topic, "-m", "5"]);
      const [, id] = new RegExp(`partition ${partition}, leader (\\d+),`).exec(text) ?? [];
      const found = this.#nodes.findIndex((node) => node.id === Number(id));
      if (found >= 0) return found;
      await pause(250);
    }
    throw new Error(`Partition ${partition} of "${topic}" has no leader`);
  }

  /** With SIGKILL. */
  async kill(i: number): Promise<void> {
    const node = this.#node(i);
    node.process?.kill("SIGKILL");
    await node.process?.status;
    node.process = undefined;
  }

  /** The node takes connections and bytes, and says nothing. */
  freeze(i: number): void {
    const { process } = this.#node(i);
    process?.kill("SIGSTOP");
    while (process && !isFrozen(process.pid)) continue;
  }

  thaw(i: number): void {
    this.#node(i).process?.kill("SIGCONT");
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#launched);
    await Promise.all(this.#nodes.map((_, i) => this.kill(i)));
    await Deno.remove(this.#dir, { recursive: true });
  }

  async createTopic(
    topic: string,
    { partitions = 1, configs = {} }: { partitions?: number; configs?: Record<string, string> } = {},
  ): Promise<void> {
    await this.#administer((admin) =>
      admin.createTopics({
        topics: [topic],
        partitions,
        configs: Object.entries(configs).map(([name, value]) => ({ name, value })),
      })
    );
    await this.#led(topic, partitions);
  }

  /** Resolves when the brokers have forgotten it. */
  async deleteTopic(topic: string): Promise<void> {
    await this.#administer((admin) => admin.deleteTopics({ topics: [topic] }));
    for (let tries = 0; tries < 80; tries++) {
      const { text } = await kcat(["-b", this.brokers.join(","), "-L", "-m", "2"]);
      if (!text.includes(`topic "${topic}"`)) return;
      await pause(100);
    }
    throw new Error(`Topic "${topic}" did not go`);
  }

  /** The user of the secure listener may do this with the topic no more; `false`: may again. Needs an authorizer. */
  async deny(topic: string, what: "WRITE" | "DESCRIBE", denied = true): Promise<void> {
    const { AclOperations, AclPermissionTypes, ResourcePatternTypes, ResourceTypes } = await import(
      "@platformatic/kafka"
    );
    const acl = {
      ...{ resourceType: ResourceTypes.TOPIC, resourceName: topic, resourcePatternType: ResourcePatternTypes.LITERAL },
      ...{ principal: "User:ev", host: "*", operation: AclOperations[what], permissionType: AclPermissionTypes.DENY },
    };
    await this.#administer(async (admin) => {
      if (denied) await admin.createAcls({ creations: [acl] });
      else await admin.deleteAcls({ filters: [{ ...acl, patternTypeFilter: acl.resourcePatternType } as never] });
    });
  }

  /** So much a second is taken of this client; who sends more is made to wait. */
  async limit(clientId: string, bytesPerSecond: number): Promise<void> {
    const entities = [{ entityType: "client-id" as const, entityName: clientId }];
    const ops = [{ key: "producer_byte_rate" as const, value: bytesPerSecond, remove: false as const }];
    await this.#administer((admin) => admin.alterClientQuotas({ entries: [{ entities, ops }] }));
  }

  /** Everything in the topic; of each partition in the order of its offsets. */
  async read(topic: string): Promise<Received[]> {
    return [...await this.messages(topic)];
  }

  /** The same, one after the other: of a million messages the objects take gigabytes. */
  async messages(topic: string): Promise<Generator<Received>> {
    const { success, bytes, error } = await kcat([
      ...["-b", this.brokers.join(","), "-C", "-t", topic, "-e", "-q", "-o", "beginning"],
      ...["-f", "%p %o %T %K %S %h\\n%k%s\\n"],
    ]);
    if (!success) throw new Error(`Cannot read topic "${topic}": ${error}`);
    return parse(bytes);
  }

  /** Writes through librdkafka with Java's partitioner: lines of `key<TAB>value`. */
  async write(topic: string, lines: readonly string[]): Promise<void> {
    const { success, error } = await kcat([
      ...["-b", this.brokers.join(","), "-P", "-t", topic, "-K", "\t", "-X", "topic.partitioner=murmur2_random"],
    ], lines.join("\n"));
    if (!success) throw new Error(`Cannot write to topic "${topic}": ${error}`);
  }

  async #administer(work: (admin: Admin) => Promise<unknown>): Promise<void> {
    const { Admin } = await import("@platformatic/kafka");
    const admin = new Admin({ clientId: "test", bootstrapBrokers: this.brokers, retries: 10, retryDelay: 300 });
    try {
      await work(admin);
    } finally {
      await admin.close();
    }
  }

  async #led(topic: string, partitions: number): Promise<void> {
    for (let tries = 0; tries < 80; tries++) {
      const { text } = await kcat(["-b", this.brokers.join(","), "-L", "-t", topic, "-m", "2"]);
      if ((text.match(/partition \d+, leader \d+,/g) ?? []).length === partitions) return;
      await pause(100);
    }
    throw new Error(`Topic "${topic}" did not get its leaders`);
  }

  #node(i: number): Node {
    const node = this.#nodes[i];
    if (!node) throw new RangeError(`no node ${i}`);
    return node;
  }

  #properties(node: Node): string {
    return `${node.dir}/server.properties`;
  }

  #server(node: Node): string {
    const copies = this.#nodes.length;
    const enough = copies === 3 ? 2 : 1;
    const open = `PLAINTEXT://127.0.0.1:${node.port}`;
    const secure = this.#setup.secure ? [`SASL_SSL://127.0.0.1:${node.securePort}`] : [];
    const detours = node.detours.map(({ listen }, i) => `DETOUR${i}://127.0.0.1:${listen}`);
    const ends = node.detours.map(({ host, advertised }, i) => `DETOUR${i}://${host}:${advertised}`);
    const protocols = ["PLAINTEXT:PLAINTEXT", "CONTROLLER:PLAINTEXT", "SASL_SSL:SASL_SSL"];
    const controller = `CONTROLLER://127.0.0.1:${node.controllerPort}`;
    const voters = this.#nodes.map(({ id, controllerPort }) => `${id}@127.0.0.1:${controllerPort}`).join(",");
    return lines({
      "process.roles": "broker,controller",
      "node.id": node.id,
      "controller.quorum.voters": voters,
      "listeners": [open, ...secure, ...detours, controller].join(","),
      "advertised.listeners": [open, ...secure, ...ends].join(","),
      "controller.listener.names": "CONTROLLER",
      "inter.broker.listener.name": "PLAINTEXT",
      "listener.security.protocol.map": [...protocols, ...ends.map((_, i) => `DETOUR${i}:PLAINTEXT`)].join(","),
      "log.dirs": `${node.dir}/data`,
      "default.replication.factor": copies,
      "min.insync.replicas": enough,
      "offsets.topic.replication.factor": copies,
      "offsets.topic.num.partitions": 1,
      "transaction.state.log.replication.factor": copies,
      "transaction.state.log.num.partitions": 1,
      "transaction.state.log.min.isr": enough,
      "share.coordinator.state.topic.replication.factor": copies,
      "share.coordinator.state.topic.min.isr": enough,
      "auto.create.topics.enable": false,
      // A killed node is let in again only when its old session has run out.
      "broker.session.timeout.ms": 3000,
      "broker.heartbeat.interval.ms": 500,
      ...(this.#setup.secure ? security(`${this.#dir}/server.pem`) : {}),
      ...(this.#setup.rules ? authorization : {}),
      ...this.#setup.properties,
    });
  }

  async #run(main: string, args: readonly string[]): Promise<void> {
    const process = this.#java(this.#dir, ["-XX:TieredStopAtLevel=1"], main, args);
    if (!(await process.status).success) throw new Error(await Deno.readTextFile(`${this.#dir}/out`));
  }

  /** By way of a shell that becomes the JVM, so that its output goes to a file and its pid is ours. */
  #java(dir: string, flags: readonly string[], main: string, args: readonly string[]): Deno.ChildProcess {
    const log = `-Dlog4j2.configurationFile=${this.#dir}/log4j2.properties`;
    const { core } = this.#setup;
    const java = core === undefined ? ["java"] : ["taskset", "-c", `${core}`, "java"];
    return new Deno.Command("sh", {
      args: ["-c", 'exec "$@" >> out 2>&1', "sh", ...java, ...flags, log, "-cp", `${this.#jars}/*`, main, ...args],
      cwd: dir,
      stdin: "null",
    }).spawn();
  }
}

const logging = lines({
  "status": "warn",
  "rootLogger.level": "warn",
  "rootLogger.appenderRef.c.ref": "C",
  "appender.c.type": "Console",
  "appender.c.name": "C",
  "appender.c.layout.type": "PatternLayout",
  "appender.c.layout.pattern": "%d %p %c{1} %m%n",
});

const scramUsers = ["SCRAM-SHA-256", "SCRAM-SHA-512"].flatMap((
  mechanism,
) => ["--add-scram", `${mechanism}=[name=ev,password=secret]`]);

function security(keystore: string): Record<string, string> {
  const login = "org.apache.kafka.common.security";
  const scram = `${login}.scram.ScramLoginModule required;`;
  return {
    "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
    "listener.name.sasl_ssl.plain.sasl.jaas.config": `${login}.plain.PlainLoginModule required user_ev="secret";`,
    "listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config": scram,
    "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": scram,
    "ssl.keystore.type": "PEM",
    "ssl.keystore.location": keystore,
  };
}

/** The nodes themselves, and tests by way of the open listener, are anonymous. */
const authorization = {
  "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
  "super.users": "User:ANONYMOUS",
  "allow.everyone.if.no.acl.found": "true",
};

/** All threads: on a busy machine some run on for a while. */
function isFrozen(pid: number): boolean {
  const threads = [...Deno.readDirSync(`/proc/${pid}/task`)].map(({ name }) => name);
  return threads.every((id) => / [TZ] /.test(Deno.readTextFileSync(`/proc/${pid}/task/${id}/stat`)));
}

function makeNodes(dir: string, { nodes = 1, detours = [] }: KafkaSetup): Node[] {
  const ports = freePorts(nodes * (3 + 2 * detours.length));
  const next = () => ports.pop()!;
  return Array.from({ length: nodes }, (_, i) => ({
    id: i + 1,
    dir: `${dir}/${i + 1}`,
    port: next(),
    securePort: next(),
    controllerPort: next(),
    detours: detours.map((host) => ({ host, listen: next(), advertised: next() })),
  }));
}

function freePorts(count: number): number[] {
  const listeners = Array.from({ length: count }, () => Deno.listen({ hostname: "127.0.0.1", port: 0 }));
  const ports = listeners.map(({ addr }) => (addr as Deno.NetAddr).port);
  for (const listener of listeners) listener.close();
  return ports;
}

/** A certificate for localhost and 127.0.0.1, signed by a CA of its own: Deno takes no CA's certificate for a server's. */
async function makeCertificates(dir: string): Promise<void> {
  const subject = (name: string) => ["-subj", `/CN=${name}`];
  const newKey = ["-newkey", "rsa:2048", "-nodes"];
  await Deno.writeTextFile(`${dir}/san`, "subjectAltName=DNS:localhost,IP:127.0.0.1\n");
  await openssl(dir, ["req", "-x509", ...newKey, "-keyout", "ca.key", "-out", "ca.pem", ...subject("test CA")]);
  await openssl(dir, ["req", ...newKey, "-keyout", "server.key", "-out", "server.csr", ...subject("localhost")]);
  const signer = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"];
  await openssl(dir, ["x509", "-req", "-in", "server.csr", ...signer, "-extfile", "san", "-out", "server.crt"]);
  const parts = await Promise.all(["server.key", "server.crt"].map((name) => Deno.readTextFile(`${dir}/${name}`)));
  await Deno.writeTextFile(`${dir}/server.pem`, parts.join(""));
}

async function openssl(cwd: string, args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("openssl", { args, cwd, stdin: "null" }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

/** The directory of the jars: fetched once a machine, by one process at a time. */
async function fetchJars(): Promise<string> {
  const cache = `${Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME")}/.cache`}/sparkngin-test`;
  const home = `${cache}/kafka-${version}`;
  await Deno.mkdir(cache, { recursive: true });
  using guard = await Deno.open(`${home}.lock`, { create: true, write: true });
  await guard.lock(true);
  if (await exists(`${home}/lib`)) return `${home}/lib`;
  await Deno.mkdir(home, { recursive: true });
  await Deno.writeTextFile(`${home}/pom.xml`, pom);
  for (let tries = 1; !(await copyDependencies(home)); tries++) {
    if (tries === 3) throw new Error(`Cannot fetch Kafka's jars into ${home}`);
  }
  await Deno.rename(`${home}/fetched`, `${home}/lib`);
  return `${home}/lib`;
}

async function copyDependencies(cwd: string): Promise<boolean> {
  const goal = ["dependency:copy-dependencies", "-DoutputDirectory=fetched", "-DincludeScope=runtime"];
  const { success } = await new Deno.Command("mvn", { args: ["-q", "-B", ...goal], cwd, stdin: "null" }).output();
  return success;
}

const pom = `<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>sparkngin.test</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${version}</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>${version}</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.25.4</version></dependency>
  </dependencies>
</project>
`;

interface Output {
  readonly success: boolean;
  readonly bytes: Uint8Array;
  /** Throws when that is longer than a text can be. */
  readonly text: string;
  readonly error: string;
}

async function kcat(args: string[], input?: string): Promise<Output> {
  const piped = { stdout: "piped", stderr: "piped" } as const;
  const child = new Deno.Command("kcat", { args, stdin: input === undefined ? "null" : "piped", ...piped }).spawn();
  if (input !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(input));
    await writer.close();
  }
  const { success, stdout, stderr } = await child.output();
  const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return {
    success,
    bytes: stdout,
    get text() {
      return textOf(stdout);
    },
    error: textOf(stderr),
  };
}

/** Of the format in `read`: a line of numbers and headers, then key and value by their lengths. */
function* parse(bytes: Uint8Array): Generator<Received> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < buffer.length;) {
    const end = buffer.indexOf(10, at);
    const [partition, offset, timestamp, keyLength, valueLength, ...headers] = buffer.toString("utf8", at, end).split(
      " ",
    );
    const keyEnd = end + 1 + Math.max(0, Number(keyLength));
    const valueEnd = keyEnd + Math.max(0, Number(valueLength));
    yield {
      partition: Number(partition),
      offset: Number(offset),
      timestamp: Number(timestamp),
      key: keyLength === "-1" ? undefined : buffer.subarray(end + 1, keyEnd),
      value: buffer.subarray(keyEnd, valueEnd),
      headers: parseHeaders(headers.join(" ")),
    };
    at = valueEnd + 1;
  }
}

/** kcat's `a=1,b=2`; a comma within a value is told from the next header by its `name=`. */
function parseHeaders(text: string): Map<string, string> {
  const pairs = text === "" ? [] : text.split(/,(?=[a-z_-]+=)/);
  return new Map(pairs.map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]));
}

function lines(values: Record<string, string | number | boolean>): string {
  return Object.entries(values).map(([key, value]) => `${key}=${value}\n`).join("");
}

function isInstalled(tool: string): boolean {
  const { success } = new Deno.Command("sh", { args: ["-c", 'command -v "$0"', tool], stdout: "null" }).outputSync();
  return success;
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
