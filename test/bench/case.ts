/** The contract of a case: what it needs, and what comes of it. */
import type { Machine } from "./machine.ts";
import type { Options } from "./options.ts";
import type { Runtime } from "./server.ts";

/** Where a case works. */
export interface Bench {
  readonly options: Options;
  readonly machine: Machine;
  /** Its own, on a real disk; removed when the case is over. */
  readonly dir: string;
  /** On the same disk, for what later cases can use again; removed when the benchmarks end. */
  readonly kept: string;
  /** What the server runs on. */
  readonly runtime: Runtime;
  /** Tells somebody who watches how far it is. */
  note(text: string): void;
  /** Says in a line of its own that something to compare with is not here. */
  without(reference: string, reason: string): void;
}

/** What a case found. */
export interface Result {
  /** Follows the name of the case, where one case has several lines. */
  readonly part?: string;
  /** What goes into the line of JSON. */
  readonly figures: Readonly<Record<string, unknown>>;
  /** The same for people. */
  readonly row: Row;
}
export interface Row {
  readonly result: string;
  readonly latency?: string;
  readonly cpu?: string;
  readonly beside?: string;
}

/** A case, or a part of it, cannot be measured here: said in a line, never left out. */
export class Skipped extends Error {}

export interface Case {
  readonly name: string;
  readonly summary: string;
  /** "each" that was asked for, or the one that the case is about: the executable, or the process of the benchmarks itself. */
  readonly runtimes: "each" | "executable" | "here";
  /** Runs only when it is named. */
  readonly onRequest?: boolean;
  /** Whether NAME/PART asks for one of its parts. */
  readonly hasParts?: boolean;
  /** Throws `Skipped` when something it cannot do without is missing. */
  run(bench: Bench): Promise<readonly Result[]>;
}
