/** Mutants and tests brought together: which test comes by which mutant, and what became of each mutant. */
import type { Planted } from "./plant.ts";
import { type End, runJob } from "./process.ts";
import type { Job, Said } from "./runner.ts";

export interface Fate {
  readonly mutant: Planted;
  /** The test that failed, or why the process had to be ended; undefined when the mutant survived. */
  readonly killedBy: string | undefined;
  /** Tests that were run, or would have been. */
  readonly tests: number;
}
interface Settings {
  readonly tests: readonly string[];
  readonly seeds: number;
  readonly budget: number;
  readonly jobs: number;
  readonly verbose: boolean;
  /** Each mutant has a process of its own. */
  readonly alone: boolean;
}

/** So many mutants share a process; then the original must pass in it, or each of them is tried again alone. */
const batchSize = 60;
const original = -1;
const quickMs = 50;

export class Examination {
  readonly #copy: string;
  readonly #settings: Settings;
  readonly #planted: readonly Planted[];
  /** What each test takes and comes by. */
  readonly #tests = new Map<string, { readonly ms: number; readonly seen: ReadonlySet<number> }>();
  /** Those that a file comes by while it is loaded: switched on later, they would change nothing. */
  #early = new Set<number>();

  constructor(copy: string, planted: readonly Planted[], settings: Settings) {
    this.#copy = copy;
    this.#planted = planted;
    this.#settings = settings;
  }

  /** Runs all tests on the original. */
  async look(): Promise<void> {
    const end = await this.#do({}, (said) => {
      if (said.is === "loaded") this.#early = new Set(said.seen);
      if (said.is === "passed") this.#tests.set(said.test, { ms: said.ms, seen: new Set(said.seen) });
      if (said.is === "failed") {
        throw new Error(`Cannot examine mutants: without any, "${said.test}" fails: ${said.why}`);
      }
    });
    if (end !== "done") throw new Error(`Cannot examine mutants: without any, the tests ended like this: ${end}`);
  }

  async run(mutants: readonly Planted[]): Promise<Fate[]> {
    const fates: Fate[] = [];
    const batches = this.#batches(mutants);
    const worker = async () => {
      for (let batch = batches.shift(); batch; batch = batches.shift()) fates.push(...await this.#runBatch(batch));
    };
    await Promise.all(Array.from({ length: this.#settings.jobs }, worker));
    return fates.sort((a, b) => a.mutant.id - b.mutant.id);
  }

  #batches(mutants: readonly Planted[]): Planted[][] {
    const alone = ({ id }: Planted) => this.#early.has(id) || this.#settings.alone;
    const early = mutants.filter(alone);
    const later = mutants.filter((mutant) => !alone(mutant));
    const batches = early.map((mutant) => [mutant]);
    for (let at = 0; at < later.length; at += batchSize) batches.push(later.slice(at, at + batchSize));
    return batches;
  }

  /** Who was killed in doubtful circumstances is tried again in a process of its own. */
  async #runBatch(batch: readonly Planted[]): Promise<Fate[]> {
    if (batch.length === 1) return [await this.#runAlone(batch[0]!)];
    const doubtful: Planted[] = [];
    const fates: Fate[] = [];
    let left = [...batch];
    while (left.length > 0) {
      const { ended, sound } = await this.#runTogether(left);
      for (const { fate, late } of ended) {
        if (fate.killedBy !== undefined && (late || !sound)) doubtful.push(fate.mutant);
        else fates.push(fate);
      }
      left = left.slice(ended.length);
    }
    for (const mutant of doubtful) fates.push(await this.#runAlone(mutant));
    return fates;
  }

  async #runAlone(mutant: Planted): Promise<Fate> {
    const tests = this.#testsOf(mutant);
    if (tests.length === 0) return { mutant, killedBy: undefined, tests: 0 };
    const { ended } = await this.#runTogether([mutant], true);
    return ended[0]!.fate;
  }

  /** As many of them as one process survives; `sound` when it still passed with none switched on. */
  async #runTogether(
    mutants: readonly Planted[],
    early = false,
  ): Promise<{ ended: { readonly fate: Fate; readonly late: boolean }[]; sound: boolean }> {
    const ended: { fate: Fate; late: boolean }[] = [];
    const jobs = mutants.map((mutant) => ({ id: mutant.id, tests: this.#testsOf(mutant) }));
    const control = early ? [] : [{ id: original, tests: this.#controls(jobs) }];
    let current = "loading";
    let sound = true;
    const end = await this.#do({ mutants: [...jobs, ...control], early }, (said) => {
      if (said.is === "test") current = said.test;
      if (said.is !== "killed" && said.is !== "survived") return;
      if (said.id === original) return void (sound = said.is === "survived");
      const [mutant, job] = [mutants[ended.length]!, jobs[ended.length]!];
      const killedBy = said.is === "killed" ? said.by : undefined;
      ended.push({ fate: { mutant, killedBy, tests: job.tests.length }, late: said.late && !early });
      if (this.#settings.verbose) console.log(`    ${mutant.line} ${mutant.what} — ${killedBy ?? "survived"}`);
    });
    const [mutant, job] = [mutants[ended.length], jobs[ended.length]];
    if (end !== "done" && mutant && job) {
      // That a process died by itself may be another mutant's doing: then this one is tried alone.
      ended.push({
        fate: { mutant, killedBy: `${end}: ${current}`, tests: job.tests.length },
        late: end === "died" && !early,
      });
    }
    return { ended, sound: sound && (end === "done" || mutant !== undefined) };
  }

  /** What the mutants ran most. */
  #controls(jobs: readonly { readonly tests: readonly string[] }[]): string[] {
    return [...new Set(jobs.flatMap(({ tests }) => tests))].sort((a, b) => this.#ms(a) - this.#ms(b)).slice(0, 40);
  }

  /** The tests that come by a mutant: quick ones of its own file, then fast ones first, as many as the budget allows. */
  #testsOf({ id, file }: Planted): string[] {
    const own = file.replace("src/", "test/").replace(".ts", "_test.ts") + ":";
    const ids = this.#early.has(id) ? this.#planted.filter((one) => one.file === file).map((one) => one.id) : [id];
    const first = (name: string, ms: number) => name.startsWith(own) && ms < quickMs ? 0 : ms;
    // A test of constants comes by nothing: they were there before it began.
    const covers = (name: string, seen: ReadonlySet<number>) =>
      ids.some((one) => seen.has(one)) || (this.#early.has(id) && name.startsWith(own));
    const covering = [...this.#tests].filter(([name, { seen }]) => covers(name, seen))
      .sort(([a, { ms }], [b, { ms: other }]) => first(a, ms) - first(b, other) || ms - other);
    let spent = 0;
    return covering.filter(([name, { ms }]) => (spent += ms) <= 1000 * this.#settings.budget || name.startsWith(own))
      .map(([name]) => name);
  }

  #ms(test: string): number {
    return this.#tests.get(test)?.ms ?? 0;
  }
  #do(job: Pick<Job, "mutants" | "early">, hear: (said: Said) => void): Promise<End> {
    const { tests, seeds } = this.#settings;
    const wanted = new Set(job.mutants?.flatMap((mutant) => mutant.tests.map((test) => test.split(":")[0]!)) ?? tests);
    const sources = [...new Set(this.#planted.map(({ file }) => file))];
    // Without a mutant nothing is known yet of how long a test takes.
    const expected = (test: string) => job.mutants ? this.#ms(test) : 60_000;
    const files = tests.filter((file) => wanted.has(file));
    return runJob(this.#copy, { sources, files, seeds, ...job }, expected, hear);
  }
}
