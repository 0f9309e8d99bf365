/** Figures of today beside those of another day: ratios, and how much either wavers by itself. */
import { rounded, type Spread } from "./figures.ts";

/** A line of JSON as the benchmarks print it. */
export interface Line {
  readonly case: string;
  readonly runtime: string;
  readonly [figure: string]: unknown;
}

/** What else stands between the lines (a table for people) is passed over. Throws when there is no line at all. */
export function parseLines(text: string): Line[] {
  const lines = text.split("\n").filter((line) => line.startsWith("{")).map((line) => JSON.parse(line) as Line);
  if (lines.length === 0) throw new Error("there is no line of JSON in it");
  return lines;
}

const heads = ["case", "figure", "before", "now", "ratio", "wavers before, now"];

/** A table for people. A ratio that lies within what either wavers says nothing, and is marked so. */
export function comparison(before: readonly Line[], now: readonly Line[]): string {
  const rows: string[][] = [];
  for (const line of now) {
    const old = before.findLast((other) => nameOf(other) === nameOf(line));
    if (old !== undefined) rows.push(...compared(nameOf(line), old, line));
  }
  if (rows.length === 0) return "Nothing here was measured before.";
  return [heads, heads.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** Versions of the runtime may differ: that is what one wants to see. */
function nameOf({ case: name, runtime }: Line): string {
  return `${name} ${runtime.split(" ").at(-1)}`;
}

function compared(name: string, before: Line, now: Line): string[][] {
  const [old, found] = [figuresIn(before), figuresIn(now)];
  return [...found].filter(([figure]) => old.has(figure)).map(([figure, value]) =>
    rowOf(name, figure, old.get(figure)!, value)
  );
}

/** Those with a spread, the CPU's, and the ratios to each reference. */
function figuresIn(line: Line): Map<string, Spread> {
  const found = new Map<string, Spread>();
  for (const [name, value] of Object.entries(line)) {
    if (isSpread(value)) found.set(name, value);
    if (name === "cpu_s_per_million" && typeof value === "number") found.set(name, single(value));
  }
  for (const { name, ratio, ratios } of (line.references ?? []) as readonly Reference[]) {
    if (ratio !== undefined) found.set(`to ${name}`, { median: ratio, ...endsOf(ratios ?? [ratio]) });
  }
  return found;
}

interface Reference {
  readonly name: string;
  readonly ratio?: number;
  readonly ratios?: readonly number[];
}

function isSpread(value: unknown): value is Spread {
  return typeof value === "object" && value !== null && "median" in value && "min" in value && "max" in value;
}

function single(value: number): Spread {
  return { median: value, min: value, max: value };
}

function endsOf(values: readonly number[]): { min: number; max: number } {
  return { min: Math.min(...values), max: Math.max(...values) };
}

function rowOf(name: string, figure: string, before: Spread, now: Spread): string[] {
  const ratio = rounded(now.median / before.median);
  const overlap = now.min <= before.max && before.min <= now.max && before.min !== before.max;
  const shown = overlap ? `${ratio} (within the spread)` : `${ratio}`;
  return [name, figure, `${before.median}`, `${now.median}`, shown, `${wavers(before)}, ${wavers(now)}`];
}

/** From the least to the most, in hundredths of the median. */
function wavers({ median, min, max }: Spread): string {
  return min === max ? "–" : `${rounded((max - min) / median * 100, 2)} %`;
}
