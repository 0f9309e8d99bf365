/**
 * Sees groups of records through to the brokers' answers: stamps each with a producer's id and a sequence number, sends it to whoever
 * leads its partition, and repeats it with the same stamp while it is not known whether it was taken, so that brokers know a
 * repeat for one (the idempotent producer of KIP-98). Knows no sockets.
 */
import { type Answer, type Answers, everyError, isPassing, meaningOf } from "./answer.ts";
import { type Group, groupName } from "./partition.ts";
import type { Stamp } from "./records.ts";
import { unknownTopic } from "./trouble.ts";

/** A group on its way. Several of one request are of different partitions. */
export interface Parcel {
  readonly group: Group;
  readonly stamp: Stamp;
}

/** By topic: who leads each partition, -1 for nobody; or what the brokers have against the topic. */
export type Leaders = ReadonlyMap<string, readonly number[] | Answer>;

export interface Carrier {
  /** Ended: nothing is tried any more. */
  readonly closed: boolean;
  /** `anew`: what was known is true no more. Rejects when no broker says. */
  leaders(topics: readonly string[], anew: boolean): Promise<Leaders>;
  /** One request to one broker. Rejects when it is not known what became of it. */
  carry(broker: number, parcels: readonly Parcel[]): Promise<Answers>;
  /** A number by which the brokers know us, and did not know anybody before. */
  identify(): Promise<Identity>;
  /** Before the next try. `answered`: there is a broker, who says no; else the problem is with the way to it. */
  pause(answered: boolean): Promise<void>;
}
export type Identity = Omit<Stamp, "sequence">;

/** So often a request is tried. */
export const tries = 60;
const leaderless: Answer = { code: 5, text: "a partition has no leader", faults: [] };
/** Sequence numbers begin again after 31 bits. */
const sequences = 2 ** 31;

export class Producer {
  readonly #carrier: Carrier;
  #identity: Identity | undefined;
  /** Of the next record for a partition. */
  readonly #next = new Map<string, number>();

  constructor(carrier: Carrier) {
    this.#carrier = carrier;
  }

  async identify(): Promise<Identity> {
    if (this.#identity) return this.#identity;
    const identity = await this.#carrier.identify();
    this.#next.clear();
    return this.#identity = identity;
  }

  /** At most one group a partition, and one call at a time: that keeps the order. Never rejects. */
  async produce(groups: readonly Group[]): Promise<{ readonly answers: Answers; readonly problem?: unknown }> {
    try {
      const identity = await this.identify();
      return await this.#send(groups.map((group) => new Way(group, this.#stamp(group, identity))));
    } catch (problem) {
      return { answers: new Map(), problem };
    }
  }

  async #send(ways: readonly Way[]): Promise<{ readonly answers: Answers; readonly problem?: unknown }> {
    let problem: unknown;
    for (let count = 1; count <= tries; count++) {
      const open = ways.filter((way) => !way.ended);
      const failure = await this.#try(open, count > 1);
      problem = failure ?? problem;
      const renewed = await this.#heed(open);
      if (ways.every((way) => way.ended) || isHopeless(failure) || this.#carrier.closed) break;
      if (!renewed) await this.#carrier.pause(failure === undefined);
    }
    // Of some nobody knows whether they were taken: their numbers must not stand for other records.
    if (ways.some(({ answer }) => !answer || meaningOf(answer) !== "taken")) this.#forget();
    return { answers: new Map(ways.flatMap(({ name, answer }) => answer ? [[name, answer]] : [])), problem };
  }

  /** To each broker at once what is its own. Gives what went wrong on the way. */
  async #try(ways: readonly Way[], anew: boolean): Promise<unknown> {
    let failure: unknown;
    try {
      const topics = new Set(ways.map(({ group }) => group.topic));
      const leaders = await this.#carrier.leaders([...topics], anew);
      const brokers = Map.groupBy(ways, (way) => way.leader(leaders));
      brokers.delete(nobody);
      await Promise.all([...brokers].map(async ([broker, parcels]) => {
        try {
          const answers = await this.#carrier.carry(broker, parcels);
          for (const way of parcels) way.answer = answers.get(way.name) ?? way.answer;
        } catch (problem) {
          failure ??= problem;
        }
      }));
    } catch (problem) {
      failure ??= problem;
    }
    return failure;
  }

  /** What brokers said just now. Tells whether some are to be sent at once by another number. */
  async #heed(ways: readonly Way[]): Promise<boolean> {
    let renewed = false;
    for (const way of ways) {
      const { answer, stamp, name, group } = way;
      if (!answer) continue;
      const ours = stamp.producerId === this.#identity?.producerId;
      const meaning = meaningOf(answer);
      if (meaning === "taken" && ours) this.#next.set(name, (stamp.sequence + group.records.count) % sequences);
      if (meaning !== "lost" || way.renewed) continue;
      // The broker has forgotten us, or what it had of us. By another number we are somebody new.
      if (ours) this.#forget();
      way.renew(this.#stamp(group, await this.identify()));
      renewed = true;
    }
    return renewed;
  }

  #stamp({ topic, partition }: Group, identity: Identity): Stamp {
    return { ...identity, sequence: this.#next.get(groupName(topic, partition)) ?? 0 };
  }

  #forget(): void {
    this.#identity = undefined;
    this.#next.clear();
  }
}

const nobody = -1;

class Way implements Parcel {
  readonly group: Group;
  readonly name: string;
  stamp: Stamp;
  /** The last that was said. */
  answer: Answer | undefined;
  renewed = false;
  #barred = false;

  constructor(group: Group, stamp: Stamp) {
    this.group = group;
    this.stamp = stamp;
    this.name = groupName(group.topic, group.partition);
  }

  /** Nothing is gained by sending it again. */
  get ended(): boolean {
    return this.#barred || (this.answer !== undefined && !isPassing(this.answer));
  }

  /** Where nobody leads, that is the answer. */
  leader(leaders: Leaders): number {
    const found = leaders.get(this.group.topic) ?? leaderless;
    if ("code" in found) {
      this.answer = found;
      // A topic that is gone does not come back soon, though brokers of another mind may.
      this.#barred = found.code === unknownTopic;
      return nobody;
    }
    const leader = found[this.group.partition] ?? nobody;
    if (leader === nobody) this.answer = leaderless;
    return leader;
  }

  renew(stamp: Stamp): void {
    this.stamp = stamp;
    this.answer = undefined;
    this.renewed = true;
  }
}

/** Such as a wrong password. */
function isHopeless(failure: unknown): boolean {
  return [...everyError(failure)].some(({ canRetry }) => canRetry === false);
}
