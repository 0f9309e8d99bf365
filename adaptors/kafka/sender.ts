/** Carries a batch to the brokers: request by request, in order, finding the messages that will never be taken. */
import assert from "node:assert";
import { type Delivery, headingOf, type Result } from "../../src/deliver/adaptor.ts";
import { type Answer, type Answers, meaningOf } from "./answer.ts";
import { type Group, groupName, type Layout, requests } from "./partition.ts";
import { type Address, Addresses, type Addressing, type Extras, isTopicName } from "./wire.ts";

/** The other side. One call at a time. */
export interface Brokers {
  /** How many partitions each topic has, or why it cannot be sent to now. Rejects when no broker says. */
  partitions(topics: readonly string[]): Promise<ReadonlyMap<string, number | string>>;
  /** At most one group a partition. A group without an answer may have been taken or not: `problem` says why. */
  produce(groups: readonly Group[]): Promise<Produced>;
}

export interface Produced {
  readonly answers: Answers;
  readonly problem?: unknown;
  /** A quota makes us wait: it was more than the brokers want of us. */
  readonly throttled?: boolean;
}

export interface Plan extends Addressing, Extras {
  readonly messageBytesMax: number;
}

/** Of one request, across partitions: brokers drop the connection at 100 MiB. */
const requestBytes = 32 * 1024 * 1024;

/** Rejects when nothing of the batch is known to be taken or refused by the brokers. */
export async function sendBatch(batch: readonly Delivery[], brokers: Brokers, plan: Plan): Promise<Result> {
  const fates = new Fates();
  const addresses = new Addresses(plan);
  const addressOf = (delivery: Delivery) => addresses.of(delivery);
  const { partitions, sendable } = await reachable(batch, { addressOf, brokers, fates });
  const { messageBytesMax } = plan;
  const limits = { groupBytes: messageBytesMax, requestBytes };
  const refuse = (delivery: Delivery, bytes: number) => {
    const reason = `is ${bytes} bytes as a record; message_max is ${messageBytesMax}`;
    fates.refuse(delivery, reason, { byBroker: false });
  };
  const sending = { brokers, fates, layout: { addressOf, partitions, extras: plan, limits, refuse } };
  await sendAll(sendable, sending);
  return fates.result(batch);
}

interface Sending {
  readonly brokers: Brokers;
  readonly fates: Fates;
  readonly layout: Layout;
}

/** What became of the messages of a batch, while it is found out. */
class Fates {
  readonly #refused = new Map<Delivery, string>();
  readonly #again = new Set<Delivery>();
  readonly #troubles = new Map<string, string>();
  readonly #places = new Map<string, bigint>();
  #problem: unknown;
  #lost = false;
  #settled = false;
  #throttled = false;
  #taken = 0;

  /** Everything after this has to wait: for the topic, or for a new connection. */
  isHeld(topic: string): boolean {
    return this.#lost || this.#troubles.has(topic);
  }

  took(group: Group, { offset }: Answer): void {
    this.#settled = true;
    this.#taken += group.deliveries.length;
    const name = groupName(group.topic, group.partition);
    if (offset !== undefined && !this.#places.has(name)) this.#places.set(name, offset);
  }

  refuse(delivery: Delivery, reason: string, { byBroker = true } = {}): void {
    this.#refused.set(delivery, reason);
    this.#settled ||= byBroker;
  }

  throttle(): void {
    this.#throttled = true;
  }

  hold(deliveries: Iterable<Delivery>, topic: string, trouble: string): void {
    if (!this.isHeld(topic)) this.#troubles.set(topic, trouble);
    this.wait(deliveries);
  }

  lose(deliveries: Iterable<Delivery>, problem: unknown): void {
    this.#lost = true;
    this.#problem ??= problem;
    this.wait(deliveries);
  }

  wait(deliveries: Iterable<Delivery>): void {
    for (const delivery of deliveries) this.#again.add(delivery);
  }

  result(batch: readonly Delivery[]): Result {
    if (this.#lost && !this.#settled) throw this.#problem;
    // Whoever is in neither list is counted as taken: nobody may be there by mistake.
    assert.equal(this.#taken + this.#refused.size + this.#again.size, batch.length);
    const refused = batch.filter((delivery) => this.#refused.has(delivery));
    return {
      refused: refused.map((delivery) => ({ delivery, reason: this.#refused.get(delivery)! })),
      again: batch.filter((delivery) => this.#again.has(delivery)),
      ...(!this.#lost && this.#again.size > 0 && { stalled: this.#stalled() }),
      trouble: this.#trouble(),
      ...(this.#throttled && { throttled: true }),
      receipt: receipt(this.#places),
    };
  }

  /** Without a lost connection only topics make messages wait. */
  #stalled(): string[] {
    return [...new Set([...this.#again].map((delivery) => headingOf(delivery).topic))];
  }

  #trouble(): string | undefined {
    const troubles = [...this.#troubles.values()];
    if (this.#lost) troubles.push(this.#problem instanceof Error ? this.#problem.message : String(this.#problem));
    const more = troubles.length > 3 ? ` (and ${troubles.length - 3} more)` : "";
    return troubles.length === 0 ? undefined : troubles.slice(0, 3).join("; ") + more;
  }
}

/** Says of the taken ones where each partition's first is; the rest follow it. */
function receipt(places: ReadonlyMap<string, bigint>): string | undefined {
  if (places.size === 0) return undefined;
  const first = [...places].slice(0, 32).map(([name, offset]) => `${name}@${offset}`).join(" ");
  return places.size > 32 ? `${first} and ${places.size - 32} more` : first;
}

interface Reaching {
  readonly addressOf: (delivery: Delivery) => Address;
  readonly brokers: Brokers;
  readonly fates: Fates;
}

/** Which messages can be sent now, and how many partitions their topics have. */
async function reachable(batch: readonly Delivery[], { addressOf, brokers, fates }: Reaching) {
  const topics = new Set<string>();
  const misnamed = new Set<string>();
  for (const delivery of batch) {
    const { topic } = addressOf(delivery);
    if (topics.has(topic)) continue;
    topics.add(topic);
    if (!isTopicName(topic)) misnamed.add(topic);
  }
  const asked = [...topics].filter((topic) => !misnamed.has(topic));
  const partitions = new Map<string, number>();
  const answers = asked.length === 0 ? new Map<string, number | string>() : await brokers.partitions(asked);
  for (const topic of asked) {
    const answer = answers.get(topic);
    if (typeof answer === "number") partitions.set(topic, answer);
  }
  if (partitions.size === topics.size) return { partitions, sendable: batch };
  for (const delivery of batch) {
    const { topic } = addressOf(delivery);
    if (partitions.has(topic)) continue;
    if (misnamed.has(topic)) {
      fates.refuse(delivery, `"${topic}" is no name of a Kafka topic`, { byBroker: false });
    } else {
      const answer = answers.get(topic) as string | undefined;
      fates.hold([delivery], topic, answer ?? `topic "${topic}": the brokers said nothing of it`);
    }
  }
  return { partitions, sendable: batch.filter((delivery) => partitions.has(addressOf(delivery).topic)) };
}

async function sendAll(deliveries: readonly Delivery[], sending: Sending): Promise<void> {
  for (const groups of requests(deliveries, sending.layout)) await sendRequest(groups, sending);
}

async function sendRequest(groups: readonly Group[], sending: Sending): Promise<void> {
  const { brokers, fates } = sending;
  const now = groups.filter(({ topic }) => !fates.isHeld(topic));
  for (const { topic, deliveries } of groups) if (fates.isHeld(topic)) fates.wait(deliveries);
  if (now.length === 0) return;
  const { answers, problem, throttled } = await brokers.produce(now);
  if (throttled) fates.throttle();
  for (const group of now) {
    const { topic, partition, deliveries } = group;
    const answer = answers.get(groupName(topic, partition));
    if (answer) await settle(group, answer, sending);
    else fates.lose(deliveries, problem ?? new Error(`no answer for partition ${partition} of ${topic}`));
  }
}

async function settle(group: Group, answer: Answer, sending: Sending): Promise<void> {
  const { fates } = sending;
  const { topic, deliveries } = group;
  switch (meaningOf(answer)) {
    case "taken":
      return fates.took(group, answer);
    case "held":
      return fates.hold(deliveries, topic, `topic "${topic}": ${answer.text}`);
    case "lost":
      return fates.lose(deliveries, new Error(`topic "${topic}": ${answer.text}`));
    case "bad":
      return await isolate(group, answer, sending);
  }
}

/** Of a group that was refused whole: refuses the messages at fault and sends the others, in order. */
async function isolate({ deliveries }: Group, answer: Answer, sending: Sending): Promise<void> {
  const { fates } = sending;
  if (deliveries.length === 1) return fates.refuse(deliveries[0]!, answer.text);
  const faults = new Set(answer.faults.filter((at) => at >= 0 && at < deliveries.length));
  for (const at of faults) fates.refuse(deliveries[at]!, answer.text);
  for (const part of faults.size > 0 ? [deliveries.filter((_, at) => !faults.has(at))] : halves(deliveries)) {
    await sendAll(part, sending);
  }
}

function halves(deliveries: readonly Delivery[]): Delivery[][] {
  const middle = deliveries.length >> 1;
  return [deliveries.slice(0, middle), deliveries.slice(middle)];
}
