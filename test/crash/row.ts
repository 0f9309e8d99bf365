/** One kind of fault, done to the real executable many times: what is done, how often, and what came of it. */
import type { Findings } from "./oracle.ts";

export interface Row {
  /** In the catalogue; `docs/faults.md` lists all. */
  readonly number: number;
  /** As it stands in the table and in the test's name, e.g. "kill -9 under load". */
  readonly name: string;
  /** The promises it examines, e.g. "P1 P2 P3". */
  readonly promises: string;
  /** How many runs: in CI, in `deno task faults`, in its nightly form. */
  readonly runs: { readonly ci: number; readonly full: number; readonly nightly: number };
  /** What this machine lacks for it, e.g. "needs root", or "". */
  missing(): string;
  /** Throws `AssertionError` at the first broken promise other than those that the outcome counts. */
  run(order: Order): Promise<Outcome>;
}

export interface Order {
  readonly runs: number;
  /** Everything that is left to chance follows from it. */
  readonly seed: number;
  /** To be asked after each run: `false` ends the row early, with what there is. */
  readonly goOn: (done: number) => boolean;
}

export interface Outcome {
  /** Done: fewer than ordered if told to end. */
  readonly runs: number;
  /** Messages answered with 2xx. */
  readonly accepted: number;
  /** Against what was sent; of several destinations, the sum. */
  readonly findings: Findings;
  /** From the start of the process to its first 204 after a fault, the longest, in ms; 0 where nothing was started. */
  readonly worstRecoveryMs: number;
  /** What else the table should say, e.g. "RSS at most 131 MiB". */
  readonly remark?: string;
}
