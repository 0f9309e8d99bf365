/**
 * A real node of Elasticsearch or OpenSearch for the tests, on free ports of 127.0.0.1, in a directory of its own that goes away
 * with it. It is the server's core from Maven, started by a program of a few lines: no modules, so no security and no pipelines.
 */
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { connect } from "node:net";

export type Product = "elasticsearch" | "opensearch";
export const products: readonly Product[] = ["elasticsearch", "opensearch"];

export interface ElasticSetup {
  /** Settings of the node, e.g. "thread_pool.write.queue_size". */
  readonly settings?: Readonly<Record<string, string>>;
  /** `false`: only prepared; `restart` starts it. */
  readonly started?: boolean;
}

/** What is not installed here, or undefined: for the name of a test that is ignored then. */
export function missing(): string | undefined {
  const tools = ["java", "mvn"].filter((tool) =>
    !new Deno.Command("sh", { args: ["-c", 'command -v "$0"', tool], stdout: "null" }).outputSync().success
  );
  return tools.length === 0 ? undefined : `Java: no ${tools.join(", ")} here`;
}

export async function startElastic(product: Product, setup: ElasticSetup = {}): Promise<Elastic> {
  const jars = await fetchJars(product);
  const dir = await Deno.makeTempDir({ prefix: `${product}-` });
  const [port, transport] = freePorts(2) as [number, number];
  const elastic = new Elastic({ product, jars, dir, port, transport, settings: setup.settings ?? {} });
  try {
    await Deno.writeTextFile(`${dir}/TestNode.java`, source(product));
    if (setup.started !== false) await elastic.restart();
    return elastic;
  } catch (problem) {
    await elastic.stop();
    throw problem;
  }
}

/** A document as it is found. */
export interface Hit {
  readonly index: string;
  readonly id: string;
  readonly source: Record<string, any>;
}
interface Parts {
  readonly product: Product;
  readonly jars: string;
  readonly dir: string;
  readonly port: number;
  readonly transport: number;
  readonly settings: Readonly<Record<string, string>>;
}

export class Elastic {
  readonly #parts: Parts;
  #process: Deno.ChildProcess | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#parts.port}`;
  }

  /** Starts it, if it does not run, and waits until it serves. */
  async restart(): Promise<void> {
    this.launch();
    for (let tries = 0; tries < 600; tries++) {
      const health = await this.ask("GET", "/_cluster/health?wait_for_status=yellow&timeout=5s").catch(() => undefined);
      if (health?.status === 200) return;
      await pause(200);
    }
    const said = await Deno.readTextFile(`${this.#parts.dir}/out`).catch(() => "");
    throw new Error(`Cannot start ${this.#parts.product}: ${said.slice(-2000)}`);
  }

  /** Starts it without waiting for it. */
  launch(): void {
    const { dir, jars, port, transport, settings } = this.#parts;
    const given = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
    const flags = ["-Xmx384m", "-Xms128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];
    const args = [...flags, "-cp", `${jars}/*`, "TestNode.java", `${dir}/home`, `${port}`, `${transport}`, ...given];
    // By way of a shell that becomes the JVM, so that its output goes to a file and its pid is ours.
    this.#process ??= new Deno.Command("sh", {
      args: ["-c", 'exec java "$@" >> out 2>&1', "sh", ...args],
      cwd: dir,
      stdin: "null",
    }).spawn();
  }

  /** With SIGKILL. */
  async kill(): Promise<void> {
    this.#process?.kill("SIGKILL");
    await this.#process?.status;
    this.#process = undefined;
  }

  async stop(): Promise<void> {
    await this.kill();
    await Deno.remove(this.#parts.dir, { recursive: true });
  }

  async ask(method: string, path: string, body?: object): Promise<{ status: number; body: any }> {
    const answer = await fetch(this.url + path, {
      method,
      headers: { "content-type": "application/json" },
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(30_000),
    });
    return { status: answer.status, body: await answer.json() };
  }

  /** The same, where nothing but success will do. */
  async must(method: string, path: string, body?: object): Promise<any> {
    const answer = await this.ask(method, path, body);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  /** An index of one shard, so that it has one order. */
  async createIndex(name: string, mappings: object = {}, settings: object = {}): Promise<void> {
    const index = { number_of_shards: 1, number_of_replicas: 0, ...settings };
    await this.must("PUT", `/${name}`, { settings: { index }, mappings });
  }

  /** Every document of the indexes, in the order in which a shard took them. */
  async read(index: string): Promise<Hit[]> {
    await this.must("POST", `/${index}/_refresh?ignore_unavailable=true`);
    const hits: Hit[] = [];
    let after: unknown[] | undefined;
    for (;;) {
      const query = { size: 2000, sort: [{ _seq_no: "asc" }], ...(after && { search_after: after }) };
      const found = await this.must("POST", `/${index}/_search?ignore_unavailable=true`, query);
      const page: any[] = found.hits.hits;
      for (const { _index, _id, _source } of page) hits.push({ index: _index, id: _id, source: _source });
      if (page.length < 2000) return hits;
      after = page.at(-1).sort;
    }
  }

  /** How many there are, whatever the order. */
  async count(index: string): Promise<number> {
    await this.must("POST", `/${index}/_refresh?ignore_unavailable=true`);
    return (await this.must("GET", `/${index}/_count?ignore_unavailable=true`)).count;
  }
}

/** Between a client and a node: passes bytes on, until it is told to do harm. */
export class Between {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Requests are cut after so many bytes of their connection; no answer is passed on; nothing is said at all. */
  harm: { readonly cutAfter: number } | "no answer" | "silence" | undefined;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async begin(target: string): Promise<Between> {
    const { hostname, port } = new URL(target);
    const server = createServer({ allowHalfOpen: false });
    const between = new Between(server);
    server.on("connection", (client) => between.#connect(client, { host: hostname, port: Number(port) }));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return between;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as { port: number }).port}`;
  }

  #connect(client: Socket, to: { host: string; port: number }): void {
    const node = connect(to);
    for (const [one, other] of [[client, node], [node, client]] as const) {
      this.#sockets.add(one);
      one.on("error", () => other.destroy());
      one.on("close", () => {
        this.#sockets.delete(one);
        other.destroy();
      });
    }
    let bytes = 0;
    client.on("data", (chunk: Uint8Array) => {
      const { harm } = this;
      if (harm === "silence") return;
      if (typeof harm === "object") {
        bytes += chunk.length;
        if (bytes > harm.cutAfter) return client.destroy();
      }
      node.write(chunk);
    });
    node.on("data", (chunk: Uint8Array) => {
      if (this.harm === "silence") return;
      if (this.harm !== "no answer") return void client.write(chunk);
      client.destroy();
    });
  }

  async end(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }
}

const packages = {
  elasticsearch: {
    version: "7.17.28",
    root: "org.elasticsearch",
    dependencies: [
      ["org.elasticsearch", "elasticsearch", "7.17.28"],
      ["org.elasticsearch.plugin", "transport-netty4-client", "7.17.28"],
      ["org.apache.logging.log4j", "log4j-core", "2.17.1"],
    ],
  },
  opensearch: {
    version: "2.19.1",
    root: "org.opensearch",
    dependencies: [
      ["org.opensearch", "opensearch", "2.19.1"],
      ["org.opensearch.plugin", "transport-netty4-client", "2.19.1"],
      ["org.apache.logging.log4j", "log4j-core", "2.21.0"],
    ],
  },
} as const;

/** A node with the network plugin alone. */
function source(product: Product): string {
  const { root } = packages[product];
  return `import ${root}.common.settings.Settings;
import ${root}.env.Environment;
import ${root}.node.*;
import java.nio.file.*;
import java.util.*;
public class TestNode {
  public static void main(String[] given) throws Exception {
    Path home = Paths.get(given[0]);
    Files.createDirectories(home.resolve("config"));
    Settings.Builder settings = Settings.builder()
      .put("path.home", home.toString()).put("path.data", home.resolve("data").toString())
      .put("path.logs", home.resolve("logs").toString())
      .put("cluster.name", "test").put("node.name", "one").put("discovery.type", "single-node")
      .put("network.host", "127.0.0.1").put("http.port", given[1]).put("transport.port", given[2])
      .put("transport.type", "netty4").put("http.type", "netty4")
      .put("cluster.routing.allocation.disk.threshold_enabled", false);
    for (int at = 3; at < given.length; at++) {
      String[] setting = given[at].split("=", 2);
      settings.put(setting[0], setting[1]);
    }
    Environment environment =
      InternalSettingsPreparer.prepareEnvironment(settings.build(), Map.of(), home.resolve("config"), () -> "one");
    class OneNode extends Node {
      OneNode() {
        super(environment, List.of(${root}.transport.Netty4Plugin.class), true);
      }
    }
    new OneNode().start();
    Thread.currentThread().join();
  }
}
`;
}

/** The directory of the jars: fetched once a machine, by one process at a time. */
async function fetchJars(product: Product): Promise<string> {
  const cache = `${Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME")}/.cache`}/sparkngin-test`;
  const home = `${cache}/${product}-${packages[product].version}`;
  await Deno.mkdir(cache, { recursive: true });
  using guard = await Deno.open(`${home}.lock`, { create: true, write: true });
  await guard.lock(true);
  if (await Deno.stat(`${home}/lib`).then(() => true, () => false)) return `${home}/lib`;
  await Deno.mkdir(home, { recursive: true });
  await Deno.writeTextFile(`${home}/pom.xml`, pom(product));
  for (let tries = 1; !(await copyDependencies(home)); tries++) {
    if (tries === 3) throw new Error(`Cannot fetch the jars of ${product} into ${home}`);
  }
  await Deno.rename(`${home}/fetched`, `${home}/lib`);
  return `${home}/lib`;
}

async function copyDependencies(cwd: string): Promise<boolean> {
  const goal = ["dependency:copy-dependencies", "-DoutputDirectory=fetched", "-DincludeScope=runtime"];
  const { success } = await new Deno.Command("mvn", { args: ["-q", "-B", ...goal], cwd, stdin: "null" }).output();
  return success;
}

function pom(product: Product): string {
  const dependencies = packages[product].dependencies.map(([group, artifact, version]) =>
    `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`
  );
  return `<project><modelVersion>4.0.0</modelVersion>
<groupId>sparkngin.test</groupId><artifactId>${product}</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>${dependencies.join("\n")}</dependencies></project>
`;
}

function freePorts(count: number): number[] {
  const listeners = Array.from({ length: count }, () => Deno.listen({ hostname: "127.0.0.1", port: 0 }));
  const ports = listeners.map(({ addr }) => (addr as Deno.NetAddr).port);
  for (const listener of listeners) listener.close();
  return ports;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
