/** The open output directory: batches become lines, lines become durable, files are finished when their hour is over. */
import {
  type Adaptor,
  type Delivery,
  type Heading,
  headingOf,
  type Place,
  type Result,
} from "../../src/deliver/adaptor.ts";
import { join } from "../../src/os/world.ts";
import { finishAll, freeName } from "./finish.ts";
import type { Ledger } from "./ledger.ts";
import { openLedger } from "./open.ts";
import type { Packing } from "./member.ts";
import { Handles, Part } from "./part.ts";
import { dirsOf, hourMs, hourOf, nameOf, openName, type Template } from "./path.ts";
import { type Limits, Retention } from "./retention.ts";
import { ledgerName, lockName } from "./wire.ts";

const handlesMax = 64;
/** Files unfinished at once; beyond that the least recently used is finished early. */
const partsMax = 1024;
const sweepEveryMs = 60_000;
const none: Result = { refused: [], again: [] };

export interface OutputSettings extends Limits {
  readonly dir: string;
  readonly template: Template;
  /** Of all that a name ends in. */
  readonly suffix: string;
  readonly packing: Packing;
  readonly rollBytes: number;
}

export class Output implements Adaptor {
  readonly #settings: OutputSettings;
  readonly #place: Place;
  readonly #ledger: Ledger;
  readonly #handles: Handles;
  readonly #retention: Retention;
  /** By what its messages have in common, the least recently used first. */
  readonly #parts = new Map<string, Part>();
  /** Finished since the last step of the ledger. */
  #finished: string[] = [];
  #sweptAt = -Infinity;
  #state: "open" | "broken" | "closed" = "open";

  /** Finishes what an earlier run left, so it may take a while. */
  constructor(settings: OutputSettings, place: Place) {
    const { dir, template, suffix, packing } = settings;
    const matcher = template.matcher(suffix);
    const { files } = place.world;
    this.#settings = settings;
    this.#place = place;
    this.#ledger = openLedger(dir, place, { matcher, template, packing });
    this.#handles = new Handles(files, dir, handlesMax);
    this.#retention = new Retention(files, dir, { matcher, depth: template.depth }, settings);
  }

  async send(batch: readonly Delivery[], signal: AbortSignal): Promise<Result> {
    signal.throwIfAborted();
    if (this.#state !== "open") throw new Error(`Cannot write files in "${this.#settings.dir}": it is ${this.#state}`);
    const fresh = batch.filter((delivery) => !this.#has(delivery));
    if (fresh.length === 0) return none;
    const receipt = this.#orBreak(() => this.#take(fresh));
    this.#sweepNowAndThen();
    return { ...none, receipt };
  }

  async idle(): Promise<void> {
    if (this.#state !== "open") return;
    const hour = Math.floor(this.#place.world.clock.now() / hourMs);
    this.#orBreak(() => this.#finishWhere((part) => part.hour < hour));
    this.#sweepNowAndThen();
  }

  async close(): Promise<void> {
    const wasOpen = this.#state === "open";
    this.#state = "closed";
    try {
      if (wasOpen) this.#finishWhere(() => true);
    } finally {
      this.#handles.closeAll();
      this.#ledger.close();
    }
  }

  /** From before a crash, when the cursor had not been durable yet. The time tells a position that a damaged log gave out twice. */
  #has(delivery: Delivery): boolean {
    const { state } = this.#ledger;
    return delivery.position < state.position && headingOf(delivery).timestamp <= state.time;
  }

  #take(batch: readonly Delivery[]): string {
    const touched = this.#sort(batch);
    this.#write(touched);
    this.#record(batch, touched);
    for (const part of touched) part.settle();
    const { hour } = [...touched].at(-1)!;
    this.#finishWhere((part) => part.length >= this.#settings.rollBytes || (part.hour < hour && !touched.has(part)));
    return receiptOf([...touched]);
  }

  /** Gives each message's line to its file; the files in the order of their last use. */
  #sort(batch: readonly Delivery[]): Set<Part> {
    const touched = new Set<Part>();
    let last: { readonly heading: Heading; readonly part: Part } | undefined;
    for (const delivery of batch) {
      const heading = headingOf(delivery);
      if (!last || (heading !== last.heading && !this.#goTogether(heading, last.heading))) {
        last = { heading, part: this.#partOf(heading, delivery.position) };
        touched.delete(last.part);
        touched.add(last.part);
      }
      last.part.add(delivery.body);
    }
    return touched;
  }

  #goTogether(a: Heading, b: Heading): boolean {
    return hourOf(a) === hourOf(b) && this.#settings.template.alike(a, b);
  }

  #partOf(heading: Heading, position: number): Part {
    const key = this.#settings.template.key(heading);
    const part = this.#parts.get(key) ?? this.#newPart(heading, position);
    this.#parts.delete(key);
    this.#parts.set(key, part);
    return part;
  }
  #newPart(heading: Heading, position: number): Part {
    const { template, suffix, dir, packing } = this.#settings;
    const { files } = this.#place.world;
    const taken = (name: string) => files.exists(join(dir, name)) || files.exists(join(dir, openName(name)));
    return new Part(freeName(nameOf(template.stem(heading), position, suffix), taken), hourOf(heading), packing);
  }

  #write(parts: ReadonlySet<Part>): void {
    try {
      this.#begin([...parts].filter((part) => !part.created));
      for (const part of parts) this.#append(part);
      this.#assertThere(parts);
    } catch (problem) {
      this.#cutBack(parts);
      throw problem;
    }
  }

  #begin(parts: readonly Part[]): void {
    if (parts.length === 0) return;
    const { dir } = this.#settings;
    const { files } = this.#place.world;
    const { position, time } = this.#ledger.state;
    this.#ledger.put({ position, time, files: parts.map(({ name }) => [name, 0]), finished: this.#takeFinished() });
    const dirs = new Set<string>();
    for (const part of parts) {
      const path = dirsOf(dir, part.name);
      files.makeDir(path.at(-1)!);
      this.#handles.of(part);
      // Those above too, even if they were there: an earlier try may have made them and failed before their sync.
      for (const each of path) dirs.add(each);
    }
    for (const changed of dirs) files.syncDir(changed);
  }

  #append(part: Part): void {
    const file = this.#handles.of(part);
    file.write(part.length, part.packed);
    file.sync();
  }

  /** What is written to a file whose name is gone, with its directory perhaps, nobody will ever read; without the lock others may. */
  #assertThere(parts: Iterable<Part>): void {
    const { dir } = this.#settings;
    for (const name of [ledgerName, lockName, ...[...parts].map((part) => openName(part.name))]) {
      const path = join(dir, name);
      if (this.#place.world.files.exists(path)) continue;
      throw new Error(`Cannot write files in "${dir}": "${path}" is gone; it is begun anew`);
    }
  }

  #record(batch: readonly Delivery[], touched: Iterable<Part>): void {
    const { time } = this.#ledger.state;
    this.#ledger.put({
      position: batch.at(-1)!.position + 1,
      time: batch.reduce((latest, delivery) => Math.max(latest, headingOf(delivery).timestamp), time),
      files: [...touched].map((part) => [part.name, part.nextLength]),
      finished: this.#takeFinished(),
    });
  }

  #finishWhere(isDone: (part: Part) => boolean): void {
    const tooMany = this.#parts.size - partsMax;
    const done = [...this.#parts].filter(([, part], at) => at < tooMany || isDone(part));
    if (done.length === 0) return;
    for (const [, part] of done) this.#handles.close(part);
    const names = finishAll(this.#place.world.files, this.#settings.dir, done.map(([, part]) => part.name));
    done.forEach(([key, part], at) => {
      this.#parts.delete(key);
      this.#finished.push(part.name);
      this.#retention.add(names[at]!, part.length);
    });
  }

  #takeFinished(): string[] {
    return this.#finished.splice(0);
  }

  /** After a failure nothing is written here any more: the pump opens anew, which trusts the ledger alone. */
  #orBreak<T>(act: () => T): T {
    try {
      return act();
    } catch (problem) {
      this.#state = "broken";
      throw problem;
    }
  }

  /**
   * Opening would do it too; but a full disk has its room back sooner. Only before the ledger is told: from then on the lines
   * may count.
   */
  #cutBack(parts: Iterable<Part>): void {
    for (const part of parts) {
      try {
        if (part.created) this.#handles.of(part).truncate(part.length);
      } catch {
        // The first problem is the one that is told.
      }
    }
  }

  #sweepNowAndThen(): void {
    const { clock } = this.#place.world;
    if (clock.elapsed() - this.#sweptAt < sweepEveryMs) return;
    this.#sweptAt = clock.elapsed();
    try {
      this.#retention.sweep(clock.now());
    } catch (problem) {
      // Delivery goes on: too many old files are not worth a standstill.
      this.#place.notice(`cannot remove old files: ${problem instanceof Error ? problem.message : problem}`);
    }
  }
}

function receiptOf(parts: readonly Part[]): string {
  const names = parts.slice(0, 3).map(({ name }) => name).join(", ");
  return parts.length > 3 ? `${names} and ${parts.length - 3} more` : names;
}
