/** The known name that somebody who slipped on a key most likely meant. */

/** Nothing when no name is near: more than a third of the letters would have to change. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let least = Math.max(1, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    const steps = distance(name.toLowerCase(), candidate.toLowerCase());
    if (steps < least) [best, least] = [candidate, steps];
  }
  return best;
}

/** The end of an error text: what was meant, or else what there is. */
export function suggestion(name: string, known: readonly string[]): string {
  const meant = nearest(name, known);
  if (meant !== undefined) return `did you mean "${meant}"?`;
  return `known are ${known.map((word) => `"${word}"`).join(", ")}`;
}

/** Letters changed, added, left out or swapped with their neighbour, to get from one word to the other. */
function distance(from: string, to: string): number {
  let earlier: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (let i = 1; i <= from.length; i++) {
    const row = [i];
    for (let j = 1; j <= to.length; j++) {
      const same = from[i - 1] === to[j - 1];
      row[j] = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1));
      const swapped = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
      if (swapped) row[j] = Math.min(row[j]!, earlier[j - 2]! + 1);
    }
    [earlier, last] = [last, row];
  }
  return last[to.length]!;
}
