/** How well a median is known. */
import { median, rounded } from "./figures.ts";

/** Half as wide as the middle 95 % of a normal distribution, in its standard deviations. */
const z = 1.96;
/** Standard deviations of a median, in those of a mean. */
const medianToMean = Math.sqrt(Math.PI / 2);
/** Of a normal distribution: its standard deviation, in its median distance from the middle. */
const deviationToSpread = 1.4826;

/** Between which of the values the median of all that might be lies, with 95 %; whatever the distribution is. */
export function boundsOf(values: readonly number[]): { readonly low: number; readonly high: number } {
  const sorted = values.toSorted((a, b) => a - b);
  const away = z * Math.sqrt(sorted.length) / 2;
  const low = Math.max(0, Math.floor(sorted.length / 2 - away));
  return { low: rounded(sorted[low]!), high: rounded(sorted[sorted.length - 1 - low]!) };
}

/** How many values like these make a median that is known to within half of `change`, so that such a change shows. */
export function roundsFor(values: readonly number[], change: number): number {
  const middle = median(values);
  const deviation = deviationToSpread * median(values.map((value) => Math.abs(value - middle)));
  return Math.max(1, Math.ceil((z * medianToMean * deviation / (change / 2)) ** 2));
}
