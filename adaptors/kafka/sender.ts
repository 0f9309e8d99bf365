/** Carries a batch to the brokers: request by request, in order, finding the messages that will never be taken. */
import assert from "node:assert";
import { type Delivery, type Heading, headingOf, type Result } from "../../src/deliver/adaptor.ts";
import { type Answer, type Answers, meaningOf } from "./answer.ts";
import { type Group, groupName, groupOverheadBytes, type Placed, requests } from "./partition.ts";
import { type Headers, isTopicName, type Outgoing, outgoing } from "./wire.ts";

/** The other side. One call at a time. */
export interface Brokers {
  /** How many partitions each topic has, or why it cannot be sent to now. Rejects when no broker says. */
  partitions(topics: readonly string[]): Promise<ReadonlyMap<string, number | string>>;
  /** At most one group a partition. A group without an answer may have been taken or not: `problem` says why. */
  produce(groups: readonly Group[]): Promise<{ readonly answers: Answers; readonly problem?: unknown }>;
}

export interface Plan {
  readonly topicOf: (heading: Heading) => string;
  readonly keyOf: (heading: Heading) => string | undefined;
  readonly headers: Headers;
  readonly messageBytesMax: number;
}

/** Of one request, across partitions: brokers drop the connection at 100 MiB. */
const requestBytes = 32 * 1024 * 1024;

/** Rejects when nothing of the batch is known to be taken or refused by the brokers. */
export async function sendBatch(batch: readonly Delivery[], brokers: Brokers, plan: Plan): Promise<Result> {
  const fates = new Fates();
  const addressed = [...address(batch, plan, fates)];
  const partitions = await reachable(addressed, brokers, fates);
  const sendable = addressed.filter(({ topic }) => partitions.has(topic));
  const limits = { groupBytes: plan.messageBytesMax, requestBytes };
  for (const groups of requests(sendable, partitions, limits)) {
    await sendRequest(groups, brokers, fates);
  }
  return fates.result(batch);
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
  #taken = 0;

  /** Everything after this has to wait: for the topic, or for a new connection. */
  isHeld(topic: string): boolean {
    return this.#lost || this.#troubles.has(topic);
  }

  took(group: Group, { offset }: Answer): void {
    this.#settled = true;
    this.#taken += group.messages.length;
    const name = groupName(group.topic, group.partition);
    if (offset !== undefined && !this.#places.has(name)) this.#places.set(name, offset);
  }

  refuse(delivery: Delivery, reason: string, { byBroker = true } = {}): void {
    this.#refused.set(delivery, reason);
    this.#settled ||= byBroker;
  }

  hold(messages: Iterable<Outgoing>, topic: string, trouble: string): void {
    if (!this.isHeld(topic)) this.#troubles.set(topic, trouble);
    this.wait(messages);
  }

  lose(messages: Iterable<Outgoing>, problem: unknown): void {
    this.#lost = true;
    this.#problem ??= problem;
    this.wait(messages);
  }

  wait(messages: Iterable<Outgoing>): void {
    for (const { delivery } of messages) this.#again.add(delivery);
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

function* address(batch: readonly Delivery[], plan: Plan, fates: Fates): Generator<Outgoing> {
  for (const delivery of batch) {
    const heading = headingOf(delivery);
    const topic = plan.topicOf(heading);
    const message = outgoing(delivery, { topic, key: plan.keyOf(heading), headers: plan.headers });
    const bytes = message.bytes + groupOverheadBytes;
    if (!isTopicName(topic)) {
      fates.refuse(delivery, `"${topic}" is no name of a Kafka topic`, { byBroker: false });
    } else if (bytes > plan.messageBytesMax) {
      const reason = `is ${bytes} bytes as a record; message_max is ${plan.messageBytesMax}`;
      fates.refuse(delivery, reason, { byBroker: false });
    } else {
      yield message;
    }
  }
}

async function reachable(
  messages: readonly Outgoing[],
  brokers: Brokers,
  fates: Fates,
): Promise<ReadonlyMap<string, number>> {
  const topics = [...new Set(messages.map(({ topic }) => topic))];
  const partitions = new Map<string, number>();
  if (topics.length === 0) return partitions;
  const answers = await brokers.partitions(topics);
  for (const topic of topics) {
    const answer = answers.get(topic) ?? `topic "${topic}": the brokers said nothing of it`;
    if (typeof answer === "number") partitions.set(topic, answer);
    else fates.hold(messages.filter((message) => message.topic === topic), topic, answer);
  }
  return partitions;
}

async function sendRequest(groups: readonly Group[], brokers: Brokers, fates: Fates): Promise<void> {
  const now = groups.filter(({ topic }) => !fates.isHeld(topic));
  for (const { topic, messages } of groups) if (fates.isHeld(topic)) fates.wait(messages);
  if (now.length === 0) return;
  const { answers, problem } = await brokers.produce(now);
  for (const group of now) {
    const answer = answers.get(groupName(group.topic, group.partition));
    if (answer) await settle(group, answer, brokers, fates);
    else {fates.lose(
        group.messages,
        problem ?? new Error(`no answer for partition ${group.partition} of ${group.topic}`),
      );}
  }
}

async function settle(group: Group, answer: Answer, brokers: Brokers, fates: Fates): Promise<void> {
  switch (meaningOf(answer)) {
    case "taken":
      return fates.took(group, answer);
    case "held":
      return fates.hold(group.messages, group.topic, `topic "${group.topic}": ${answer.text}`);
    case "lost":
      return fates.lose(group.messages, new Error(`topic "${group.topic}": ${answer.text}`));
    case "bad":
      return await isolate(group, answer, brokers, fates);
  }
}

/** Of a group that was refused whole: refuses the messages at fault and sends the others, in order. */
async function isolate(group: Group, answer: Answer, brokers: Brokers, fates: Fates): Promise<void> {
  const { messages } = group;
  if (messages.length === 1) return fates.refuse(messages[0]!.delivery, answer.text);
  const faults = new Set(answer.faults.filter((at) => at >= 0 && at < messages.length));
  for (const at of faults) fates.refuse(messages[at]!.delivery, answer.text);
  for (const part of faults.size > 0 ? [messages.filter((_, at) => !faults.has(at))] : halves(messages)) {
    if (part.length > 0) await sendRequest([{ ...group, messages: part }], brokers, fates);
  }
}

function halves(messages: readonly Placed[]): Placed[][] {
  const middle = messages.length >> 1;
  return [messages.slice(0, middle), messages.slice(middle)];
}
