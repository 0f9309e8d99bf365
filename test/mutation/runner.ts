/**
 * Runs tests in one process: once without a mutant to see which mutants each of them comes by, or mutant after mutant, each
 * with its tests until one fails. Works in the copy that `plant.ts` made; tells `main.ts` line by line how it goes.
 */
import fc from "fast-check";
import { activate, comeBy } from "./active.ts";

/** What to do, as JSON in the file that is the only argument. */
export interface Job {
  /** Files with mutants, and files with tests, as paths in the project. */
  readonly sources: readonly string[];
  readonly files: readonly string[];
  /** Simulation seeds to be run like tests. */
  readonly seeds: number;
  /** With the names of their tests, in order; to look only, if absent. */
  readonly mutants?: readonly { readonly id: number; readonly tests: readonly string[] }[];
  /** The one mutant is on already while the files are loaded. */
  readonly early?: boolean;
}

/** What is told, one a line. */
export type Said =
  | { readonly is: "loaded"; readonly seen: readonly number[] }
  | { readonly is: "test"; readonly test: string; readonly id: number }
  | { readonly is: "passed"; readonly test: string; readonly ms: number; readonly seen: readonly number[] }
  | { readonly is: "failed"; readonly test: string; readonly why: string }
  | { readonly is: "survived" | "killed"; readonly id: number; readonly by: string; readonly late: boolean };

type Test = () => void | Promise<void>;

const out = new TextEncoder();
const tests = new Map<string, Test>();
/** Rejects with what nobody caught while a test runs. */
let trouble: (problem: unknown) => void = () => {};

if (import.meta.main) {
  await main(JSON.parse(Deno.readTextFileSync(Deno.args[0]!))).catch((problem) => {
    tell({ is: "failed", test: "loading", why: String(problem) });
    Deno.exit(1);
  });
}

async function main(job: Job): Promise<void> {
  fc.configureGlobal({ seed: 20 });
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    trouble(event.reason);
  });
  if (job.early) activate(job.mutants![0]!.id);
  if (!job.mutants) comeBy();
  for (const source of job.sources) await import(new URL(`../../${source}`, import.meta.url).href);
  if (!job.mutants) tell({ is: "loaded", seen: [...comeBy()] });
  await load(job);
  if (job.mutants) { for (const { id, tests } of job.mutants) await tryMutant(id, tests); }
  else await look();
  Deno.exit(0);
}

async function load(job: Job): Promise<void> {
  for (const file of job.files) {
    const collect = (name: string, test: Test) => void tests.set(`${file}: ${name}`, test);
    Object.assign(Deno, { test: collect });
    await import(new URL(`../../${file}`, import.meta.url).href);
  }
  if (job.seeds > 0) await loadSeeds(job.seeds);
}

/** A few seeds a test: the first of them show most. */
async function loadSeeds(count: number): Promise<void> {
  const { runSeed } = await import("../sim/seed.ts");
  for (let from = 0; from < count; from += 5) {
    tests.set(`test/sim: seeds from ${from}`, async () => {
      for (let seed = from; seed < Math.min(count, from + 5); seed++) {
        const { violations } = await runSeed(seed);
        if (violations.length > 0) throw new Error(violations.join("; "));
      }
    });
  }
}

async function look(): Promise<void> {
  comeBy(); // what files with tests did to get ready
  for (const test of tests.keys()) {
    tell({ is: "test", test, id: -1 });
    const begin = performance.now();
    const failure = await failureOf(test);
    if (failure) tell({ is: "failed", test, why: String(failure.problem) });
    else tell({ is: "passed", test, ms: performance.now() - begin, seen: [...comeBy()] });
  }
}

async function tryMutant(id: number, names: readonly string[]): Promise<void> {
  activate(id);
  for (const test of names) {
    tell({ is: "test", test, id });
    const failure = await failureOf(test);
    if (failure) return tell({ is: "killed", id, by: test, late: failure.late });
  }
  tell({ is: "survived", id, by: "", late: false });
}

/** Undefined when it passes; `late` when only a promise that nobody waits for told. */
async function failureOf(name: string): Promise<{ problem: unknown; late: boolean } | undefined> {
  let late = false;
  const troubled = new Promise<never>((_, reject) =>
    trouble = (problem) => {
      late = true;
      reject(problem);
    }
  );
  try {
    await Promise.race([run(name), troubled]);
    return undefined;
  } catch (problem) {
    return { problem, late };
  }
}

async function run(name: string): Promise<void> {
  await tests.get(name)!();
  // What was rejected behind the test's back is told in this turn of the loop.
  await new Promise((resolve) => setTimeout(resolve, 0));
}

function tell(said: Said): void {
  Deno.stdout.writeSync(out.encode(`@${JSON.stringify(said)}\n`));
}
