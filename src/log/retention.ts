/** Which segments may go: by position first, by age or size second, one a time. Pure. */
import type { Position } from "./mod.ts";
import type { SegmentFact } from "./recover.ts";

export interface RetentionLimits {
  /** Everything before it is done with, durably, at every destination that the log waits for. */
  readonly passed: Position;
  /** Wall time, ms. A clock that jumps can only free what was delivered anyway. */
  readonly now: number;
  readonly retainMs: number;
  readonly retainBytes: number;
}

/** The position before which the oldest segment may be given back; undefined while it has to stay. */
export function freeBefore(segments: readonly SegmentFact[], limits: RetentionLimits): Position | undefined {
  const next = segments[1];
  if (next === undefined || next.base > limits.passed) return undefined;
  const bytes = segments.reduce((sum, segment) => sum + segment.bytes, 0);
  const old = limits.now - next.created > limits.retainMs;
  return old || bytes > limits.retainBytes ? next.base : undefined;
}
