/** What a look at a log's files finds that is not as it should be. */
import type { Position } from "./mod.ts";

export interface Finding {
  /** "damage": what was accepted, or a file we go by, is not as it was. "note": worth knowing, and nothing is lost. */
  readonly severity: "damage" | "note";
  /** Below the data directory. */
  readonly file: string;
  /** Byte in the file. */
  readonly offset?: number;
  /** What it costs: `count` messages from `position`. */
  readonly position?: Position;
  readonly count: number;
  readonly text: string;
}
type Place = Pick<Finding, "offset" | "position"> & { readonly count?: number };

export class Findings {
  readonly all: Finding[] = [];
  readonly #prefix: string;

  /** `prefix` goes in front of every file's name. */
  constructor(prefix = "") {
    this.#prefix = prefix;
  }
  damage(file: string, text: string, place: Place = {}): void {
    this.#add("damage", file, text, place);
  }
  note(file: string, text: string, place: Place = {}): void {
    this.#add("note", file, text, place);
  }
  #add(severity: Finding["severity"], file: string, text: string, { count = 0, ...place }: Place): void {
    this.all.push({ severity, file: this.#prefix + file, ...place, count, text });
  }
}

/** How many positions any of the findings costs, each counted once. */
export function lostIn(findings: readonly Finding[]): number {
  const ranges = findings
    .filter(({ severity, position }) => severity === "damage" && position !== undefined)
    .map(({ position, count }) => ({ from: position!, to: position! + count }))
    .toSorted((a, b) => a.from - b.from);
  let lost = 0;
  let upTo = 0;
  for (const { from, to } of ranges) {
    lost += Math.max(0, to - Math.max(from, upTo));
    upTo = Math.max(upTo, to);
  }
  return lost;
}
