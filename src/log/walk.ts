/** A segment from its first commit to its end, for who looks at a log from outside: damage told apart from a torn tail. */
import { type CommitHeader, commitHeaderBytes, decodeCommitHeader, firstCommitAt } from "./format.ts";
import type { Position } from "./mod.ts";
import type { Commit, Segment } from "./segment.ts";

/** Where a segment's commits end. */
export interface Bounds {
  /** No byte from here on is looked at. */
  readonly limit: number;
  /** Every commit before this byte was synced: a successor's header or the durable mark says so. */
  readonly synced: number;
}
export type Step =
  | { readonly kind: "commit"; readonly commit: Commit }
  /** Bytes where a commit was synced and none is right any more. */
  | { readonly kind: "damage"; readonly from: number; readonly to: number }
  /** A commit that was begun and never synced, or so it seems: nothing right stands behind it. */
  | { readonly kind: "torn"; readonly from: number; readonly to: number };

/** A commit whose payload is wrong comes as it is if something proves that it was synced. */
export function* walk(segment: Segment, { limit, synced }: Bounds): Generator<Step> {
  let next = segment.base;
  const size = segment.size();
  const end = Math.min(limit, size);
  for (let at = firstCommitAt; at < limit;) {
    const here = segment.commitAt(at, end);
    const fits = here !== undefined && here.header.first >= next;
    const proven = fits && (here.whole || here.next <= synced);
    const later = proven ? undefined : segment.commitAfter(at, end, next);
    if (proven || (fits && later !== undefined)) {
      yield { kind: "commit", commit: here };
      at = here.next;
      next = here.header.first + here.header.count as Position;
      continue;
    }
    if (later === undefined) {
      if (at < synced) yield { kind: "damage", from: at, to: synced };
      else if (segment.hasHeaderAt(at)) yield { kind: "torn", from: at, to: size };
      return;
    }
    yield { kind: "damage", from: at, to: later.offset };
    at = later.offset;
  }
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
    const bytes = segment.view(at, commitHeaderBytes);
    const header = decodeCommitHeader(bytes, 0, segment.salt, at);
    const fits = header !== undefined && header.first >= next && at + commitHeaderBytes + header.length <= end;
    const found = fits ? { header, offset: at } : segment.commitAfter(at, end, next);
    if (found === undefined) return;
    yield found;
    at = found.offset + commitHeaderBytes + found.header.length;
    next = found.header.first + found.header.count as Position;
  }
}
