/** What brokers have against a topic, a message or a client, each told from the others; whoever is not meant goes on. */
import assert from "node:assert";
import type { Delivery } from "../../src/deliver/adaptor.ts";
import { type Kafka, missing, startKafka } from "../services/kafka.ts";
import { assertTaken, type KafkaOptions, numbered, numberOf, open, send } from "./kafka/sending.ts";

const lacks = missing();
let kafka: Kafka;

if (lacks === "") {
  Deno.test.beforeAll(async () => {
    kafka = await startKafka({ secure: true, rules: true });
  });
  Deno.test.afterAll(() => kafka.stop());
}

function fact(name: string, run: () => Promise<void>): void {
  Deno.test({ name: name + lacks, ignore: lacks !== "", fn: run });
}

function secured(): Pick<KafkaOptions, "brokers"> & Partial<KafkaOptions> {
  const login = { sasl: "PLAIN", username: "ev", password: "secret" } as const;
  return { brokers: kafka.secureBrokers, tls: true, tls_ca: kafka.ca, timeout: 10_000, ...login };
}

/** Messages of both topics in turn. */
function mixed(first: number, topic: string, other: string): Delivery[] {
  return numbered(20, topic, (i) => i % 2 ? { topic: other } : {}, first);
}

/** What the troubled topic has coming waits, all of it; the other has arrived. */
async function assertWaits(
  adaptor: Awaited<ReturnType<typeof open>>,
  { batch, topic, other, says }: { batch: Delivery[]; topic: string; other: string; says: RegExp },
): Promise<readonly Delivery[]> {
  const before = (await kafka.read(other)).length;
  const { refused, again, stalled, trouble } = await send(adaptor, batch);
  assert.deepEqual([refused, stalled], [[], [topic]], trouble);
  assert.deepEqual(again, batch.filter(({ message }) => message.topic === topic));
  assert.match(trouble!, says);
  assert.equal((await kafka.read(other)).length, before + batch.length - again.length);
  return again;
}

fact(
  "Kafka P6 P14: a topic deleted while in use waits by itself, and is gone on with once it is there again",
  async () => {
    await kafka.createTopic("stays");
    await kafka.createTopic("goes", { partitions: 2 });
    await using adaptor = await opened();
    assertTaken(await send(adaptor, mixed(0, "stays", "goes")));
    await kafka.deleteTopic("goes");
    const says = /^topic "goes": does not exist at the brokers; create it or set create_topics = true$/;
    const again = await assertWaits(adaptor, {
      batch: mixed(20, "stays", "goes"),
      topic: "goes",
      other: "stays",
      says,
    });
    await kafka.createTopic("goes", { partitions: 2 });
    assertTaken(await send(adaptor, again));
    assertTaken(await send(adaptor, mixed(40, "stays", "goes")));
    assert.equal((await kafka.read("goes")).length, 20);
    assert.equal((await kafka.read("stays")).length, 30);
  },
);

for (const what of ["WRITE", "DESCRIBE"] as const) {
  fact(`Kafka P6 P14: a topic with ${what} denied waits by itself, and goes on once it is allowed`, async () => {
    const [open, closed] = [`open-${what}`, `closed-${what}`];
    await kafka.createTopic(open);
    await kafka.createTopic(closed);
    await kafka.deny(closed, what);
    await using adaptor = await opened();
    const says = new RegExp(
      `^topic "${closed}": user "ev" may not write to it; the brokers' rules \\(ACL\\) have to allow WRITE`,
    );
    const again = await assertWaits(adaptor, { batch: mixed(0, open, closed), topic: closed, other: open, says });
    await kafka.deny(closed, what, false);
    assertTaken(await send(adaptor, again));
    await kafka.deny(closed, what);
    await assertWaits(adaptor, { batch: mixed(20, open, closed), topic: closed, other: open, says });
  });
}

fact("Kafka P15: a message above the brokers' own limit is refused alone, and told what the limit is", async () => {
  await kafka.createTopic("large");
  await using adaptor = await opened({ message_max: 4 << 20 });
  const batch = numbered(30, "large", (i) => ({ key: "k", body: new Uint8Array(i === 11 ? 2 << 20 : 100) }));
  const { refused, again } = await send(adaptor, batch);
  assert.deepEqual([refused.map(({ delivery }) => delivery.position), again], [[11], []]);
  assert.match(refused[0]!.reason, /larger than|too large/i);
  assert.deepEqual((await kafka.read("large")).map(numberOf), batch.map((_, i) => i).filter((i) => i !== 11));
});

fact("Kafka P2 P7: who sends more than its quota is slow, and has everything there once", async () => {
  await kafka.createTopic("slow");
  await kafka.limit("glutton", 100_000);
  const notices: string[] = [];
  await using adaptor = await opened({ client_id: "glutton", timeout: 30_000 }, notices);
  let throttled = 0;
  const began = performance.now();
  for (let b = 0; b < 5; b++) {
    const result = await send(adaptor, numbered(20, "slow", () => ({ body: new Uint8Array(20_000) }), b * 20));
    assertTaken(result);
    if (result.throttled) throttled++;
  }
  console.log(`2.0 MB against a quota of 100 kB/s: ${Math.round(performance.now() - began)} ms`);
  assert.deepEqual((await kafka.read("slow")).map(numberOf), Array.from({ length: 100 }, (_, i) => i));
  assert.ok(throttled > 0);
  assert.match(notices.join("\n"), /^the brokers' quota for client "glutton" makes it wait \(\d+ ms this time\)/m);
});

async function opened(options: Partial<KafkaOptions> = {}, notices: string[] = []) {
  const adaptor = await open({ ...secured(), ...options }, { notices });
  return Object.assign(adaptor, { [Symbol.asyncDispose]: () => adaptor.close() });
}
