/** The eight ways in which a destination can be done with a message. */
export const verdicts = [
  "taken",
  "filtered",
  "sampled",
  "dead",
  "skipped",
  "expired",
  "overwritten",
  "damaged",
] as const;
export type Verdict = (typeof verdicts)[number];
export type Counts = Readonly<Record<Verdict, number>>;
