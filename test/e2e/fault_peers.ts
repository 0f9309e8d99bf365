/** The peers of the examination under faults: how a node is told to deliver to each of them, and what came. */
import { type Kafka, startKafka } from "../services/kafka.ts";
import { type Elastic, type Product, startElastic } from "../services/elasticsearch.ts";
import { type Receiver, startReceiver } from "../services/receiver.ts";
import { type Logged, startSyslog } from "../services/syslog.ts";
import type { Peer } from "./destination_faults.ts";
import { type Cell, farName, nameOf, own } from "./ways.ts";

/** One that can be told to refuse. */
export interface Refusing {
  /** The cells that tell it. */
  readonly cells: readonly Cell[];
  begin(cells: readonly Cell[]): Promise<Peer>;
}

export function hook(): Refusing {
  const statuses = new Map<string, number>();
  const refuse = (name: string, status: number) => {
    const path = `/${nameOf({ name })}`;
    return own(name, () => void statuses.set(path, status), () => void statuses.delete(path), new RegExp(`${status}`));
  };
  return {
    cells: [refuse("access refused", 401), refuse("throttled", 429)],
    begin: async () => new Hook(await startReceiver(), statuses),
  };
}

class Hook implements Peer {
  readonly port: number;
  readonly #taken: { readonly path: string; readonly text: string }[] = [];
  readonly #statuses: ReadonlyMap<string, number>;
  #receiver: Receiver;

  constructor(receiver: Receiver, statuses: ReadonlyMap<string, number>) {
    this.port = receiver.port;
    this.#statuses = statuses;
    this.#receiver = receiver;
    this.#answer();
  }
  config(cell: Cell, { host, port, ca }: Parameters<Peer["config"]>[1]): string {
    const url = `${ca === undefined ? "http" : "https"}://${host}:${port}/${nameOf(cell)}`;
    return `kind = "webhook"\nurl = "${url}"\nformat = "raw"\ntimeout = "2s"\n${authority(ca)}`;
  }
  async arrived(cell: Cell): Promise<readonly string[]> {
    const all = [...this.#taken, ...this.#receiver.taken].filter(({ path }) => path === `/${nameOf(cell)}`);
    return all.flatMap(({ text }) => text.split("\n").slice(0, -1));
  }
  async kill(): Promise<void> {
    await this.#receiver[Symbol.asyncDispose]();
    this.#taken.push(...this.#receiver.taken);
  }
  async restart(): Promise<void> {
    this.#receiver = await startReceiver({ port: this.port });
    this.#answer();
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#receiver[Symbol.asyncDispose]();
  }

  #answer(): void {
    this.#receiver.answer = ({ path }) => {
      const status = this.#statuses.get(path);
      return status === undefined ? { status: 204 } : { status, headers: { "retry-after": "1" } };
    };
  }
}

function authority(ca: string | undefined): string {
  return ca === undefined ? "" : `tls_ca = "${ca}"\n`;
}

export function elastic(product: Product): Refusing {
  let node: Elastic;
  const block = (name: string, setting: string, says: RegExp) => {
    const set = (value: boolean) => async () =>
      void await node.must("PUT", `/${nameOf({ name })}/_settings`, { [`index.blocks.${setting}`]: value });
    return own(name, set(true), set(false), says);
  };
  return {
    // What a node does by itself when its disk is nearly full.
    cells: [block("access refused", "write", /403/), block("throttled", "read_only_allow_delete", /429|403/)],
    async begin(cells) {
      node = await startElastic(product);
      for (const cell of cells) await node.createIndex(nameOf(cell));
      return {
        port: Number(new URL(node.url).port),
        config: (cell, { host, port, ca }) => {
          const url = `${ca === undefined ? "http" : "https"}://${host}:${port}`;
          return `kind = "elasticsearch"\nnodes = ["${url}"]\nindex = "${nameOf(cell)}"\ntimeout = "4s"\n${
            authority(ca)
          }`;
        },
        arrived: async (cell) => (await node.read(nameOf(cell))).map(({ source }) => JSON.stringify(source.data)),
        kill: () => node.kill(),
        restart: () => node.restart(),
        [Symbol.asyncDispose]: () => node.stop(),
      };
    },
  };
}

/** `secure`: the server's own TLS. */
export function syslog(transport: "tcp" | "tls"): Refusing {
  return {
    cells: [],
    async begin() {
      const server = await startSyslog("rsyslog");
      const { tcp, tls } = server.ports;
      const { ca, client } = server.certificates;
      const own = `tls_ca = "${ca}"\ntls_cert = "${client.cert}"\ntls_key = "${client.key}"\n`;
      return {
        port: tcp,
        ports: (cell) => ({ port: transport === "tls" && !cell.hasFront ? tls : tcp, doorPort: 0 }),
        config: (cell, door) => {
          const secure = transport === "tcp" && door.ca === undefined ? "" : 'transport = "tls"\n';
          const trust = door.ca === undefined ? (transport === "tls" ? own : "") : authority(door.ca);
          const name = nameOf(cell);
          return `kind = "syslog"\nhost = "${door.host}"\nport = ${door.port}\nformat = "raw"\ntimeout = "2s"\n` +
            `app_name = "${name}"\n${secure}${trust}`;
        },
        arrived: async (cell) => textsOf(await server.logged(), nameOf(cell)),
        kill: () => server.stop("SIGKILL"),
        restart: () => server.start(),
        [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
      };
    },
  };
}

export function textsOf(logged: readonly Logged[], app: string): string[] {
  return logged.filter((one) => one.app === app).map(({ text }) => text);
}

export function kafka(): Refusing {
  let broker: Kafka;
  const [refused, throttled] = ["access refused", "throttled"] as const;
  const deny = (denied: boolean) => () => broker.deny(nameOf({ name: refused }), "WRITE", denied);
  const limit = (bytes: number) => () => broker.limit(nameOf({ name: throttled }), bytes);
  return {
    cells: [own(refused, deny(true), deny(false), /may not write/), own(throttled, limit(2000), limit(1 << 30))],
    async begin(cells) {
      const detours = cells.map(({ needsRoot }) => needsRoot ? farName : "127.0.0.1");
      broker = await startKafka({ secure: true, rules: true, detours });
      await Promise.all(cells.map((cell) => broker.createTopic(nameOf(cell))));
      const port = Number(broker.brokers[0]!.split(":")[1]);
      return {
        port,
        ports(cell) {
          if (cell.isDirect) return { port, doorPort: 0 };
          const { listen, advertised } = broker.detours[cells.indexOf(cell)]!;
          return { port: listen, doorPort: advertised };
        },
        config: (cell, { host, port, ca }) => {
          const isOwn = cell.name === refused;
          const brokers = isOwn ? broker.secureBrokers : [`${host}:${port}`];
          const login = isOwn ? 'sasl = "PLAIN"\nusername = "ev"\npassword = "secret"\n' : "";
          const trust = isOwn ? broker.ca : ca;
          return `kind = "kafka"\nbrokers = ${JSON.stringify(brokers)}\ntopic = "${nameOf(cell)}"\n` +
            `client_id = "${nameOf(cell)}"\nformat = "raw"\ntimeout = "4s"\n` +
            `${login}${trust === undefined ? "" : `tls = true\n${authority(trust)}`}`;
        },
        arrived: async (cell) => (await broker.read(nameOf(cell))).map(({ value }) => new TextDecoder().decode(value)),
        kill: () => broker.kill(0),
        restart: () => broker.restart(0),
        [Symbol.asyncDispose]: () => broker.stop(),
      };
    },
  };
}
