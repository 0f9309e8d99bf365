/**
 * Requests that wait until destinations have their messages. Destinations say how far they are, and which messages they set
 * aside, in order; only while somebody waits.
 */
import type { Position } from "../log/mod.ts";
import { filterOf } from "../message/filter.ts";
import type { Fields, Message } from "../message/message.ts";
import type { Clock } from "../os/world.ts";
import type { Ack } from "./ack.ts";
import { badMessage, type Problem, quoted } from "./problem.ts";

/** A destination as intake knows it. */
export interface Receiver {
  readonly name: string;
  readonly required: boolean;
  /** It knows that the other side has a message, rather than having handed it over. */
  readonly confirms: boolean;
  readonly filter: Readonly<Record<string, string>> | undefined;
}
/** What a destination says while somebody waits for it. */
export type DeliveryNews =
  | { readonly kind: "reached"; readonly position: Position }
  | { readonly kind: "dead"; readonly position: Position; readonly reason: string }
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
  readonly receivers: readonly Receiver[];
  readonly clock: Clock;
  readonly deadlineMs: number;
  /** Tells destination `number` how many wait for it. */
  readonly setWaiters: (number: number, count: number) => void;
}

export class Deliveries {
  readonly #parts: DeliveriesParts;
  readonly #wants: readonly ((message: Message) => boolean)[];
  /** By destination, in the order of positions. */
  readonly #waits: Wait[][];
  readonly #stop = new AbortController();

  constructor(parts: DeliveriesParts) {
    this.#parts = parts;
    this.#wants = parts.receivers.map(({ filter }) => filterOf(filter ?? {}));
    this.#waits = parts.receivers.map(() => []);
  }

  /** Who has to confirm messages with these fields, by number; a problem when the wish cannot be met. */
  whoFor(ack: Ack & { readonly level: "delivered" }, messages: readonly Fields[]): number[] | Problem {
    const { receivers } = this.#parts;
    if (ack.name !== undefined) return this.#named(ack.name, messages);
    const numbers = receivers.map((_, number) => number)
      .filter((number) => receivers[number]!.required && receivers[number]!.confirms)
      .filter((number) => messages.some((message) => this.#wants[number]!(message as Message)));
    return numbers.length > 0 ? numbers : badMessage("ack", "No required destination confirms these messages");
  }

  #named(name: string, messages: readonly Fields[]): number[] | Problem {
    const number = this.#parts.receivers.findIndex((receiver) => receiver.name === name);
    const receiver = this.#parts.receivers[number];
    if (receiver === undefined) return badMessage("ack", `There is no destination ${quoted(name)}`);
    if (!receiver.confirms) return badMessage("ack", `Destination ${quoted(name)} does not confirm what it takes`);
    const stray = messages.findIndex((message) => !this.#wants[number]!(message as Message));
    if (stray < 0) return [number];
    return badMessage("ack", `Destination ${quoted(name)} does not take this message: see its filter`, stray + 1);
  }

  /** Called with the append, before the commit: so nothing a destination says of these messages is missed. */
  wait(who: readonly number[], first: Position, count: number): Promise<Outcome> {
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    const wait: Wait = { first, end: first + count as Position, left: new Set(who), resolve, dead: undefined };
    for (const number of who) {
      this.#waits[number]!.push(wait);
      this.#tell(number);
    }
    const timer = new AbortController();
    const over = AbortSignal.any([timer.signal, this.#stop.signal]);
    void this.#parts.clock.sleep(this.#parts.deadlineMs, over).then(() => this.#settle(wait, { kind: "late" }));
    return promise.finally(() => timer.abort());
  }

  hear(number: number, news: DeliveryNews): void {
    const waits = this.#waits[number]!;
    const { name } = this.#parts.receivers[number]!;
    if (news.kind === "dead") {
      const wait = waits.find(({ first, end }) => first <= news.position && news.position < end);
      if (wait) wait.dead ??= { ...news, name };
      return;
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
      this.#waits[number] = this.#waits[number]!.filter((other) => other !== wait);
      this.#tell(number);
    }
    wait.left.clear();
  }

  #tell(number: number): void {
    this.#parts.setWaiters(number, this.#waits[number]!.length);
  }
}
