/**
 * Publishes to JetStream: `deno run -A test/bench/nats_load.ts PORT FILE CONNECTIONS SECONDS`. Each connection waits for the answer
 * to one message before it sends the next, as HTTP's do. Its figures are a line of JSON on stdout, as those of load.lua are.
 */
import process from "node:process";
import { seenOf } from "./load.ts";

const [port, file, connections, seconds] = Deno.args;
const body = await Deno.readTextFile(file!);
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** One connection, with an inbox of its own. */
class Client {
  readonly #connection: Deno.Conn;
  readonly #inbox: string;
  readonly #into = new Uint8Array(4096);
  #text = "";

  private constructor(connection: Deno.Conn, number: number) {
    this.#connection = connection;
    this.#inbox = `inbox.${process.pid}.${number}`;
  }

  static async open(number: number): Promise<Client> {
    const client = new Client(await Deno.connect({ hostname: "127.0.0.1", port: Number(port) }), number);
    await client.#write(`CONNECT {"verbose":false}\r\nSUB ${client.#inbox} 1\r\n`);
    return client;
  }

  /** What the server answers to a message. */
  async request(subject: string, body: string): Promise<string> {
    await this.#write(`PUB ${subject} ${this.#inbox} ${body.length}\r\n${body}\r\n`);
    for (;;) {
      const answer = await this.#line();
      if (answer.startsWith("PING")) await this.#write("PONG\r\n");
      if (answer.startsWith("-ERR")) throw new Error(answer);
      if (answer.startsWith("MSG ")) return await this.#line();
    }
  }

  async #line(): Promise<string> {
    for (let end = this.#text.indexOf("\r\n");; end = this.#text.indexOf("\r\n")) {
      if (end >= 0) {
        const line = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 2);
        return line;
      }
      const count = await this.#connection.read(this.#into);
      if (count === null) throw new Error("NATS has closed the connection");
      this.#text += decoder.decode(this.#into.subarray(0, count));
    }
  }

  async #write(text: string): Promise<void> {
    const bytes = encoder.encode(text);
    for (let at = 0; at < bytes.length;) at += await this.#connection.write(bytes.subarray(at));
  }
}

const clients = await Promise.all(Array.from({ length: Number(connections) }, (_, number) => Client.open(number)));
await clients[0]!.request("$JS.API.STREAM.CREATE.bench", `{"name":"bench","subjects":["test"],"storage":"file"}`);

const found: number[] = [];
const begin = performance.now();
const end = begin + Number(seconds) * 1000;
await Promise.all(clients.map(async (client) => {
  for (let before = performance.now(); before < end;) {
    const answer = JSON.parse(await client.request("test", body));
    if (answer.error) throw new Error(answer.error.description);
    const now = performance.now();
    found.push(now - before);
    before = now;
  }
}));
const { user, system } = process.cpuUsage();
const seen = { seconds: (performance.now() - begin) / 1000, cpu_s: (user + system) / 1e6 };
console.log(JSON.stringify(seenOf(Float64Array.from(found), seen)));
Deno.exit();
