/** The result as a person reads it: on the terminal, and in docs/mutation.md. */
import type { Fate } from "./examination.ts";

export interface FileResult {
  readonly file: string;
  readonly mutants: number;
  readonly killed: number;
  readonly survivors: readonly Fate[];
  /** Survivors that nothing can tell from the original. */
  readonly equivalent: number;
  /** Entries of equivalent.md that are not true any more. */
  readonly stale: readonly string[];
  /** Killed of those that are not equivalent. */
  readonly score: number;
}

export function print(result: FileResult): void {
  const { file, mutants, killed, survivors, equivalent, stale } = result;
  console.log(
    `${file}: ${mutants} mutants, ${killed} killed, ${survivors.length} survived, ${equivalent} equivalent, ` +
      percent(result),
  );
  for (const fate of survivors) console.log(`  ${survivor(fate)}`);
  for (const entry of stale) console.log(`  not equivalent: ${entry}`);
}

function percent({ score }: FileResult): string {
  return `${(Math.floor(1000 * score) / 10).toFixed(1)} %`;
}

function survivor({ mutant, tests }: Fate): string {
  return `${mutant.line} ${mutant.what}${tests === 0 ? " (no test comes by)" : ""}`;
}

const documentUrl = new URL("../../docs/mutation.md", import.meta.url);
/** Each as its file, a space and what it is. */
export function survivorsListed(): Set<string> {
  const sections = Deno.readTextFileSync(documentUrl).split("\n### ").slice(1);
  return new Set(sections.flatMap((section) => {
    const file = section.split("\n")[0]!;
    return [...section.matchAll(/^- line \d+: `` (.*) ``/gm)].map(([, what]) => `${file} ${what}`);
  }));
}

const rowStart = "| `src/";

/** Rows and survivors of other files stay. `how`: the options that bear on the result. */
export function writeDocument(result: FileResult, how: string): void {
  let before = "";
  try {
    before = Deno.readTextFileSync(documentUrl);
  } catch {
    // the first time
  }
  const rows = new Map(before.split("\n").filter((line) => line.startsWith(rowStart)).map((row) => [fileOf(row), row]));
  const sections = new Map(before.split("\n### ").slice(1).map((part) => [part.split("\n")[0]!, part.trimEnd()]));
  rows.set(result.file, row(result, how));
  sections.delete(result.file);
  if (result.survivors.length > 0) sections.set(result.file, section(result));
  const sorted = <T>(map: Map<string, T>) => [...map].sort(([a], [b]) => a < b ? -1 : 1).map(([, value]) => value);
  Deno.writeTextFileSync(documentUrl, document(sorted(rows), sorted(sections)));
}

function fileOf(row: string): string {
  return row.split("`")[1]!;
}

function row(result: FileResult, how: string): string {
  const { file, mutants, killed, survivors, equivalent } = result;
  const date = new Date().toISOString().slice(0, 10);
  const cells = [mutants, killed, survivors.length, equivalent, percent(result), date, how === "" ? "" : `\`${how}\``];
  return `| \`${file}\` | ${cells.join(" | ")} |`;
}

function section({ file, survivors }: FileResult): string {
  return `${file}\n\n${survivors.map((fate) => `- line ${survivorInDocument(fate)}`).join("\n")}`;
}

function survivorInDocument({ mutant, tests }: Fate): string {
  return `${mutant.line}: \`\` ${mutant.what} \`\`${tests === 0 ? " (no test comes by)" : ""}`;
}

function document(rows: readonly string[], sections: readonly string[]): string {
  const sums = [1, 2, 3, 4].map((column) =>
    rows.reduce((sum, one) => sum + Number(one.split("|").slice(1)[column]), 0)
  );
  const [mutants, killed, survived, equivalent] = sums as [number, number, number, number];
  const score = Math.floor(1000 * killed / (killed + survived)) / 10;
  return `# What the tests of the log would notice

\`deno task mutate --write\` makes small mistakes in \`src/log\`, one at a time, in a copy of the project, and runs the tests that come
by each, fast ones first: a comparison that is off by one, a sum that is a difference, a constant one more or less, a statement, an
\`await\` or a \`throw\` that is missing, a condition the other way round, a bound of a slice left out. A mutant is killed when a test
fails, when it never ends (ten times what the test takes, and two seconds), or when it takes more than 1.5 GB. The score is the
killed ones of those that are not equivalent; wanted are 90 % for each file. \`test/mutation/equivalent.md\` lists those that no test
can tell from the original, with the reason.

The options say how much was tried: \`--budget\` is how many seconds of tests each mutant gets beside those of its own file (20 unless
given), \`--quick\` leaves out simulation, power cuts at every call, failing every call, and flipping every bit. So a survivor of a
quick run may yet be caught by those.

| file | mutants | killed | survived | equivalent | score | run on | options |
|---|---:|---:|---:|---:|---:|---|---|
${rows.join("\n")}
| all | ${mutants} | ${killed} | ${survived} | ${equivalent} | ${score.toFixed(1)} % | | |

## Survivors

${sections.map((one) => `### ${one}`).join("\n\n")}
`;
}
