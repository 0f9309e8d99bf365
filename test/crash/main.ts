/**
 * `deno task faults`: does every kind of fault to the executable, many times, and prints what came of it. How far it is goes to
 * stderr. Exit code 1 when a promise was broken, 2 when the arguments are wrong.
 */
import { parseArgs } from "node:util";
import { lookAtMachine, type Machine } from "../bench/machine.ts";
import { runCommand } from "../e2e/node.ts";
import type { Row } from "./row.ts";
import { rows } from "./rows.ts";
import { isSound, markdown, type Result } from "./table.ts";

const help = `deno task faults [options]      a table of faults and of what they cost; docs/faults.md says what they are

  --row N        only this row; may be given several times
  --minutes N    ends after so long; every row has its share of it
  --nightly      many more runs
  --seed S       what is left to chance follows from it
  --json         a line of JSON for each row, not the table
`;

interface Options {
  readonly rows: readonly Row[];
  readonly ms: number;
  readonly nightly: boolean;
  readonly seed: number;
  readonly json: boolean;
}

async function main(): Promise<number> {
  let options: Options;
  try {
    if (Deno.args.includes("--help")) {
      console.log(help);
      return 0;
    }
    options = parse(Deno.args);
  } catch (problem) {
    console.error(`${(problem as Error).message}\n\n${help}`);
    return 2;
  }
  return await runAll(options);
}

function parse(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      row: { type: "string", multiple: true, default: [] },
      minutes: { type: "string" },
      nightly: { type: "boolean", default: false },
      seed: { type: "string" },
      json: { type: "boolean", default: false },
    },
  });
  return {
    rows: chosen(values.row.map((word) => whole("--row", word))),
    ms: values.minutes === undefined ? Infinity : whole("--minutes", values.minutes) * 60_000,
    nightly: values.nightly,
    seed: values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : whole("--seed", values.seed),
    json: values.json,
  };
}

function whole(flag: string, word: string): number {
  if (!/^\d{1,10}$/.test(word)) throw new Error(`${flag} must be a whole number`);
  return Number(word);
}

function chosen(numbers: readonly number[]): readonly Row[] {
  const unknown = numbers.find((number) => !rows.some((row) => row.number === number));
  if (unknown !== undefined) {
    throw new Error(`There is no row ${unknown}, only ${rows.map(({ number }) => number).join(", ")}`);
  }
  return numbers.length === 0 ? rows : rows.filter(({ number }) => numbers.includes(number));
}

/** Told to end: the run under way is finished, for it may have mounted something, and the table shows what there is. */
let toldToEnd = false;
for (const signal of Deno.build.os === "windows" ? [] : ["SIGINT", "SIGTERM"] as const) {
  Deno.addSignalListener(signal, () => toldToEnd = true);
}

async function runAll(options: Options): Promise<number> {
  const about = await circumstances();
  console.log(
    options.json ? JSON.stringify({ ...about, seed: options.seed }) : `${caption(about)}; seed ${options.seed}.`,
  );
  const end = performance.now() + options.ms;
  const results: Result[] = [];
  for (const [i, row] of options.rows.entries()) {
    if (toldToEnd) break;
    const share = (end - performance.now()) / (options.rows.length - i);
    const result = await runOne(row, options, share);
    results.push(result);
    if (options.json) console.log(JSON.stringify({ ...result, row: row.number, name: row.name }));
  }
  if (!options.json) console.log(`\n${markdown(results)}`);
  return results.every(isSound) ? 0 : 1;
}

async function runOne(row: Row, { nightly, seed }: Options, ms: number): Promise<Result> {
  const lacks = row.missing();
  if (lacks !== "") return { row, lacks };
  const runs = nightly ? row.runs.nightly : row.runs.full;
  const begin = performance.now();
  const goOn = (done: number) => {
    tell(row, `${done} of ${runs} runs, ${Math.round((performance.now() - begin) / 1000)} s`);
    return !toldToEnd && performance.now() - begin < ms;
  };
  try {
    tell(row, row.name);
    return { row, outcome: await row.run({ runs, seed, goOn }) };
  } catch (problem) {
    tell(row, problem instanceof Error ? problem.stack ?? problem.message : String(problem));
    return { row, broken: String(problem) };
  }
}

function tell({ number }: Row, text: string): void {
  console.error(`row ${number}: ${text}`);
}

type About = Machine & { readonly date: string; readonly version: string };

async function circumstances(): Promise<About> {
  const { stdout } = await runCommand(["--version"]);
  const dir = Deno.env.get("TMPDIR") ?? "/tmp";
  return { date: new Date().toISOString(), ...await lookAtMachine(dir), version: stdout.trim() };
}

function caption({ date, version, cpu, cores, kernel, fs }: About): string {
  return `${date.slice(0, 10)}; ${version}; ${cpu}, ${cores} cores, Linux ${kernel}, ${fs}`;
}

Deno.exit(await main());
