/** What stands in the files of a log, one thing after the other, damage included: for eyes and for scripts. */
import { readRecords, type RecordFound } from "./format.ts";
import type { Position } from "./mod.ts";
import type { Commit, Segment } from "./segment.ts";
import { openSeen, type SegmentSeen, type Survey } from "./survey.ts";
import { type Step, walk } from "./walk.ts";

export interface Range {
  readonly from: Position;
  /** Not included. */
  readonly to: Position;
}
export type Found =
  | { readonly kind: "segment"; readonly segment: SegmentSeen }
  | { readonly kind: "commit"; readonly commit: Commit }
  | FoundEntry
  /** Bytes that are no commit: damaged, or begun and never finished. What can be read of damaged ones follows. */
  | { readonly kind: "damage" | "torn"; readonly segment: SegmentSeen; readonly from: number; readonly to: number };
export interface FoundEntry {
  readonly kind: "entry";
  readonly position: Position;
  readonly count: number;
  readonly epoch: number;
  /** Undefined when it cannot be read. */
  readonly bytes: Uint8Array | undefined;
}

/** All that has to do with positions of the range, in the order of the log. */
export function* dump(seen: Survey, range: Range): Generator<Found> {
  for (const [i, one] of seen.segments.entries()) {
    const after = seen.segments[i + 1]?.base ?? Infinity;
    if (after <= range.from || one.base >= range.to) continue;
    const segment = openSeen(seen, one.name);
    if (segment === undefined) continue;
    try {
      yield { kind: "segment", segment: one };
      for (const step of walk(segment, one.bounds)) yield* found(step, { segment, seen: one, range });
    } finally {
      segment.close();
    }
  }
}

function* found(
  step: Step,
  { segment, seen, range }: { segment: Segment; seen: SegmentSeen; range: Range },
): Generator<Found> {
  if (step.kind === "torn") return yield { ...step, segment: seen };
  const { first, count } = step.kind === "commit" ? step.commit.header : step.stretch;
  const before = count === 0 ? first < range.from : first + count <= range.from;
  if (before || first >= range.to) return;
  if (step.kind === "damage") {
    yield { kind: "damage", segment: seen, from: step.from, to: step.to };
    return yield* entries(segment.salvage(step.from, step.to, step.stretch), step.epoch, range);
  }
  const { header, payload } = step.commit;
  yield { kind: "commit", commit: step.commit };
  yield* entries(readRecords(payload, header), header.epoch, range);
}

function* entries(records: readonly RecordFound[], epoch: number, { from, to }: Range): Generator<FoundEntry> {
  for (const record of records) {
    const { position, count } = record;
    if (position + count > from && position < to) yield { kind: "entry", ...record, epoch };
  }
}
