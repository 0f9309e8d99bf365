/**
 * Messages that come again under the id their sender gave them: within a window each is stored once. The ids stand in the entries, so
 * a start finds them in the log: only when somebody sends one, so that nobody else waits for it.
 */
import type { Clock } from "../os/world.ts";

/** The identities in each entry that was kept before this start, in the window before the last of them. */
export type IdHistory = (windowMs: number) => AsyncIterable<readonly string[]>;

export interface IdLimits {
  /** An id is known for at least so long, and at most a quarter longer. */
  readonly windowMs: number;
  /** Beyond these the oldest are forgotten. */
  readonly idsMax: number;
  readonly charactersMax: number;
}

/** Ids that are forgotten together. */
interface Generation {
  readonly ids: Set<string>;
  readonly began: number;
  characters: number;
}
const generationsMax = 4;

export class KnownIds {
  readonly #clock: Clock;
  readonly #history: IdHistory;
  readonly #limits: IdLimits;
  /** Oldest first. */
  #generations: Generation[] = [];
  #recalled: Promise<void> | undefined;
  #isReady = false;
  /** Commits that hold some of them, under way. */
  readonly #commits = new Set<Promise<void>>();

  constructor(clock: Clock, history: IdHistory, limits: IdLimits) {
    this.#clock = clock;
    this.#history = history;
    this.#limits = limits;
  }

  /** Those from before this start are known, too. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** Rejects when the log cannot be read; then the next call tries again. */
  ready(): Promise<void> {
    this.#recalled ??= this.#recall().catch((problem) => {
      this.#recalled = undefined;
      throw problem;
    });
    return this.#recalled;
  }

  has(identity: string): boolean {
    for (let i = this.#generations.length - 1; i >= 0; i--) if (this.#generations[i]!.ids.has(identity)) return true;
    return false;
  }

  /** They are in the log once `durable` resolves. When it rejects nobody knows, and the next ones count as the first. */
  add(identities: Iterable<string>, durable: Promise<void>): void {
    const kept = [...identities];
    this.#put(kept);
    this.#commits.add(durable);
    const over = () => this.#commits.delete(durable);
    durable.then(over, () => {
      over();
      for (const { ids } of this.#generations) for (const identity of kept) ids.delete(identity);
    });
  }

  /** Resolves when all that are known are in the log; rejects when some are not. */
  async settled(): Promise<void> {
    await Promise.all(this.#commits);
  }

  /** Those that came too long ago. */
  forgetOld(): void {
    const oldest = this.#clock.elapsed() - this.#limits.windowMs;
    // A generation ends where the next one begins.
    while ((this.#generations[1]?.began ?? Infinity) <= oldest) this.#generations.shift();
    const only = this.#generations[0];
    if (this.#generations.length === 1 && only!.began + this.#limits.windowMs / generationsMax <= oldest) {
      this.#generations = [];
    }
  }

  async #recall(): Promise<void> {
    this.#generations = [];
    for await (const identities of this.#history(this.#limits.windowMs)) this.#put(identities);
    this.#isReady = true;
  }

  #put(identities: readonly string[]): void {
    for (const identity of identities) {
      const youngest = this.#youngest();
      youngest.ids.add(identity);
      youngest.characters += identity.length;
    }
  }

  #youngest(): Generation {
    const { windowMs, idsMax, charactersMax } = this.#limits;
    const last = this.#generations.at(-1);
    const now = this.#clock.elapsed();
    const isFull = last === undefined || last.began + windowMs / generationsMax <= now ||
      last.ids.size >= idsMax / generationsMax || last.characters >= charactersMax / generationsMax;
    if (!isFull) return last;
    const next: Generation = { ids: new Set(), began: now, characters: 0 };
    this.#generations.push(next);
    // Room for the new one, once it is full.
    const left = 1 - 1 / generationsMax;
    while (
      this.#sum(({ ids }) => ids.size) > idsMax * left ||
      this.#sum(({ characters }) => characters) > charactersMax * left
    ) this.#generations.shift();
    return next;
  }

  #sum(of: (generation: Generation) => number): number {
    return this.#generations.reduce((sum, generation) => sum + of(generation), 0);
  }
}

/** The ids of one request: which of its messages came before, in an earlier one or in this. */
export class RequestIds {
  readonly #known: KnownIds;
  /** Most requests have none. */
  #fresh: Set<string> | undefined;
  #repeated = 0;
  #tooEarly = false;

  constructor(known: KnownIds) {
    this.#known = known;
  }

  /** How many messages were left out. */
  get repeated(): number {
    return this.#repeated;
  }

  /** Whether any message had an id. */
  get wereAsked(): boolean {
    return this.#repeated > 0 || this.#fresh !== undefined;
  }

  /** It matters what came before this start, and that is not known yet: to be done again once it is. */
  get tooEarly(): boolean {
    return this.#tooEarly;
  }

  isRepeat(identity: string): boolean {
    if (!this.#known.isReady) this.#tooEarly = true;
    if (!this.wereAsked) this.#known.forgetOld();
    if (this.#known.has(identity) || this.#fresh?.has(identity)) {
      this.#repeated++;
      return true;
    }
    (this.#fresh ??= new Set()).add(identity);
    return false;
  }

  /** Resolves when those that came before are in the log. */
  before(): Promise<void> {
    return this.#known.settled();
  }

  /** The others are in the log once `durable` resolves. */
  keep(durable: Promise<void>): void {
    if (this.#fresh !== undefined) this.#known.add(this.#fresh, durable);
  }
}
