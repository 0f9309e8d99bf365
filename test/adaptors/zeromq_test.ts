/** The ZeroMQ adaptor against sockets of our own, which `test/e2e/zeromq_test.ts` holds against libzmq. */
import assert from "node:assert/strict";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import zeromq, { type ZeromqOptions } from "../../adaptors/zeromq/mod.ts";
import { formatEndpoint, parseEndpoint } from "../../src/config/endpoint.ts";
import { defaults } from "../../src/config/options.ts";
import type { Adaptor } from "../../src/deliver/adaptor.ts";
import type { Position } from "../../src/log/mod.ts";
import { realWorld } from "../../src/os/deno.ts";
import { commandOf } from "../../src/zmtp/command.ts";
import { openSocket, type Socket } from "../../src/zmtp/socket.ts";
import { eventually } from "../e2e/waiting.ts";
import { deliveries, examine, type Examinee, never, texts } from "./contract.ts";

const world = realWorld();

/** A SUB or PULL that listens, so that it stays while adaptors come and go. */
class Taker {
  readonly messages: Uint8Array[][] = [];
  readonly #subscriptions: readonly string[];
  socket!: Socket;

  constructor(subscriptions: readonly string[] = [""]) {
    this.#subscriptions = subscriptions;
  }

  async open(type: "SUB" | "PULL"): Promise<this> {
    this.socket = await openSocket({
      type,
      listen: [parseEndpoint("127.0.0.1:0")!],
      connect: [],
      ...{ clock: world.clock, random: Math.random, report: () => {} },
      own: (connection) => ({
        ready: () => {
          for (const text of type === "SUB" ? this.#subscriptions : []) {
            connection.send(commandOf("SUBSCRIBE", new TextEncoder().encode(text)));
          }
        },
        message: ({ bytes, count, from, to }) => {
          this.messages.push(Array.from({ length: count }, (_, i) => bytes.slice(from[i], to[i])));
        },
      }),
    });
    return this;
  }

  get address(): string {
    return formatEndpoint(this.socket.endpoints[0]!);
  }

  /** All there will be, once nobody is connected any more. */
  async all(): Promise<Uint8Array[]> {
    await eventually("the adaptor to be gone", () => this.socket.connections.size === 0);
    return this.messages.map((frames) => frames.at(-1)!);
  }
}

async function open(options: Partial<ZeromqOptions>, notices: string[] = [], signal = never()): Promise<Adaptor> {
  const place = {
    ...{ destination: "pub", dir: "/nonexistent", world, position: 0 as Position, generation: 1 },
    notice: (text: string) => void notices.push(text),
  };
  return await zeromq.open({ ...defaults(zeromq.options), ...options }, place, signal);
}

function examinee(type: "SUB" | "PULL", socket: "pub" | "push"): () => Promise<Examinee> {
  return async () => {
    const taker = await new Taker().open(type);
    return {
      async open(_, signal) {
        const adaptor = await open({ socket, connect: [taker.address] }, [], signal);
        await adaptor.ready!(signal);
        return adaptor;
      },
      bodies: () => taker.all(),
      leave: async () => taker.socket.close(),
    };
  };
}

examine("ZeroMQ PUB", zeromq, examinee("SUB", "pub"));
examine("ZeroMQ PUSH", zeromq, examinee("PULL", "push"));

Deno.test("M2.1 a subscriber gets what begins with its subscription; with topic_frame the topic counts", async () => {
  const [byBody, byTopic] = [await new Taker(['{"n":1']).open("SUB"), await new Taker(["t"]).open("SUB")];
  const plain = await open({ connect: [byBody.address] });
  const framed = await open({ connect: [byTopic.address], topic_frame: true });
  for (const adaptor of [plain, framed]) {
    await adaptor.ready!(never());
    await adaptor.send(deliveries({}, texts(0, 20)), never());
    await adaptor.send(deliveries({ topic: "other" }, texts(20, 5)), never());
    await adaptor.close();
  }
  const numbers = (bodies: Uint8Array[]) => bodies.map((body) => JSON.parse(new TextDecoder().decode(body)).n);
  assert.deepEqual(numbers(await byBody.all()), [1, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
  assert.deepEqual(numbers(await byTopic.all()), Array.from({ length: 20 }, (_, i) => i));
  assert.equal(new TextDecoder().decode(byTopic.messages[0]![0]), "t");
  for (const { socket } of [byBody, byTopic]) socket.close();
});

for (const [compression, unpack] of [["gzip", gunzipSync], ["zstd", zstdDecompressSync]] as const) {
  Deno.test(`M2.3 ${compression} packs each message by itself`, async () => {
    const taker = await new Taker().open("PULL");
    const adaptor = await open({ socket: "push", connect: [taker.address], compression });
    await adaptor.send(deliveries({}, texts(0, 3)), never());
    await adaptor.close();
    assert.deepEqual((await taker.all()).map((body) => Uint8Array.from(unpack(body))), texts(0, 3));
    taker.socket.close();
  });
}

Deno.test("M2.2 while nobody subscribes nobody is ready, and what is sent all the same goes nowhere", async () => {
  const adaptor = await open({ listen: ["127.0.0.1:0"] });
  const moment = new AbortController();
  const ready = adaptor.ready!(moment.signal);
  moment.abort();
  await ready;
  assert.deepEqual(await adaptor.send(deliveries({}, texts(0, 3)), never()), { refused: [], again: [] });
  await adaptor.close();
});

Deno.test("PUSH deals messages out to all its peers, each to one of them", async () => {
  const takers = await Promise.all([1, 2, 3].map(() => new Taker().open("PULL")));
  const adaptor = await open({ socket: "push", connect: takers.map(({ address }) => address) });
  // Until each of them got one, it may not know them all.
  await eventually("three peers", async () => {
    await adaptor.send(deliveries({}, texts(300, 3)), never());
    return takers.every(({ messages }) => messages.length > 0);
  });
  const result = await adaptor.send(deliveries({}, texts(0, 300)), never());
  assert.deepEqual(result, { refused: [], again: [] });
  await adaptor.close();
  const numbers = (bodies: Uint8Array[]) =>
    bodies.map((body) => JSON.parse(new TextDecoder().decode(body)).n as number);
  const all = (await Promise.all(takers.map((taker) => taker.all()))).map(numbers);
  const dealt = all.map((found) => found.filter((n) => n < 300));
  assert.deepEqual(dealt.map(({ length }) => length), [100, 100, 100]);
  const sorted = dealt.flat().sort((a, b) => a - b);
  assert.deepEqual(sorted, Array.from({ length: 300 }, (_, i) => i));
  for (const { socket } of takers) socket.close();
});

Deno.test("PUSH without a peer gives everything back when it has to settle", async () => {
  const adaptor = await open({ socket: "push", listen: ["127.0.0.1:0"] });
  const batch = deliveries({}, texts(0, 5));
  const stop = new AbortController();
  const sending = adaptor.send(batch, stop.signal);
  stop.abort();
  assert.deepEqual(await sending, { refused: [], again: batch, trouble: "no peer takes messages" });
  await adaptor.close();
});

Deno.test("M2.1 a busy address is said by name, and beyond this machine takes insecure", async () => {
  const notices: string[] = [];
  const adaptor = await open({ listen: ["127.0.0.1:0"] }, notices);
  const address = /find it at (\S+)$/.exec(notices[0]!)![1]!;
  await assert.rejects(open({ listen: [address] }), {
    message: `Cannot listen on ${address}: something else listens there; it is tried again: end that, ` +
      'or write a [[destination]] with another "listen"',
  });
  await adaptor.close();
  const problem = (options: Partial<ZeromqOptions>) => zeromq.problem!({ ...defaults(zeromq.options), ...options });
  assert.match(problem({ listen: ["0.0.0.0:7000"] })!, /insecure = true/);
  assert.match(problem({ connect: ["nonsense"] })!, /expected addresses/);
  assert.equal(problem({ listen: ["0.0.0.0:7000"], insecure: true }), undefined);
  await assert.rejects(open({ listen: ["0.0.0.0:7000"] }), /insecure = true/);
});

Deno.test("P13 PUB is best effort, PUSH hands over", () => {
  assert.equal(zeromq.promise(defaults(zeromq.options)), "best effort");
  assert.equal(zeromq.promise({ ...defaults(zeromq.options), socket: "push" }), "handed over");
  assert.equal(zeromq.buffer!(defaults(zeromq.options)), 4 * 1024 * 1024);
});
