/** Mutants that no test can tell from the original, each with the reason, as `equivalent.md` lists them. */
import type { Fate } from "./examination.ts";
import type { FileResult } from "./report.ts";

const listed = new URL("equivalent.md", import.meta.url);

/** `- ``place: changed line``: reason`, under a heading with the file's path. */
const entry = /^- ``(.+?)``: (.+)$/;

export interface Equivalents {
  /** Counts; with `all` of the file's mutants there, entries that fit none of them or one that was killed are told. */
  judge(file: string, fates: readonly Fate[], all: boolean): FileResult;
}

export function readEquivalents(text = Deno.readTextFileSync(listed)): Equivalents {
  const files = new Map<string, Map<string, string>>();
  let entries = new Map<string, string>();
  for (const line of text.split("\n")) {
    if (line.startsWith("## ")) files.set(line.slice(3), entries = new Map());
    const match = entry.exec(line);
    if (match) entries.set(match[1]!, match[2]!);
  }
  return { judge: (file, fates, all) => judge(file, fates, files.get(file) ?? new Map(), all) };
}

function judge(file: string, fates: readonly Fate[], reasons: ReadonlyMap<string, string>, all: boolean): FileResult {
  const isListed = ({ mutant }: Fate) => reasons.has(mutant.what);
  const killed = fates.filter((fate) => fate.killedBy !== undefined).length;
  const survivors = fates.filter((fate) => fate.killedBy === undefined && !isListed(fate));
  const equivalent = fates.filter((fate) => fate.killedBy === undefined && isListed(fate)).length;
  const known = new Set(fates.map(({ mutant }) => mutant.what));
  const stale = [
    ...fates.filter((fate) => fate.killedBy !== undefined && isListed(fate)).map(({ mutant, killedBy }) =>
      `${mutant.what} (killed by ${killedBy})`
    ),
    ...(all ? [...reasons.keys()].filter((what) => !known.has(what)).map((what) => `${what} (there is none)`) : []),
  ];
  const score = killed + survivors.length === 0 ? 1 : killed / (killed + survivors.length);
  return { file, mutants: fates.length, killed, survivors, equivalent, stale, score };
}
