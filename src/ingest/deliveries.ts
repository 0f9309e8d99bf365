/**
 * Requests that wait until destinations have their messages. Destinations say how far they are, and which messages they set
 * aside, in order; only while somebody waits.
 */
import type { Position } from "../log/mod.ts";
import { filterOf } from "../message/filter.ts";
import type { Message } from "../message/message.ts";
import { sampleOf } from "../message/sample.ts";
import type { Clock } from "../os/world.ts";
import type { Ack } from "./ack.ts";
import { badMessage, type Problem, quoted } from "./problem.ts";

/** A destination as intake knows it. */
export interface Receiver {
  /** In the table. */
  readonly number: number;
  readonly name: string;
  readonly required: boolean;
  /** It knows that the other side has a message, rather than having handed it over. */
  readonly confirms: boolean;
  readonly filter: Readonly<Record<string, string>> | undefined;
  /** Of what passes its filter, the share it takes. */
  readonly sample: number;
}
/** A message that is about to be stored, and the id it will have. */
export interface Coming {
  readonly id: string;
  readonly message: Message;
}
/** What a destination says while somebody waits for it. */
export type DeliveryNews =
  | { readonly kind: "reached"; readonly position: Position }
  | { readonly kind: "dead"; readonly position: Position; readonly reason: string }
  /** It waits while others go on, nobody knows how long. */
  | { readonly kind: "left"; readonly position: Position }
  /** It will never have these. */
  | { readonly kind: "skipped"; readonly from: Position; readonly to: Position; readonly reason: string };

export type Outcome =
  | { readonly kind: "delivered" }
  /** The time was up. The messages are safe, and will be delivered. */
  | { readonly kind: "late" }
  | { readonly kind: "dead"; readonly name: string; readonly position: Position; readonly reason: string };

interface Wait {
  readonly first: Position;
  readonly end: Position;
  /** Destinations that have not confirmed yet, by number. */
  readonly left: Set<number>;
  readonly resolve: (outcome: Outcome) => void;
  dead: Extract<Outcome, { kind: "dead" }> | undefined;
}

export interface DeliveriesParts {
  readonly clock: Clock;
  /** Tells destination `number` how many wait for it. */
  readonly setWaiters: (number: number, count: number) => void;
}

/** A destination, and who waits for it in the order of positions. */
interface Awaited {
  readonly receiver: Receiver;
  readonly wants: (message: Message) => boolean;
  readonly samples: ((id: string) => boolean) | undefined;
  waits: Wait[];
}

export class Deliveries {
  readonly #parts: DeliveriesParts;
  #awaited: ReadonlyMap<number, Awaited> = new Map();
  #deadlineMs = 0;
  readonly #stop = new AbortController();

  constructor(parts: DeliveriesParts) {
    this.#parts = parts;
  }

  /** From now on these are the destinations. Who waits for one that is no more is told that its messages are safe. */
  configure(receivers: readonly Receiver[], deadlineMs: number): void {
    const before = this.#awaited;
    this.#deadlineMs = deadlineMs;
    this.#awaited = new Map(receivers.map((receiver) => {
      const same = before.get(receiver.number);
      const waits = same?.receiver.name === receiver.name ? same.waits : [];
      const { number, filter = {}, sample } = receiver;
      return [number, { receiver, wants: filterOf(filter), samples: sampleOf(sample), waits }];
    }));
    const gone = [...before].filter(([number, { waits }]) => this.#awaited.get(number)?.waits !== waits);
    for (const [, { waits }] of gone) this.#giveUp(waits);
  }

  #giveUp(waits: readonly Wait[]): void {
    for (const wait of waits) this.#settle(wait, { kind: "late" });
  }

  /** Who has to confirm these messages, by number; a problem when the wish cannot be met. */
  whoFor(ack: Ack & { readonly level: "delivered" }, messages: readonly Coming[]): number[] | Problem {
    if (ack.name !== undefined) return this.#named(ack.name, messages);
    const numbers = [...this.#awaited.values()]
      .filter(({ receiver }) => receiver.required && receiver.confirms)
      .filter((awaited) => messages.some((coming) => whyNot(awaited, coming) === undefined))
      .map(({ receiver }) => receiver.number);
    return numbers.length > 0 ? numbers : badMessage("ack", "No required destination confirms these messages");
  }

  #named(name: string, messages: readonly Coming[]): number[] | Problem {
    const named = [...this.#awaited.values()].find(({ receiver }) => receiver.name === name);
    if (named === undefined) return badMessage("ack", `There is no destination ${quoted(name)}`);
    const { receiver } = named;
    if (!receiver.confirms) return badMessage("ack", `Destination ${quoted(name)} does not confirm what it takes`);
    const stray = messages.findIndex((coming) => whyNot(named, coming) !== undefined);
    if (stray < 0) return [receiver.number];
    const why = whyNot(named, messages[stray]!);
    return badMessage("ack", `Destination ${quoted(name)} does not take this message: see its ${why}`, stray + 1);
  }

  /** Called with the append, before the commit: so nothing a destination says of these messages is missed. */
  wait(who: readonly number[], first: Position, count: number): Promise<Outcome> {
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    const wait: Wait = { first, end: first + count as Position, left: new Set(who), resolve, dead: undefined };
    for (const number of who) {
      this.#awaited.get(number)?.waits.push(wait);
      this.#tell(number);
    }
    const timer = new AbortController();
    const over = AbortSignal.any([timer.signal, this.#stop.signal]);
    void this.#parts.clock.sleep(this.#deadlineMs, over).then(() => this.#settle(wait, { kind: "late" }));
    return promise.finally(() => timer.abort());
  }

  hear(number: number, news: DeliveryNews): void {
    const awaited = this.#awaited.get(number);
    if (awaited === undefined) return;
    const { waits, receiver: { name } } = awaited;
    if (news.kind === "dead") {
      const wait = waits.find(({ first, end }) => first <= news.position && news.position < end);
      if (wait) wait.dead ??= { ...news, name };
      return;
    }
    if (news.kind === "left") {
      const wait = waits.find(({ first, end }) => first <= news.position && news.position < end);
      return wait && this.#settle(wait, { kind: "late" });
    }
    if (news.kind === "skipped") {
      for (const wait of waits.filter(({ first, end }) => first < news.to && news.from < end)) {
        const position = Math.max(wait.first, news.from) as Position;
        wait.dead ??= { kind: "dead", name, position, reason: news.reason };
      }
      return this.hear(number, { kind: "reached", position: news.to });
    }
    while (waits.length > 0 && waits[0]!.end <= news.position) this.#confirm(waits.shift()!, number);
    this.#tell(number);
  }

  /** Nobody is kept waiting by a stop: what they wait for is safe, and comes later. */
  stop(): void {
    this.#stop.abort();
  }

  #confirm(wait: Wait, number: number): void {
    wait.left.delete(number);
    if (wait.left.size === 0) wait.resolve(wait.dead ?? { kind: "delivered" });
  }

  #settle(wait: Wait, outcome: Outcome): void {
    wait.resolve(wait.dead ?? outcome);
    for (const number of wait.left) {
      const awaited = this.#awaited.get(number);
      if (awaited) awaited.waits = awaited.waits.filter((other) => other !== wait);
      this.#tell(number);
    }
    wait.left.clear();
  }

  #tell(number: number): void {
    this.#parts.setWaiters(number, this.#awaited.get(number)?.waits.length ?? 0);
  }
}

/** What keeps a message from a destination, if anything does. */
function whyNot({ wants, samples }: Awaited, { id, message }: Coming): "filter" | "sample" | undefined {
  if (!wants(message)) return "filter";
  return samples?.(id) === false ? "sample" : undefined;
}
