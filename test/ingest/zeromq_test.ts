/** Ways in over ZeroMQ, as far as they go without a peer of another make: those have `test/e2e/zeromq_test.ts`. */
import assert from "node:assert/strict";
import { defaults } from "../../src/config/options.ts";
import { sections, type ZeromqEndpoint, zeromqKeys } from "../../src/config/keys.ts";
import { Intake } from "../../src/ingest/intake.ts";
import { Topics } from "../../src/ingest/topics.ts";
import { serveZeromq, type ZeromqServer } from "../../src/ingest/zeromq.ts";
import { LogFull, type Position } from "../../src/log/mod.ts";
import { decodeEntry, EntryWriter } from "../../src/message/wire.ts";
import { Table } from "../../src/observe/table.ts";
import { realWorld } from "../../src/os/deno.ts";
import { messageOf } from "../../src/zmtp/frame.ts";
import { eventually } from "../e2e/waiting.ts";
import { bytesOf, Dialogue, hello, joined } from "../zmtp/dialogue.ts";

const world = realWorld();

/** A log that keeps what it is given, unless it is full. */
class KeptLog {
  readonly messages: { topic: string; env?: string; data: string; ip?: string }[] = [];
  full = false;
  #durable = Promise.resolve();

  append(bytes: Uint8Array): Position {
    if (this.full) throw new LogFull("full");
    const first = this.messages.length as Position;
    for (const { topic, env, data, ip } of decodeEntry(bytes)) {
      this.messages.push({ topic, env, data: new TextDecoder().decode(data), ip });
    }
    // As the real one: safe a turn later.
    this.#durable = new Promise((resolve) => world.clock.turn(resolve));
    return first;
  }
  durable(): Promise<void> {
    return this.#durable;
  }
}

class Trial implements AsyncDisposable {
  readonly log = new KeptLog();
  readonly table = Table.allocate(0);
  readonly reports: string[] = [];
  server!: ZeromqServer;

  async open(options: Partial<ZeromqEndpoint>): Promise<this> {
    const settings = defaults(sections.http);
    const ways = { http: settings, topics: new Topics(settings), entry: new EntryWriter() };
    const intake = new Intake({
      deliveries: undefined as never,
      log: this.log as never,
      clock: world.clock,
      table: this.table,
      node: "9f3c01aa27de4410",
      epoch: () => 1,
    });
    this.server = await serveZeromq({
      endpoints: [{ ...defaults(zeromqKeys), listen: ["127.0.0.1:0"], ...options }],
      ...{ world, intake, table: this.table, ways: () => ways },
      report: (text) => void this.reports.push(text),
    });
    return this;
  }

  async dial(type: string): Promise<Client> {
    const port = Number(this.server.addresses[0]!.split(":").at(-1));
    const client = new Client(await Deno.connect({ hostname: "127.0.0.1", port }));
    await client.write(hello(type));
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.shutdown();
  }
}

/** A peer that says what it is told to. */
class Client implements Disposable {
  readonly #conn: Deno.Conn;
  /** What it hears; its own side counts as a PULL because that takes any messages. */
  readonly heard = new Dialogue("PULL");
  ended = false;

  constructor(conn: Deno.Conn) {
    this.#conn = conn;
    void this.#listen();
  }
  async write(...pieces: Uint8Array[]): Promise<void> {
    const bytes = joined(...pieces);
    for (let at = 0; at < bytes.length;) at += await this.#conn.write(bytes.subarray(at));
  }
  async send(...frames: (string | Uint8Array)[]): Promise<void> {
    await this.write(messageOf(frames.map((frame) => typeof frame === "string" ? bytesOf(frame) : frame)));
  }
  /** What came as `{}` READY is passed over: only the frames count. */
  async answers(count: number): Promise<string[][]> {
    await eventually(`${count} answers`, () => this.#answers.length >= count);
    return this.#answers;
  }
  [Symbol.dispose](): void {
    this.#conn.close();
  }

  readonly #answers: string[][] = [];
  #left = new Uint8Array(0);

  async #listen(): Promise<void> {
    const buffer = new Uint8Array(65_536);
    const text = new TextDecoder();
    let skipped = false;
    try {
      for (let n = await this.#conn.read(buffer); n !== null; n = await this.#conn.read(buffer)) {
        this.#left = joined(this.#left, buffer.slice(0, n)) as Uint8Array<ArrayBuffer>;
        if (!skipped && this.#left.length >= 64 + 2 + (this.#left[65] ?? 0)) {
          this.#left = this.#left.slice(64 + 2 + this.#left[65]!);
          skipped = true;
        }
        const parser = new Dialogue("PULL").hear(hello("PUSH"), this.#left);
        this.#answers.splice(
          0,
          Infinity,
          ...parser.messages.map((frames) => frames.map((frame) => text.decode(frame))),
        );
      }
    } catch {
      // Closed by us.
    }
    this.ended = true;
  }
}

Deno.test("M2.4 PULL takes messages, lists and lines, and a bad one costs only itself", async () => {
  await using trial = await new Trial().open({ topic: "other", env: "e" });
  using client = await trial.dial("PUSH");
  await client.send('{"topic":"a","data":1}');
  await client.send('[{"topic":"a","data":2},{"data":3}]');
  await client.send('{"topic":"b","data":4}\n{"topic":"b","data":5}\n');
  await client.send("no JSON");
  await client.send('[{"topic":"c","data":6},{"topic":"no topic!"}]');
  await client.send('{"topic":"a","data":7}', "one frame too many");
  await client.send('{"topic":"a","env":"own","data":8}');
  await eventually("the last one", () => trial.log.messages.at(-1)?.data === "8");
  assert.deepEqual(trial.log.messages.map(({ topic, env, data }) => [topic, env, data]), [
    ["a", "e", "1"],
    ["a", "e", "2"],
    ["other", "e", "3"],
    ["b", "e", "4"],
    ["b", "e", "5"],
    ["a", "own", "8"],
  ]);
  assert.equal(trial.log.messages[0]!.ip, "127.0.0.1");
  const cells = ["zeromqAccepted", "accepted", "zeromqBad", "zeromqConnections"] as const;
  await eventually("the counts", () => trial.table.get("zeromqAccepted") === 6);
  assert.deepEqual(cells.map((cell) => trial.table.get(cell)), [6, 6, 3, 1]);
  assert.equal(trial.reports.length, 1, "said once, counted always");
});

Deno.test("M2.4 ROUTER answers each message once it is safe, with the frames that stood in front", async () => {
  await using trial = await new Trial().open({ socket: "router", topic: "t" });
  using client = await trial.dial("DEALER");
  await client.send("{}");
  await client.send("", '{"id":"mine","data":1}');
  await client.send("tag", "more", "[{},{}]");
  await client.send("bad", "[{},");
  const answers = await client.answers(4);
  const receipt = (...ids: string[]) => JSON.stringify({ ids, ack: "disk" });
  const id = (position: number) => `9f3c01aa27de4410-1-${position}`;
  assert.deepEqual(answers.slice(0, 3), [
    ["ok", receipt(id(0))],
    ["", "ok", receipt("mine")],
    ["tag", "more", "ok", receipt(id(2), id(3))],
  ]);
  assert.deepEqual(answers[3]!.slice(0, 2), ["bad", "error"]);
  assert.equal(JSON.parse(answers[3]![2]!).status, 400);
  assert.equal(trial.log.messages.length, 4);
});

Deno.test("M2.4 raw frames are kept byte for byte, under the endpoint's topic or that of the frame in front", async () => {
  await using trial = await new Trial().open({ format: "raw", topic_frame: true, topic: "t" });
  using client = await trial.dial("PUSH");
  await client.send("metrics", "any \u0000 bytes");
  await client.send("not a topic", "x");
  await client.send("alone");
  await client.send("end", "");
  await eventually("the last one", () => trial.log.messages.at(-1)?.topic === "end");
  assert.deepEqual(trial.log.messages.map(({ topic, data }) => [topic, data]), [
    ["metrics", "any \u0000 bytes"],
    ["end", ""],
  ]);
  assert.equal(trial.table.get("zeromqBad"), 2);
});

Deno.test("P12 while the log is full senders wait, and what they sent is taken when there is room", async () => {
  await using trial = await new Trial().open({ socket: "router", topic: "t" });
  using client = await trial.dial("DEALER");
  trial.log.full = true;
  await client.send("1");
  await client.send('{"data":2}');
  await world.clock.sleep(400);
  assert.deepEqual([await client.answers(0), trial.log.messages], [[], []]);
  trial.log.full = false;
  const answers = await client.answers(2);
  assert.deepEqual(answers.map(([word]) => word), ["error", "ok"]);
  assert.deepEqual(trial.log.messages.map(({ data }) => data), ["2"]);
});

Deno.test("M2.4 what a publisher sends while the log is full is dropped and counted", async () => {
  await using trial = await new Trial().open({ socket: "sub", topic: "t" });
  using client = await trial.dial("PUB");
  trial.log.full = true;
  await client.send("{}");
  await eventually("one dropped", () => trial.table.get("zeromqDropped") === 1);
  trial.log.full = false;
  await client.send('{"data":2}');
  await eventually("the next one", () => trial.log.messages.length === 1);
});

Deno.test("hostile ZMTP is closed and counted, and costs nobody else anything", async () => {
  await using trial = await new Trial().open({ topic: "t" });
  using good = await trial.dial("PUSH");
  await good.send("{}");
  const hostile: Uint8Array[][] = [
    [bytesOf("GET / HTTP/1.1\r\nHost: x\r\n\r\n")],
    [hello("SUB")],
    [hello("PUSH"), Uint8Array.of(2, 0, 0, 0, 0, 0x80, 0, 0, 0)],
    [hello("PUSH"), ...Array.from({ length: 70 }, () => Uint8Array.of(1, 0))],
  ];
  for (const pieces of hostile) {
    const port = Number(trial.server.addresses[0]!.split(":").at(-1));
    using client = new Client(await Deno.connect({ hostname: "127.0.0.1", port }));
    await client.write(...pieces).catch(() => {});
    await eventually("its end", () => client.ended);
  }
  const port = Number(trial.server.addresses[0]!.split(":").at(-1));
  using half = new Client(await Deno.connect({ hostname: "127.0.0.1", port }));
  await half.write(hello("PUSH").subarray(0, 30));
  await eventually("the end of who says half a greeting", () => half.ended);
  await good.send("{}");
  await eventually("both of the good one", () => trial.log.messages.length === 2);
  const counts = ["zeromqProtocol", "zeromqTooLarge", "zeromqTooSlow"] as const;
  assert.deepEqual(counts.map((cell) => trial.table.get(cell)), [2, 2, 1]);
});

Deno.test("messages that came before something wrong count all the same", async () => {
  await using trial = await new Trial().open({ topic: "t" });
  using client = await trial.dial("PUSH");
  await client.write(messageOf([bytesOf("{}")]), messageOf([bytesOf("{}")]), Uint8Array.of(0xff, 0xff, 0xff));
  await eventually("its end", () => client.ended);
  assert.equal(trial.log.messages.length, 2);
});
