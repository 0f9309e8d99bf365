/** From HTTP into real Kafka beside topics that cannot be written to. */
import assert from "node:assert";
import { type Detour, type Kafka, missing, startKafka } from "../services/kafka.ts";
import { type Node, startNode } from "./node.ts";
import { examineRoundTrips } from "./round_trips.ts";
import { eventually } from "./waiting.ts";

const lacks = missing();
const ignore = lacks !== "";
const limitMs = 120_000;
let kafka: Kafka;

if (!ignore) {
  Deno.test.beforeAll(async () => {
    kafka = await startKafka({ secure: true, rules: true, detours: ["127.0.0.1"] });
  });
  Deno.test.afterAll(() => kafka.stop());
}

examineRoundTrips("Kafka", async () => {
  const topic = "round-trips";
  await kafka.createTopic(topic);
  const [{ listen, advertised }] = kafka.detours as [Detour];
  return {
    port: listen,
    proxyPort: advertised,
    config: (port) =>
      `kind = "kafka"\nbrokers = ["127.0.0.1:${port}"]\ntopic = "${topic}"\nformat = "raw"\ntimeout = "4s"\n`,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}, { lacks });

interface Bus {
  readonly stalled_topics: number;
  readonly pending: number;
  readonly conserved: boolean;
  readonly last_error: string;
}

async function busOf({ management }: Node): Promise<Bus> {
  return (await (await fetch(`http://${management}/status`)).json()).destinations[0];
}

const perRound = 50;
const rounds = 4;

/** The same numbers for each topic, in turn. */
async function send({ http }: Node, topics: readonly string[], round: number): Promise<void> {
  const lines = Array.from({ length: perRound }, (_, i) => round * perRound + i)
    .flatMap((n) => topics.map((topic) => `{"topic":"${topic}","data":{"n":${n}}}\n`));
  const headers = { "content-type": "application/x-ndjson" };
  const answer = await fetch(`http://${http}/log`, { method: "POST", headers, body: lines.join("") });
  assert.equal(answer.status, 204, await answer.text());
}

async function numbersIn(topic: string): Promise<number[]> {
  return (await kafka.read(topic)).map(({ value }) => JSON.parse(new TextDecoder().decode(value)).n);
}

Deno.test({
  name:
    `P2 P6 P14 Kafka: topics missing, forbidden and deleted wait beside one that is well, each told from the others, and go on once they can${lacks}`,
  ignore,
  async fn() {
    const [well, absent, forbidden, deleted] = ["well", "absent", "forbidden", "deleted"] as const;
    const all = [well, absent, forbidden, deleted];
    for (const topic of [well, forbidden, deleted]) await kafka.createTopic(topic);
    await kafka.deny(forbidden, "WRITE");
    const tls = `tls = true\ntls_ca = "${kafka.ca}"\nsasl = "PLAIN"\nusername = "ev"\npassword = "secret"\n`;
    const brokers = JSON.stringify(kafka.secureBrokers);
    const config = `[[destination]]\nname = "bus"\nkind = "kafka"\nbrokers = ${brokers}\nformat = "raw"\n${tls}`;
    await using node = await startNode({ config });
    await send(node, [deleted], 0);
    await eventually("the topic that is to go", async () => (await numbersIn(deleted)).length === perRound, limitMs);
    await kafka.deleteTopic(deleted);
    const said = new Set<string>();
    for (let round = 0; round < rounds; round++) {
      await send(node, all, round);
      await eventually(
        "the topic that is well",
        async () => {
          said.add((await busOf(node)).last_error);
          return (await numbersIn(well)).length === (round + 1) * perRound;
        },
        limitMs,
      );
    }
    await eventually("all that wait to be counted", async () => (await busOf(node)).stalled_topics === 3, limitMs);
    await eventually("what is wrong to be said", async () => {
      const text = [...said.add((await busOf(node)).last_error)].join("\n");
      return [
        /topic "absent": does not exist at the brokers/,
        /topic "deleted": does not exist at the brokers/,
        /topic "forbidden": user "ev" may not write to it/,
      ].every((one) => one.test(text));
    }, limitMs).catch((problem) => assert.fail(`${problem.message}: ${[...said].join("\n")}`));
    for (const topic of [absent, deleted]) await kafka.createTopic(topic);
    await kafka.deny(forbidden, "WRITE", false);
    await eventually("nothing to wait", async () => (await busOf(node)).pending === 0, limitMs);
    const expected = Array.from({ length: rounds * perRound }, (_, n) => n);
    for (const topic of all) assert.deepEqual([...new Set(await numbersIn(topic))], expected, topic);
    assert.deepEqual([(await busOf(node)).conserved, await node.stop()], [true, 0]);
  },
});
