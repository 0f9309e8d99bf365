/** A segment from its first commit to its end, for who looks at a log from outside: damage told apart from a torn tail. */
import { type CommitHeader, commitHeaderBytes, decodeCommitHeader, firstCommitAt, type Stretch } from "./format.ts";
import type { Position } from "./mod.ts";
import type { Commit, Segment } from "./segment.ts";

/** Where a segment's commits end. */
export interface Bounds {
  /** No byte from here on is looked at. */
  readonly limit: number;
  /** Every commit before this byte was synced: a successor's header or the durable mark says so. */
  readonly synced: number;
  /** The position there; undefined when nothing tells. */
  readonly end: Position | undefined;
}
export type Step =
  | { readonly kind: "commit"; readonly commit: Commit }
  /** Commits that were synced stood here and are not right any more; what they held may partly be (`Segment.salvage`). */
  | {
    readonly kind: "damage";
    readonly from: number;
    readonly to: number;
    readonly stretch: Stretch;
    readonly epoch: number;
  }
  /** A commit that was begun and never synced, or so it seems: nothing right stands behind it. */
  | { readonly kind: "torn"; readonly from: number; readonly to: number };

export function* walk(segment: Segment, bounds: Bounds): Generator<Step> {
  const size = segment.size();
  const end = Math.min(bounds.limit, size);
  let next = segment.base;
  for (let at = firstCommitAt; at < bounds.limit;) {
    const commit = segment.commitAt(at, end);
    if (commit?.whole && commit.header.first === next) {
      yield { kind: "commit", commit };
      at = commit.next;
      next = next + commit.header.count as Position;
      continue;
    }
    const damage = damageAt(segment, { at, next, end }, bounds);
    if (damage === undefined) {
      if (segment.hasHeaderAt(at)) yield { kind: "torn", from: at, to: size };
      return;
    }
    yield damage;
    at = Math.max(at, damage.to);
    next = damage.stretch.first + damage.stretch.count as Position;
  }
}

interface Place {
  readonly at: number;
  readonly next: Position;
  readonly end: number;
}

/** A commit that was begun later proves that the one before it was synced, for it is not written sooner. */
function damageAt(segment: Segment, { at, next, end }: Place, bounds: Bounds): Step & { kind: "damage" } | undefined {
  const here = segment.headerAt(at);
  const after = at + commitHeaderBytes + (here?.length ?? 0);
  const epoch = here?.epoch ?? segment.header?.epoch ?? 0;
  const later = here && here.first > next ? { offset: at, header: here } : segment.headerAfter(at, end, next);
  const proven = after <= bounds.synced || (later !== undefined && later.offset >= after);
  if (here?.first === next && proven) return { kind: "damage", from: at, to: after, stretch: here, epoch };
  if (later) {
    const stretch = { first: next, count: later.header.first - next };
    return { kind: "damage", from: at, to: later.offset, stretch, epoch: later.header.epoch };
  }
  if (at >= bounds.synced) return undefined;
  const stretch = { first: next, count: Math.max(0, (bounds.end ?? next) - next) };
  return { kind: "damage", from: at, to: bounds.synced, stretch, epoch };
}

/** A commit as far as its header tells. */
export interface CommitFound {
  readonly header: CommitHeader;
  readonly offset: number;
}

/**
 * The headers of a segment's commits before `limit`, without a look at what they hold: for times and totals. What is damaged is
 * passed over.
 */
export function* headers(segment: Segment, limit: number): Generator<CommitFound> {
  let next = segment.base;
  const end = Math.min(limit, segment.size());
  for (let at = firstCommitAt; at < end;) {
    const header = decodeCommitHeader(segment.view(at, commitHeaderBytes), 0, segment.salt, at);
    const fits = header !== undefined && header.first >= next && at + commitHeaderBytes + header.length <= end;
    const found = fits ? { header, offset: at } : segment.headerAfter(at, end, next);
    if (found === undefined) return;
    yield found;
    at = found.offset + commitHeaderBytes + found.header.length;
    next = found.header.first + found.header.count as Position;
  }
}
