/** [shell] The destinations of a running node: their numbers in the table, their cursors and their threads, as they come and go. */
import { adaptors } from "../../adaptors/mod.ts";
import type { Config, Destination } from "../config/keys.ts";
import type { Change } from "../config/reload.ts";
import type { Order, Outcome } from "../deliver/control.ts";
import type { LetterOrder, LetterOutcome } from "../deliver/letter_order.ts";
import { makeCursors } from "../deliver/cursors.ts";
import { type Placed, type Report, Supervisor } from "../deliver/supervisor.ts";
import type { IntakeSettings } from "../ingest/thread.ts";
import type { Position } from "../log/mod.ts";
import type { Journal, Level } from "../observe/journal.ts";
import type { DestinationFacts } from "../observe/status.ts";
import { destinationStates, type Table } from "../observe/table.ts";
import type { World } from "../os/world.ts";
import type { IntakeThread } from "./intake_thread.ts";

export interface DestinationsParts {
  readonly world: World;
  readonly journal: Journal;
  readonly table: Table;
  readonly dir: string;
  readonly node: string;
  readonly intake: IntakeThread;
}
/** What a start knows of where they were. */
export interface Beginning {
  readonly start: Position;
  readonly end: Position;
  /** How far each destination was when the durable mark was last written, by its key. */
  readonly remembered: ReadonlyMap<string, Position> | undefined;
}

/** So many can be there at once, before a restart makes room for more. */
export const roomLeast = 256;

export class Destinations {
  readonly #parts: DestinationsParts;
  readonly #supervisor: Supervisor;
  #placed: readonly Placed[] = [];
  /** Resolves when the change under way is over, well or badly. */
  #changing: Promise<unknown> = Promise.resolve();
  #begun = () => {};
  #stopped = false;

  constructor(parts: DestinationsParts) {
    this.#parts = parts;
    const { journal, intake } = parts;
    this.#supervisor = new Supervisor({
      ...parts,
      addSleeper: (number, nudges) => intake.addSleeper(number, nudges),
      report: (destination, news) => {
        if (news.kind === "well") return journal.say("info", "delivers again", { destination });
        journal.say(levelOf(news), news.text, { destination });
      },
    });
  }

  /** Gives each its cursor: before messages are taken. Intake knows them already. */
  async begin(placed: readonly Placed[], beginning: Beginning): Promise<void> {
    this.#placed = placed;
    await this.#makeCursors(placed, beginning);
    const begun = Promise.withResolvers<void>();
    this.#changing = begun.promise;
    this.#begun = begun.resolve;
  }

  /** Starts their threads: once messages are taken, since these would take the processor from that. */
  deliver(): void {
    this.#beginThreads(this.#placed);
    this.#begun();
  }

  /** Rejects when that cannot be; then all is as it was. The others do not notice. */
  change(change: Change): Promise<void> {
    const done = this.#change(change);
    this.#changing = done.catch(() => {});
    return done;
  }

  async #change({ config, added, changed, removed }: Change): Promise<void> {
    const { table, intake } = this.#parts;
    const wanted = this.#place(config.destination);
    const receivers = await receiversOf(wanted);
    const called = (names: readonly string[], placed: readonly Placed[]) =>
      placed.filter(({ destination }) => names.includes(destination.name));
    const fresh = called(added, wanted);
    for (const { number } of fresh) table.destination(number).clear();
    const [start, end] = [table.get("start") as Position, table.get("durable") as Position];
    await this.#makeCursors(fresh, { start, end, remembered: undefined });
    const ending = called([...changed, ...removed], this.#placed);
    await Promise.all(ending.map(({ number }) => this.#supervisor.end(number)));
    try {
      await intake.configure({ http: config.http, log: config.log, destinations: receivers });
    } catch (problem) {
      this.#beginThreads(ending);
      throw problem;
    }
    this.#placed = wanted;
    this.#beginThreads([...fresh, ...called(changed, wanted)]);
  }

  /** In the middle of a start or a change a destination has no thread for a moment: it is told afterwards. */
  async order(name: string, order: Order): Promise<Outcome | undefined> {
    await this.#changing;
    return await this.#supervisor.order(name, order);
  }
  async letters(name: string, order: LetterOrder): Promise<LetterOutcome | undefined> {
    await this.#changing;
    return await this.#supervisor.letters(name, order);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#supervisor.stop();
  }

  /** Whether one has not been told of everything that is durable. */
  get behind(): boolean {
    const { table } = this.#parts;
    return this.#placed.some(({ number }) => table.destination(number).position < table.get("durable"));
  }

  facts(): DestinationFacts[] {
    return this.#placed.map(({ number, destination: { name, kind, required } }) => {
      return { number, name, kind, required, lastError: this.#supervisor.lastError(number) };
    });
  }

  #beginThreads(placed: readonly Placed[]): void {
    for (const one of placed) {
      if (this.#stopped) return; // a stop came in the middle of a change
      this.#parts.table.destination(one.number).set("state", destinationStates.indexOf("starting"));
      this.#supervisor.begin(one);
    }
  }

  /** Who is there already keeps its number. */
  #place(destinations: readonly Destination[]): Placed[] {
    const kept = new Map(this.#placed.map(({ number, destination }) => [destination.name, number]));
    const taken = new Set(kept.values());
    return destinations.map((destination) => {
      const number = kept.get(destination.name) ?? this.#freeNumber(taken);
      taken.add(number);
      return { number, destination };
    });
  }
  #freeNumber(taken: ReadonlySet<number>): number {
    const { room } = this.#parts.table;
    for (let number = 0; number < room; number++) if (!taken.has(number)) return number;
    throw new Error(`There is room for ${room} destinations while it runs; a restart makes more`);
  }

  async #makeCursors(placed: readonly Placed[], beginning: Beginning): Promise<void> {
    const { world, dir, node, table, journal } = this.#parts;
    const positions = await makeCursors(world, dir, {
      ...beginning,
      node,
      destinations: placed.map(({ destination }) => destination),
      report: (destination, text) => journal.say("error", text, { destination }),
    });
    placed.forEach(({ number }, i) => table.destination(number).set("durable", positions[i]!));
  }
}

function levelOf({ kind }: Report): Level {
  if (kind === "alone" || kind === "info") return "info";
  return kind === "lost" ? "error" : "warning";
}

/** In the order of the configuration: how a start numbers them. */
export function placedInOrder(config: Config): Placed[] {
  return config.destination.map((destination, number) => ({ number, destination }));
}

/** What intake has to know of them. */
export function receiversOf(placed: readonly Placed[]): Promise<IntakeSettings["destinations"]> {
  return Promise.all(placed.map(async ({ number, destination: { name, kind, required, filter, sample, options } }) => {
    const { promise } = (await adaptors[kind]!()).default;
    return { number, name, kind, required, filter, sample, confirms: promise(options) === "confirmed" };
  }));
}
