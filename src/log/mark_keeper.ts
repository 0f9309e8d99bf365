/** Keeps the durable mark of a log that is being written: when it is renewed, and that a failure of it fails nothing else. */
import type { World } from "../os/world.ts";
import type { Seal } from "./format.ts";
import { quietly } from "./live.ts";
import { encodeMark, type Mark, openMark, peekMark } from "./mark.ts";
import type { Position } from "./mod.ts";
import type { Slots } from "./slots.ts";

const everyMs = 1000;
/** Where only destinations move: a lost cursor costs the copies of about so long. */
const movedMs = 5000;

export interface MarkSources {
  /** Where the log certainly ends; nothing while it has no segment. */
  readonly seal: () => Seal | undefined;
  /** How far each destination is, by its key in the mark. */
  readonly destinations: () => ReadonlyMap<string, Position>;
  readonly report: (text: string) => void;
}

export class MarkKeeper {
  readonly #clock: World["clock"];
  readonly #slots: Slots;
  readonly #sources: MarkSources;
  /** How far the mark says that destinations were. */
  #marked: Mark["destinations"];
  #waits = false;
  readonly #timers = new AbortController();

  /** Of a directory that is known to be ours. */
  constructor({ clock, files }: World, dir: string, sources: MarkSources) {
    this.#clock = clock;
    this.#sources = sources;
    this.#marked = peekMark(files, dir)?.destinations ?? new Map();
    const { slots, damaged } = openMark(files, dir);
    this.#slots = slots;
    if (damaged) sources.report("the durable mark is damaged; a loss at the end of the log could not be noticed");
    void this.#followDestinations();
  }

  /** The log has grown: the mark follows within a second. */
  grown(): void {
    if (this.#waits || this.#isClosed) return;
    this.#waits = true;
    void this.#clock.sleep(everyMs, this.#timers.signal).then(() => {
      this.#waits = false;
      if (!this.#isClosed) this.#put(this.#sources.destinations());
    });
  }

  /** The log has a new beginning, and nobody has told yet how far the destinations are. */
  begun(): void {
    this.#put(this.#marked);
  }

  /** With a last mark. */
  close(): void {
    this.#timers.abort();
    this.#put(this.#sources.destinations());
    quietly(() => this.#slots.close());
  }

  get #isClosed(): boolean {
    return this.#timers.signal.aborted;
  }

  /** Nothing is written while nothing moves. */
  async #followDestinations(): Promise<void> {
    while (!this.#isClosed) {
      await this.#clock.sleep(movedMs, this.#timers.signal);
      const places = this.#sources.destinations();
      const moved = [...places].some(([key, at]) => this.#marked.get(key) !== at);
      // Whoever has not told yet how far it is keeps its place.
      if (moved && !this.#isClosed) this.#put(new Map([...this.#marked, ...places]));
    }
  }

  #put(destinations: Mark["destinations"]): void {
    try {
      this.#write(destinations);
    } catch (problem) {
      const text = problem instanceof Error ? problem.message : String(problem);
      this.#sources.report(`the durable mark cannot be written: ${text}`);
    }
  }

  #write(destinations: Mark["destinations"]): void {
    const seal = this.#sources.seal();
    if (seal === undefined) return;
    const mark: Mark = {
      position: seal.end,
      chain: seal.chain,
      segment: seal.segment,
      offset: seal.length,
      destinations,
    };
    this.#slots.put(encodeMark(mark));
    this.#marked = destinations;
  }
}
