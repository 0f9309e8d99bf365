/** Three Kafka nodes of which one that leads is killed or frozen, again and again, while messages come. */
import assert from "node:assert";
import { makeTempDir, type Node, startNode } from "../../e2e/node.ts";
import { eventually, pause } from "../../e2e/waiting.ts";
import { type Kafka, missing, startKafka } from "../../services/kafka.ts";
import { chance, Driver } from "../driver.ts";
import { underLoad } from "../life.ts";
import { standings, stopInTime } from "../operator.ts";
import { type Findings, Oracle } from "../oracle.ts";
import type { Order, Outcome, Row } from "../row.ts";

const connections = 6;
const partitions = 3;
/** A killed node is let in again only when its old session has run out. */
const downMs = { least: 2000, more: 3000 };
const frozenMs = { least: 4000, more: 8000 };
const betweenMs = { least: 5000, more: 8000 };
const drainMs = 300_000;

interface Stage {
  readonly kafka: Kafka;
  readonly node: Node;
  readonly driver: Driver;
  readonly random: () => number;
}

/** What was done, and what it cost. */
interface Score {
  done: number;
  killed: number;
  frozen: number;
  stillMs: number;
}

async function run({ runs, seed, goOn }: Order): Promise<Outcome> {
  const kafka = await startKafka({ nodes: 3 });
  try {
    const driver = new Driver(seed, connections);
    for (const topic of driver.topics) await kafka.createTopic(topic, { partitions });
    await using home = await makeTempDir();
    await using node = await startNode({ dir: home.path, config: configFor(kafka) });
    const stage = { kafka, node, driver, random: chance(seed, -1) };
    const score = { done: 0, killed: 0, frozen: 0, stillMs: 0 };
    const stop = new AbortController();
    const watched = watch(stage, score, stop.signal);
    await underLoad(node, driver, async () => {
      await pause(2000);
      do await disturb(stage, score); while (++score.done < runs && goOn(score.done));
    });
    await eventually("everything to be in Kafka", () => isDrained(node), drainMs);
    stop.abort();
    await watched;
    // Nobody who sends has noticed.
    assert.deepEqual([driver.count("fail"), driver.count("unknown")], [0, 0], node.stderr());
    await stopInTime(node);
    return outcomeOf(driver, score, await examine(stage));
  } finally {
    await kafka.stop();
  }
}

function configFor({ brokers }: Kafka): string {
  return `[[destination]]\nname = "bus"\nkind = "kafka"\nbrokers = ${JSON.stringify(brokers)}\nformat = "raw"\n`;
}

/** One that leads, so that it is missed. The others go on without it, and it comes back. */
async function disturb({ kafka, driver, random }: Stage, score: Score): Promise<void> {
  const topic = driver.topics[Math.floor(random() * driver.topics.length)]!;
  const leader = await kafka.leader(topic, Math.floor(random() * partitions));
  if (score.done % 2 === 0) {
    score.killed++;
    await kafka.kill(leader);
    await pause(between(downMs, random()));
    await kafka.restart(leader);
  } else {
    score.frozen++;
    kafka.freeze(leader);
    await pause(between(frozenMs, random()));
    kafka.thaw(leader);
  }
  await pause(between(betweenMs, random()));
}

function between({ least, more }: { least: number; more: number }, random: number): number {
  return least + more * random;
}

/** How long nothing arrived although something waited, at most. */
async function watch({ node }: Stage, score: Score, signal: AbortSignal): Promise<void> {
  let [last, since] = [-1, performance.now()];
  while (!signal.aborted) {
    const [bus] = await standings(node);
    if (bus!.position !== last || bus!.pending === 0) [last, since] = [bus!.position, performance.now()];
    score.stillMs = Math.max(score.stillMs, performance.now() - since);
    await pause(100);
  }
}

async function isDrained(node: Node): Promise<boolean> {
  const [bus] = await standings(node);
  if (bus!.pending > 0) return false;
  assert.deepEqual([bus!.conserved, bus!.dead, bus!.damaged], [true, 0, 0]);
  return true;
}

/** Whatever has one key is in one partition: order there is order of keys, too. */
async function examine({ kafka, driver }: Stage): Promise<Findings> {
  const oracle = new Oracle(driver);
  const text = new TextDecoder("utf-8", { fatal: true });
  for (const topic of driver.topics) {
    const messages = await kafka.messages(topic);
    for (const { partition, value } of messages) oracle.see(text.decode(value), `${topic}/${partition}`);
  }
  return oracle.findings();
}

function outcomeOf(driver: Driver, { done, killed, frozen, stillMs }: Score, findings: Findings): Outcome {
  return {
    runs: done,
    accepted: driver.count("ok"),
    findings,
    worstRecoveryMs: 0,
    remark: `a leader killed ${killed} times, frozen ${frozen} times; ` +
      `nothing arrived for ${(stillMs / 1000).toFixed(1)} s at most`,
  };
}

export const row: Row = {
  number: 13,
  name: "three Kafka nodes, of which one that leads is killed or frozen every 10 to 20 s",
  promises: "P2 P3 P6 P7 P14",
  runs: { ci: 2, full: 40, nightly: 200 },
  missing: () => missing().trim().replace(/^\(|\)$/g, ""),
  run,
};
