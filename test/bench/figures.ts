/** What many measurements come to. */

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export function spreadOf(values: readonly number[], digits = 3): Spread {
  return {
    median: rounded(median(values), digits),
    min: rounded(Math.min(...values), digits),
    max: rounded(Math.max(...values), digits),
  };
}

/** With so many digits that mean something; whole numbers keep all of theirs. */
export function rounded(value: number, digits = 3): number {
  return Math.abs(value) >= 10 ** digits ? Math.round(value) : Number(value.toPrecision(digits));
}

/** For people: 41 012. */
export function shown(value: number, digits = 3): string {
  return String(rounded(value, digits)).replace(/\B(?=(\d{3})+$)/g, " ");
}

/** For people: 41 012 [39 500–42 300]. */
export function shownSpread({ median, min, max }: Spread): string {
  return min === max ? shown(median) : `${shown(median)} [${shown(min)}–${shown(max)}]`;
}
