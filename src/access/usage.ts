/**
 * How many messages each key has brought today (UTC). Kept in the file "usage" in the data directory every few seconds and at a
 * stop, so a restart goes on with it; a crash forgets the last seconds, in the sender's favour.
 */
import { join, readWhole, replaceFile, type World } from "../os/world.ts";

const dayMs = 86_400_000;
const keepEveryMs = 10_000;

export interface UsageParts {
  readonly world: Pick<World, "files" | "clock">;
  readonly dir: string;
  report(text: string): void;
}

export class Usage {
  readonly #parts: UsageParts;
  #day: number;
  #counts: Map<string, number>;
  #kept = true;
  #trouble = "";

  /** Goes on with what was kept today. */
  constructor(parts: UsageParts) {
    this.#parts = parts;
    this.#day = this.#today();
    this.#counts = new Map(this.#read());
  }

  of(id: string): number {
    this.#turn();
    return this.#counts.get(id) ?? 0;
  }

  add(id: string, count: number): void {
    this.#turn();
    this.#counts.set(id, (this.#counts.get(id) ?? 0) + count);
    this.#kept = false;
  }

  /** Whole seconds until all begins anew. */
  get secondsLeft(): number {
    return Math.ceil((dayMs - (this.#parts.world.clock.now() % dayMs)) / 1000);
  }

  async keepUp(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#parts.world.clock.sleep(keepEveryMs, signal);
      this.keep();
    }
  }

  /** Writes what has changed. */
  keep(): void {
    if (this.#kept) return;
    const { world, dir, report } = this.#parts;
    const text = JSON.stringify({ day: this.#day, counts: Object.fromEntries(this.#counts) });
    try {
      replaceFile(world.files, join(dir, "usage"), new TextEncoder().encode(`${text}\n`), "private");
      this.#kept = true;
      this.#trouble = "";
    } catch (problem) {
      const trouble = `Cannot keep how much of their quotas keys have used: ${(problem as Error).message}`;
      if (trouble !== this.#trouble) report(trouble);
      this.#trouble = trouble;
    }
  }

  #today(): number {
    return Math.floor(this.#parts.world.clock.now() / dayMs);
  }

  #turn(): void {
    const today = this.#today();
    if (today === this.#day) return;
    this.#day = today;
    this.#counts.clear();
    this.#kept = false;
  }

  /** What cannot be read counts as nothing: the least harm a lost estimate can do. */
  #read(): [string, number][] {
    const { world, dir } = this.#parts;
    const path = join(dir, "usage");
    try {
      if (!world.files.exists(path)) return [];
      const { day, counts } = JSON.parse(new TextDecoder().decode(readWhole(world.files, path)));
      const known = Object.entries(counts).filter(([, count]) => Number.isSafeInteger(count));
      return day === this.#day ? known as [string, number][] : [];
    } catch {
      return [];
    }
  }
}
