/** What came of all rows, as a table for `docs/faults.md`. Pure. */
import type { Findings } from "./oracle.ts";
import type { Outcome, Row } from "./row.ts";

/** One of the three: what came of it, why it was not run, or the first promise that it broke. */
export interface Result {
  readonly row: Row;
  readonly outcome?: Outcome;
  readonly lacks?: string;
  readonly broken?: string;
}

const heads = [
  "row",
  "fault",
  "promises",
  "runs",
  "accepted",
  "lost",
  "altered",
  "invented",
  "reordered",
  "copies",
  "worst recovery",
  "remark",
];

/** What may never happen: requests of which only a part is there count as altered. */
export function brokenCounts({ lost, altered, torn, unexpected, inverted }: Findings): readonly number[] {
  return [lost, altered + torn, unexpected, inverted];
}

/** Also when it could not be run here: nothing was broken. */
export function isSound({ outcome, broken }: Result): boolean {
  return broken === undefined &&
    (outcome === undefined || brokenCounts(outcome.findings).every((count) => count === 0));
}

export function markdown(results: readonly Result[]): string {
  return [heads, heads.map(() => "---"), ...results.map(cells)].map((line) => `| ${line.join(" | ")} |`).join("\n");
}

function cells({ row, outcome, lacks, broken }: Result): string[] {
  const about = [String(row.number), row.name, row.promises];
  if (!outcome) {
    return [...about, ...Array(8).fill(""), lacks !== undefined ? `not run: ${lacks}` : `broken: ${broken}`];
  }
  const { runs, accepted, findings, worstRecoveryMs, remark = "" } = outcome;
  const recovery = worstRecoveryMs === 0 ? "" : `${(worstRecoveryMs / 1000).toFixed(1)} s`;
  const counts = [runs, accepted, ...brokenCounts(findings), findings.copies];
  return [...about, ...counts.map(grouped), recovery, remark];
}

/** 1234567 → "1 234 567". */
function grouped(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, " ");
}
