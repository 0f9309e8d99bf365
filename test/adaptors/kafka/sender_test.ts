/** The sender against brokers that are a few lines: what they hold is an array, and they fail when told. */
import assert from "node:assert";
import type { Answer } from "../../../adaptors/kafka/answer.ts";
import { type Group, groupName } from "../../../adaptors/kafka/partition.ts";
import { type Brokers, sendBatch } from "../../../adaptors/kafka/sender.ts";
import { fieldTemplate, keyTemplate } from "../../../adaptors/template.ts";
import type { Delivery, Result } from "../../../src/deliver/adaptor.ts";
import { delivery } from "./delivery.ts";

type Say = (group: Group, request: number) => Partial<Answer> | undefined;

const taken = { code: 0 };
const tooLarge = { code: 10, text: "too large" };

class Broker implements Brokers {
  readonly held: string[] = [];
  requests = 0;
  throttled = false;
  readonly #say: Say;
  readonly #topics: ReadonlyMap<string, number | string>;

  constructor(say: Say, topics: Record<string, number | string> = { t: 1, u: 1 }) {
    this.#say = say;
    this.#topics = new Map(Object.entries(topics));
  }

  partitions(): Promise<ReadonlyMap<string, number | string>> {
    return Promise.resolve(this.#topics);
  }

  produce(groups: readonly Group[]): ReturnType<Brokers["produce"]> {
    const answers = new Map<string, Answer>();
    for (const group of groups) {
      const said = this.#say(group, this.requests);
      if (said) answers.set(groupName(group.topic, group.partition), { code: 0, text: "", faults: [], ...said });
      if (said?.code === 0) this.held.push(...group.deliveries.map(({ id }) => id));
    }
    this.requests++;
    return Promise.resolve({ answers, problem: new Error("connection closed"), throttled: this.throttled });
  }
}

function sendTo(broker: Broker, batch: readonly Delivery[], messageBytesMax = 1 << 20): Promise<Result> {
  const topicOf = fieldTemplate("topic", "%topic%");
  const plan = {
    headers: "none",
    contentTypeOf: () => "",
    topicOf,
    keyOf: keyTemplate("key", "%key%"),
    messageBytesMax,
  } as const;
  return sendBatch(batch, broker, plan);
}

function batchOf(count: number, vary: (i: number) => Parameters<typeof delivery>[1] = () => ({})): Delivery[] {
  return Array.from({ length: count }, (_, i) => delivery(i, { key: "k", ...vary(i) }));
}

const idsOf = (deliveries: readonly Delivery[]) => deliveries.map(({ id }) => id);
const isLarge = ({ body }: Delivery) => body.length > 100;

Deno.test("messages too large are found by halving and refused; the others arrive once, in order", async () => {
  const large = new Set([0, 5, 6, 31]);
  const batch = batchOf(32, (i) => ({ body: Array(large.has(i) ? 200 : 1).fill(0) }));
  const broker = new Broker(({ deliveries }) => deliveries.some(isLarge) ? tooLarge : taken);
  const { refused, again } = await sendTo(broker, batch);
  assert.deepEqual(
    refused.map(({ delivery, reason }) => [delivery.position, reason]),
    [...large].map((n) => [n, "too large"]),
  );
  assert.deepEqual(again, []);
  assert.deepEqual(broker.held, idsOf(batch.filter((delivery) => !isLarge(delivery))));
});

Deno.test("when the broker names the messages at fault, one more request is enough", async () => {
  const batch = batchOf(10);
  const broker = new Broker((_, request) => request === 0 ? { code: 87, text: "no key", faults: [2, 7] } : taken);
  const { refused, again } = await sendTo(broker, batch);
  assert.deepEqual(refused.map(({ delivery }) => delivery.position), [2, 7]);
  assert.deepEqual([again.length, broker.requests, broker.held.length], [0, 2, 8]);
});

Deno.test("a topic in trouble waits with all that is later of it; other topics are taken", async () => {
  const batch = batchOf(9, (i) => ({ topic: i % 3 === 0 ? "u" : "t", body: Array(100).fill(0) }));
  const broker = new Broker(({ topic }) => topic === "u" ? { code: 19, text: "not enough replicas" } : taken);
  const { refused, again, trouble } = await sendTo(broker, batch, 300);
  assert.ok(broker.requests > 1);
  assert.deepEqual([refused, trouble], [[], 'topic "u": not enough replicas']);
  assert.deepEqual(idsOf(again), ["n-1-0", "n-1-3", "n-1-6"]);
  assert.deepEqual(broker.held, idsOf(batch.filter(({ message }) => message.topic === "t")));
});

Deno.test("a topic the brokers do not have, or say nothing of, waits by itself", async () => {
  const batch = batchOf(4, (i) => ({ topic: ["t", "none", "silent", "t"][i] }));
  const { again, trouble } = await sendTo(new Broker(() => taken, { t: 1, none: "does not exist" }), batch);
  assert.deepEqual(idsOf(again), ["n-1-1", "n-1-2"]);
  assert.match(trouble!, /^does not exist; topic "silent"/);
});

Deno.test("when nothing of a batch is known to be taken, sending rejects with the reason", async () => {
  await assert.rejects(sendTo(new Broker(() => undefined), batchOf(3)), /connection closed/);
});

Deno.test("when some of a batch is known to be taken, the rest is to be sent again, in order", async () => {
  const batch = batchOf(6, () => ({ body: Array(100).fill(0) }));
  const broker = new Broker((_, request) => request === 0 ? taken : undefined);
  const { again, trouble } = await sendTo(broker, batch, 300);
  assert.deepEqual([idsOf(again), trouble], [idsOf(batch.slice(broker.held.length)), "connection closed"]);
  assert.equal(broker.requests, 2);
});

Deno.test("a connection lost between the halves of a refused group leaves the later half for again", async () => {
  const batch = batchOf(4);
  const broker = new Broker((_, request) => [tooLarge, taken][request]);
  const { refused, again } = await sendTo(broker, batch);
  assert.deepEqual([refused, broker.held, idsOf(again)], [[], ["n-1-0", "n-1-1"], ["n-1-2", "n-1-3"]]);
});

Deno.test("a client that the brokers have forgotten rejects, so that it is opened anew", async () => {
  for (const code of [45, 47, 59, 90]) {
    await assert.rejects(sendTo(new Broker(() => ({ code, text: "fenced" })), batchOf(2)), /fenced/);
  }
});

Deno.test("what has no place in Kafka is refused before anything is sent", async () => {
  const batch = batchOf(3, (i) => ({ topic: ["t", "no topic", "t"][i], body: Array(i === 2 ? 900 : 1).fill(0) }));
  const broker = new Broker(() => taken);
  const { refused } = await sendTo(broker, batch, 500);
  assert.deepEqual(refused.map(({ reason }) => reason), [
    '"no topic" is no name of a Kafka topic',
    "is 971 bytes as a record; message_max is 500",
  ]);
  assert.deepEqual(broker.held, ["n-1-0"]);
});

Deno.test("the receipt says where the first message of each partition is", async () => {
  const { receipt } = await sendTo(new Broker(() => ({ code: 0, offset: 41n })), batchOf(3));
  assert.equal(receipt, "t:0@41");
});

Deno.test("a quota that makes us wait shows in the result, though all is taken", async () => {
  const broker = new Broker(() => taken);
  assert.equal((await sendTo(broker, batchOf(3))).throttled, undefined);
  broker.throttled = true;
  const { again, throttled } = await sendTo(broker, batchOf(3));
  assert.deepEqual([again, throttled], [[], true]);
});
