/** What was read for a destination and is being delivered, part by part: what is decided of it is counted before the rest is sent. */
import type { Position, Side, Verdict } from "../log/mod.ts";
import type { Delivery } from "./adaptor.ts";
import type { Passed, Selection } from "./select.ts";

/** What has become of everything up to a position. */
export interface Tally {
  readonly counts: Partial<Record<Verdict, number>>;
  /** By topic: messages that wait, and where the first of them is. */
  readonly waits: ReadonlyMap<string, Side>;
}
export interface TallyOptions {
  readonly to: Position;
  /** Whether messages of a topic wait from there on; left out where none do. */
  readonly waits?: ((topic: string, position: Position) => boolean) | undefined;
  /** Of what was sent; what is not in it was taken. */
  readonly fates: ReadonlyMap<Delivery, Verdict>;
}

export class UnderWay {
  readonly selection: Selection;
  /** How much of the batch, and of what needs no sending, is counted. */
  #sent = 0;
  #passed = 0;

  constructor(selection: Selection) {
    this.selection = selection;
  }

  /** All that is to be sent, without what waits. */
  left(waits?: (topic: string) => boolean): readonly Delivery[] {
    const { batch } = this.selection;
    const left = this.#sent === 0 ? batch : batch.slice(this.#sent);
    return waits ? left.filter(({ message }) => !waits(message.topic)) : left;
  }

  /** Everything before `to` is decided: what became of it that is not counted yet. */
  tally({ to, waits, fates }: TallyOptions): Tally {
    const tallying = new Tallying(waits);
    const { batch, passed } = this.selection;
    for (; this.#sent < batch.length && batch[this.#sent]!.position < to; this.#sent++) {
      tallying.sent(batch[this.#sent]!, fates.get(batch[this.#sent]!) ?? "taken");
    }
    for (; this.#passed < passed.length && passed[this.#passed]!.position < to; this.#passed++) {
      tallying.passed(passed[this.#passed]!);
    }
    return tallying;
  }
}

class Tallying implements Tally {
  readonly counts: Partial<Record<Verdict, number>> = {};
  readonly waits = new Map<string, Side>();
  readonly #waits: TallyOptions["waits"];

  constructor(waits: TallyOptions["waits"]) {
    this.#waits = waits;
  }

  /** Its topic is looked at only where that matters: a message that nobody looks into stays bytes. */
  sent(delivery: Delivery, verdict: Verdict): void {
    const topic = this.#waits && delivery.message.topic;
    this.#note(topic, { position: delivery.position, count: 1, verdict });
  }
  passed(passed: Passed): void {
    this.#note(passed.topic, passed);
  }

  #note(topic: string | undefined, { position, count, verdict }: Passed): void {
    if (topic === undefined || !this.#waits?.(topic, position)) {
      this.counts[verdict] = (this.counts[verdict] ?? 0) + count;
      return;
    }
    const before = this.waits.get(topic);
    const from = Math.min(before?.from ?? position, position) as Position;
    this.waits.set(topic, { from, waits: (before?.waits ?? 0) + count });
  }
}
