/** From HTTP into real Kafka, read back by a program that shares no code with us, while the broker comes and goes. */
import assert from "node:assert";
import { Driver } from "../crash/driver.ts";
import { Oracle } from "../crash/oracle.ts";
import { type Kafka, missing, startKafka } from "../services/kafka.ts";
import { type Node, startNode } from "./node.ts";
import { eventually, pause } from "./waiting.ts";

const lacks = missing();
const ignore = lacks !== "";
/** A broker that was killed is let in again only after a while. */
const brokerMs = 120_000;

function configFor(kafka: Kafka): string {
  const brokers = JSON.stringify(kafka.brokers);
  return `[[destination]]\nname = "bus"\nkind = "kafka"\nbrokers = ${brokers}\nformat = "raw"\n`;
}

function fact(name: string, run: () => Promise<void>): void {
  Deno.test({ name: name + lacks, ignore, fn: run });
}

async function caughtUp(node: Node): Promise<void> {
  await eventually("everything to be in Kafka", async () => {
    const [bus] = (await (await fetch(`http://${node.management}/status`)).json()).destinations;
    if (bus.last_error !== "" && bus.state === "paused") throw new Error(bus.last_error);
    return bus.pending === 0;
  }, brokerMs);
}

/** Offers messages while `trouble` lasts and a little beyond; every single one must be accepted. */
async function offerDuring(node: Node, driver: Driver, trouble: () => Promise<void>): Promise<void> {
  const stop = new AbortController();
  const offered = driver.offer(node.http, stop.signal);
  await pause(500);
  await trouble();
  await pause(1000);
  stop.abort();
  await offered;
  assert.deepEqual([driver.count("fail"), driver.count("unknown")], [0, 0], node.stderr());
}

/** Holds what Kafka has against what was sent. Copies are allowed where a broker died with an answer still owed. */
async function assertAllThere(kafka: Kafka, driver: Driver, { copies }: { copies: boolean }): Promise<void> {
  const oracle = new Oracle(driver);
  const text = new TextDecoder("utf-8", { fatal: true });
  for (const topic of driver.topics) {
    for (const { partition, value } of await kafka.read(topic)) oracle.see(text.decode(value), `${topic}/${partition}`);
  }
  const { copies: found, ...rest } = oracle.findings();
  assert.deepEqual(rest, { arrived: driver.count("ok"), lost: 0, unexpected: 0, altered: 0, inverted: 0, torn: 0 });
  assert.ok(copies || found === 0, `${found} copies`);
  assert.ok(driver.count("ok") > 100);
}

async function createTopics(kafka: Kafka, driver: Driver): Promise<void> {
  for (const topic of driver.topics) await kafka.createTopic(topic, { partitions: 3 });
}

fact(
  "P2 P3 P6: what is accepted is in Kafka, once, byte for byte and in the order of its partition; freezing the broker for 5 s changes nothing",
  async () => {
    await using kafka = await disposable({});
    const driver = new Driver(1, 4);
    await createTopics(kafka.kafka, driver);
    await using node = await startNode({ config: configFor(kafka.kafka) });
    await offerDuring(node, driver, async () => {
      kafka.kafka.freeze(0);
      await pause(5000);
      kafka.kafka.thaw(0);
    });
    await caughtUp(node);
    await assertAllThere(kafka.kafka, driver, { copies: false });
  },
);

fact(
  "P2 P3 P6 P14: a broker killed in mid-stream and started again costs nothing but a wait, even when we are killed meanwhile",
  async () => {
    await using kafka = await disposable({});
    const driver = new Driver(2, 4);
    await createTopics(kafka.kafka, driver);
    const config = configFor(kafka.kafka);
    await using first = await startNode({ config });
    await offerDuring(first, driver, async () => {
      await kafka.kafka.kill(0);
      await pause(3000);
      await kafka.kafka.restart(0);
    });
    await offerDuring(first, driver, () => kafka.kafka.kill(0));
    first.kill("SIGKILL");
    await first.exited;
    await using second = await startNode({ config, dir: first.dir });
    await kafka.kafka.restart(0);
    await caughtUp(second);
    await assertAllThere(kafka.kafka, driver, { copies: true });
  },
);

fact("P2 P14: a broker that is not there at the start, nor its topics, gets everything once both are", async () => {
  await using kafka = await disposable({ started: false });
  const driver = new Driver(3, 2);
  await using node = await startNode({ config: configFor(kafka.kafka) });
  await offerDuring(node, driver, () => pause(1000));
  await kafka.kafka.restart(0);
  await offerDuring(node, driver, () => pause(1000));
  await createTopics(kafka.kafka, driver);
  await caughtUp(node);
  await assertAllThere(kafka.kafka, driver, { copies: false });
});

fact("P14: a topic that is not there holds up no other; once it is, it gets its messages in order", async () => {
  await using kafka = await disposable({});
  const driver = new Driver(4, 2);
  const [there, later] = driver.topics as [string, string];
  await kafka.kafka.createTopic(there, { partitions: 1 });
  await using node = await startNode({ config: configFor(kafka.kafka) });
  await offerDuring(node, driver, () => pause(1000));
  // Several rounds, so that it is not only the batch that met the missing topic first.
  for (let round = 0; round < 3; round++) {
    await offerDuring(node, driver, () => pause(200));
    const sent = driver.sent[0]!.fates.length;
    await eventually("the topic that is there", async () => (await kafka.kafka.read(there)).length === sent, brokerMs);
  }
  const [bus] = (await (await fetch(`http://${node.management}/status`)).json()).destinations;
  assert.deepEqual([bus.stalled_topics, bus.conserved], [1, true]);
  assert.match(bus.last_error, new RegExp(`messages of ${later} wait, others are delivered`));
  node.kill("SIGKILL");
  await node.exited;
  await using second = await startNode({ config: configFor(kafka.kafka), dir: node.dir });
  await kafka.kafka.createTopic(later, { partitions: 1 });
  await caughtUp(second);
  await assertAllThere(kafka.kafka, driver, { copies: true });
});

async function disposable(setup: { started?: boolean }): Promise<AsyncDisposable & { readonly kafka: Kafka }> {
  const kafka = await startKafka({ ...setup, properties: { "group.initial.rebalance.delay.ms": "0" } });
  return { kafka, [Symbol.asyncDispose]: () => kafka.stop() };
}
