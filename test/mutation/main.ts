/**
 * `deno task mutate`: how many small mistakes in `src/log` the tests would notice. Every mistake ("mutant") is put behind a
 * switch in a copy of the project; then each is switched on in turn, and the tests that come by it are run, fast ones
 * first.
 *
 *     --file src/log/commit.ts   only this file; may be given more often
 *     --sample N --seed S        N mutants by chance instead of all
 *     --survivors                only those that docs/mutation.md lists, to try them with more tests
 *     --budget S                 seconds of tests a mutant, as they take without it (20); the file's own are run in any case
 *     --quick                    without the tests that take long and without simulation
 *     --jobs N                   so many processes at a time (1)
 *     --alone                    each mutant in a process of its own, slowly: to see that none disturbs another
 *     --verbose                  tells of each mutant what became of it
 *     --write                    puts the result into docs/mutation.md, where the rows of other files stay
 *
 * Exit code 1 when a file's score is below 90 %, or an entry of equivalent.md fits no survivor any more.
 */
import { copyProject } from "./copy.ts";
import { readEquivalents } from "./equivalents.ts";
import { Examination } from "./examination.ts";
import { type FileResult, print, survivorsListed, writeDocument } from "./report.ts";
import { chance } from "../sim/chance.ts";
import type { Planted } from "./plant.ts";

const scoreWanted = 0.9;
/** Tests that take whole seconds, each: not for `--quick`. */
const slowTests = ["block", "damage", "flip", "flip_small_files", "nth_call", "power_cut"];
const seeds = 20;

const options = parse(Deno.args);
const equivalents = readEquivalents();
const files = options.files.length > 0 ? options.files : filesIn("src/log", /^(?!mod\.ts).*\.ts$/);
const copy = await copyProject();
try {
  Deno.exitCode = await examine() ? 0 : 1;
} finally {
  await Deno.remove(copy, { recursive: true });
}

async function examine(): Promise<boolean> {
  const planted = await plant();
  const tests = filesIn("test/log", /_test\.ts$/)
    .filter((path) => !options.quick || !slowTests.some((name) => path === `test/log/${name}_test.ts`));
  const examination = new Examination(copy, planted, { tests, seeds: options.quick ? 0 : seeds, ...options });
  await examination.look();
  const results: FileResult[] = [];
  const listed = survivorsListed();
  const chosen = sampled(
    options.survivors ? planted.filter(({ file, what }) => listed.has(`${file} ${what}`)) : planted,
  );
  for (const file of files) {
    const mutants = chosen.filter((mutant) => mutant.file === file);
    const fates = await examination.run(mutants);
    const result = equivalents.judge(file, fates, mutants.length === planted.filter((one) => one.file === file).length);
    print(result);
    results.push(result);
    if (options.write) writeDocument(result, options.how);
  }
  return results.every(({ score, stale }) => score >= scoreWanted && stale.length === 0);
}

async function plant(): Promise<Planted[]> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "test",
      "-A",
      "--no-check",
      "--node-modules-dir=manual",
      `${copy}/test/mutation/plant.ts`,
      "--",
      copy,
      ...files,
    ],
    cwd: copy,
  }).output();
  if (code !== 0) throw new Error(new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr));
  return JSON.parse(await Deno.readTextFile(`${copy}/mutants.json`));
}

function sampled(planted: readonly Planted[]): readonly Planted[] {
  if (options.sample === undefined) return planted;
  const random = chance(options.seed);
  const drawn = planted.map((mutant) => ({ mutant, at: random() })).sort((a, b) => a.at - b.at);
  return drawn.slice(0, options.sample).map(({ mutant }) => mutant).sort((a, b) => a.id - b.id);
}

function filesIn(dir: string, name: RegExp): string[] {
  const root = new URL("../../", import.meta.url).pathname;
  return [...Deno.readDirSync(root + dir)].map((entry) => entry.name).filter((one) => name.test(one)).sort()
    .map((one) => `${dir}/${one}`);
}

interface Options {
  readonly files: readonly string[];
  readonly sample?: number;
  readonly seed: number;
  readonly survivors: boolean;
  readonly budget: number;
  readonly quick: boolean;
  readonly jobs: number;
  /** What bears on the result, as it was written. */
  readonly how: string;
  readonly alone: boolean;
  readonly verbose: boolean;
  readonly write: boolean;
}

function parse(args: readonly string[]): Options {
  const values = (name: string) => args.flatMap((arg, i) => arg === name ? [args[i + 1]!] : []);
  const number = (name: string) => values(name).map(Number)[0];
  return {
    files: values("--file"),
    sample: number("--sample"),
    seed: number("--seed") ?? 1,
    survivors: args.includes("--survivors"),
    budget: number("--budget") ?? 20,
    quick: args.includes("--quick"),
    jobs: number("--jobs") ?? 1,
    how: args.filter((arg, i) => !/^--(file|write|verbose)$/.test(arg) && args[i - 1] !== "--file").join(" "),
    alone: args.includes("--alone"),
    verbose: args.includes("--verbose"),
    write: args.includes("--write"),
  };
}
