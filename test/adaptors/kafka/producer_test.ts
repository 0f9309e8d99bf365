/** The producer against brokers that are a few lines: each partition is an array, and knows repeats by their numbers as Kafka does. */
import assert from "node:assert";
import type { Answer } from "../../../adaptors/kafka/answer.ts";
import { type Group, groupName, requests } from "../../../adaptors/kafka/partition.ts";
import {
  type Carrier,
  type Identity,
  type Leaders,
  type Parcel,
  Producer,
  tries,
} from "../../../adaptors/kafka/producer.ts";
import { Addresses } from "../../../adaptors/kafka/wire.ts";
import { delivery } from "./delivery.ts";

/** What happens to a request: it is lost on the way there, or the answer on the way back; or the broker says so. */
type Fate = "fine" | "unsent" | "unanswered" | number;

class Cluster implements Carrier {
  closed = false;
  readonly held: string[] = [];
  readonly stamps: string[] = [];
  readonly pauses: boolean[] = [];
  identities = 0;
  metadata: Leaders = new Map([["t", [0, 1]], ["u", [1]]]);
  fates: Fate[] = [];
  readonly #known = new Map<string, number>();
  problem = new Error("connection closed");

  leaders(): Promise<Leaders> {
    return Promise.resolve(this.metadata);
  }

  carry(_broker: number, parcels: readonly Parcel[]): Promise<Map<string, Answer>> {
    const fate = this.fates.shift() ?? "fine";
    if (fate === "unsent") return Promise.reject(this.problem);
    const answers = new Map(parcels.map((parcel) => [nameOf(parcel.group), this.#append(parcel, fate)]));
    return fate === "unanswered" ? Promise.reject(this.problem) : Promise.resolve(answers);
  }

  identify(): Promise<Identity> {
    this.#known.clear();
    return Promise.resolve({ producerId: BigInt(++this.identities), epoch: 0 });
  }

  pause(answered: boolean): Promise<void> {
    this.pauses.push(answered);
    return Promise.resolve();
  }

  #append({ group, stamp }: Parcel, fate: Fate): Answer {
    const name = nameOf(group);
    this.stamps.push(`${name} ${stamp.producerId}/${stamp.sequence}`);
    const code = typeof fate === "number" ? fate : this.#judge(`${name} ${stamp.producerId}`, stamp.sequence, group);
    if (code === 0) this.held.push(...group.deliveries.map(({ id }) => id));
    return { code, text: `code ${code}`, faults: [] };
  }

  #judge(name: string, sequence: number, { records }: Group): number {
    const expected = this.#known.get(name) ?? 0;
    if (sequence + records.count === expected) return 46;
    if (sequence !== expected) return 45;
    this.#known.set(name, sequence + records.count);
    return 0;
  }
}

const nameOf = ({ topic, partition }: Group) => groupName(topic, partition);

let made = 0;
/** So many messages for each topic, in runs for partition 0 and 1 of the first. */
function groupsOf(count: number, ...topics: string[]): Group[] {
  const partitions = new Map([["t", 2], ["u", 1]]);
  const addresses = new Addresses({ topicOf: ({ topic }) => topic, keyOf: () => undefined });
  const deliveries = topics.flatMap((topic) => Array.from({ length: count }, () => delivery(made++, { topic })));
  return [...requests(deliveries, {
    ...{
      addressOf: (given) => addresses.of(given),
      partitions,
      extras: { headers: "none", contentTypeOf: () => "" },
      refuse: assert.fail,
    },
    limits: { groupBytes: 1e6, requestBytes: 1e6 },
  })].flat();
}

const idsOf = (groups: readonly Group[]) => groups.flatMap(({ deliveries }) => deliveries.map(({ id }) => id));

async function produce(producer: Producer, groups: readonly Group[]) {
  const { answers, problem } = await producer.produce(groups);
  return { codes: groups.map((group) => answers.get(nameOf(group))?.code), problem };
}

Deno.test("sequence numbers go on from batch to batch, each partition by itself", async () => {
  const cluster = new Cluster();
  const producer = new Producer(cluster);
  for (let n = 0; n < 3; n++) {
    assert.deepEqual(await produce(producer, groupsOf(10, "u")), { codes: [0], problem: undefined });
  }
  assert.deepEqual(cluster.stamps, ["u:0 1/0", "u:0 1/10", "u:0 1/20"]);
});

Deno.test("P7: what may have been taken is repeated under the same numbers, and is there once", async () => {
  const cluster = new Cluster();
  const groups = groupsOf(5, "u");
  cluster.fates = ["unsent", "unanswered", "unanswered", "fine"];
  assert.deepEqual((await produce(new Producer(cluster), groups)).codes, [46]);
  assert.deepEqual([cluster.held, cluster.pauses], [idsOf(groups), [false, false, false]]);
  assert.deepEqual(new Set(cluster.stamps), new Set(["u:0 1/0"]));
});

Deno.test("a broker that says not now is asked again, and only for what it has not taken", async () => {
  const cluster = new Cluster();
  const groups = groupsOf(128, "t").concat(groupsOf(3, "u"));
  cluster.fates = [0, 6, 0, 19];
  const { codes } = await produce(new Producer(cluster), groups);
  assert.deepEqual(codes, groups.map(() => 0));
  assert.deepEqual([cluster.held.toSorted(), cluster.pauses], [idsOf(groups).toSorted(), [true]]);
});

Deno.test("after what was not taken the numbers are new: they must not be known for other records", async () => {
  for (const fates of [[10], Array(tries).fill("unanswered"), Array(tries).fill(19)] as Fate[][]) {
    const cluster = new Cluster();
    const producer = new Producer(cluster);
    cluster.fates = [...fates];
    assert.notDeepEqual((await produce(producer, groupsOf(4, "u"))).codes, [0]);
    const next = groupsOf(4, "u");
    assert.deepEqual((await produce(producer, next)).codes, [0]);
    assert.deepEqual([cluster.identities, cluster.held.slice(-4)], [2, idsOf(next)]);
  }
});

Deno.test("a broker that has forgotten us gets the batch again at once under a new number; twice is an answer", async () => {
  for (const code of [45, 47, 49, 59, 90]) {
    const cluster = new Cluster();
    const producer = new Producer(cluster);
    await produce(producer, groupsOf(2, "u"));
    cluster.fates = [code];
    assert.deepEqual((await produce(producer, groupsOf(2, "u"))).codes, [0]);
    assert.deepEqual([cluster.stamps, cluster.pauses], [["u:0 1/0", "u:0 1/2", "u:0 2/0"], []]);
    cluster.fates = [code, code];
    assert.deepEqual((await produce(producer, groupsOf(2, "u"))).codes, [code]);
  }
});

Deno.test("a topic that is gone ends the wait for it; one without a leader is asked for again", async () => {
  const cluster = new Cluster();
  const gone = { code: 3, text: "does not exist", faults: [] };
  cluster.metadata = new Map<string, number[] | Answer>([["t", gone], ["u", [0]]]);
  assert.deepEqual((await produce(new Producer(cluster), groupsOf(3, "t", "u"))).codes, [3, 0]);
  assert.deepEqual(cluster.pauses, []);
  cluster.metadata = new Map([["u", [-1]]]);
  assert.deepEqual((await produce(new Producer(cluster), groupsOf(3, "u"))).codes, [5]);
  assert.equal(cluster.pauses.length, tries);
});

Deno.test("what cannot get better is not tried again, nor anything once it is closed", async () => {
  for (const close of [true, false]) {
    const cluster = new Cluster();
    cluster.problem = Object.assign(new Error("wrong password"), { canRetry: close });
    cluster.closed = close;
    cluster.fates = Array(tries).fill("unsent");
    const { codes, problem } = await produce(new Producer(cluster), groupsOf(3, "u"));
    assert.deepEqual([codes, problem, cluster.pauses], [[undefined], cluster.problem, []]);
  }
});

Deno.test("without a number by which brokers know us nothing is sent", async () => {
  const cluster = new Cluster();
  cluster.identify = () => Promise.reject(cluster.problem);
  const result = await produce(new Producer(cluster), groupsOf(3, "u"));
  assert.deepEqual([result, cluster.stamps], [{ codes: [undefined], problem: cluster.problem }, []]);
});
