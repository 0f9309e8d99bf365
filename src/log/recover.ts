/**
 * What a start finds: where the log ends, what to seal, what was lost. Start always succeeds and always tells; nothing is
 * deleted or overwritten that cannot be read.
 */
import { type Files, join, type World } from "../os/world.ts";
import { peekCursors } from "./cursor.ts";
import { DirectoryRefused, listSegments, readNumber } from "./directory.ts";
import { type CommitHeader, commitHeaderBytes, firstCommitAt, readRecords, type Seal } from "./format.ts";
import type { Mark } from "./mark.ts";
import type { Position } from "./mod.ts";
import { setAside } from "./quarantine.ts";
import { type Commit, Segment } from "./segment.ts";

/** Something that is not as it was accepted; shown in the log and in the status, counted as `damaged` by every destination. */
export interface Damage {
  readonly position: Position;
  readonly count: number;
  readonly what: string;
}
export interface SegmentFact {
  readonly name: string;
  readonly id: string;
  readonly base: Position;
  /** Bytes of its file. */
  readonly bytes: number;
  /** Wall time of its creation, ms; 0 when its head is damaged. */
  readonly created: number;
}
/**
 * Commit n+1 is written only after commit n was synced, so after a crash only the last one may be whole in the cache and not on
 * the disk: after a failed sync the system even calls such pages clean. It is copied into a new segment before anything of it is
 * delivered. (To write it once more in place would put an accepted commit at risk if the power goes meanwhile.)
 */
export interface Undecided {
  readonly header: CommitHeader;
  readonly records: readonly { readonly bytes: Uint8Array; readonly count: number }[];
  /** Where the segment ends without it. */
  readonly before: Seal;
}
export interface Recovered {
  readonly segments: readonly SegmentFact[];
  /** Sealing facts of the last segment: they go into the next one's header. */
  readonly tail: Seal | undefined;
  /** The last commit, when nothing proves that it was ever synced. */
  readonly undecided: Undecided | undefined;
  /** The position after the last message that can be read. */
  readonly end: Position;
  /** Where the next segment begins: never below what the mark or any cursor has seen. */
  readonly base: Position;
  readonly epoch: number;
  readonly sequence: number;
  readonly damages: readonly Damage[];
  /** What is worth a line in the log though nothing accepted was lost, e.g. a torn tail. */
  readonly notes: readonly string[];
}

export function recover(world: World, dir: string, node: string, mark: Mark | undefined): Recovered {
  const { files } = world;
  const logDir = join(dir, "log");
  sweep(files, logDir);
  const segments = openInOrder(files, logDir, node);
  const findings = new Findings();
  try {
    const tail = segments.at(-1);
    checkChain(files, dir, segments, findings);
    const end = tail ? findEnd(files, dir, tail, findings) : undefined;
    const cursors = [...peekCursors(files, dir).values(), ...(mark?.destinations.values() ?? [])];
    const low = readNumber(files, join(dir, "low"));
    const last = end?.seal.end ?? low;
    const base = Math.max(last, mark?.position ?? 0, ...cursors);
    if (base > last) findings.damage(last, base, "accepted messages are missing at the end of the log");
    return {
      segments: segments.map(factOf),
      tail: end?.seal,
      undecided: end && last > (mark?.position ?? 0) ? end.last : undefined,
      end: last as Position,
      base: base as Position,
      epoch: Math.max(readNumber(files, join(dir, "epoch")), ...segments.map((segment) => segment.header?.epoch ?? 0)),
      sequence: Math.max(0, ...segments.map((segment) => segment.header?.sequence ?? 0)) || segments.length,
      damages: findings.damages,
      notes: findings.notes,
    };
  } finally {
    for (const segment of segments) segment.close();
  }
}

class Findings {
  readonly damages: Damage[] = [];
  readonly notes: string[] = [];

  damage(from: number, to: number, what: string): void {
    this.damages.push({ position: from as Position, count: to - from, what });
  }
}

function factOf(segment: Segment): SegmentFact {
  const { name, id, base, header } = segment;
  return { name, id, base, bytes: segment.size(), created: header?.created ?? 0 };
}

/** Removes what a crash left half made (`.tmp`) or half removed (`.del`): neither ever held an accepted message that is owed. */
function sweep(files: Files, logDir: string): void {
  for (const name of files.list(logDir)) {
    if (name.endsWith(".tmp") || name.endsWith(".del")) files.remove(join(logDir, name));
  }
}

/** All segments, oldest first: by sequence; one whose header is damaged goes by the base position in its name. */
function openInOrder(files: Files, logDir: string, node: string): Segment[] {
  const segments = listSegments(files, logDir).map((name) => Segment.open(files, logDir, name));
  const foreign = segments.find((segment) => segment.header && segment.header.node !== node);
  if (foreign) {
    throw new DirectoryRefused(
      `Cannot open segment "${foreign.name}": its head says node ${
        foreign.header!.node
      }, the directory says node ${node}`,
    );
  }
  return segments.sort((a, b) => a.base - b.base || (a.header?.sequence ?? 0) - (b.header?.sequence ?? 0));
}

/** Says which segments are missing between the first and the last, or have a damaged head. */
function checkChain(files: Files, dir: string, segments: readonly Segment[], findings: Findings): void {
  const low = readNumber(files, join(dir, "low"));
  const first = segments[0];
  if (first && first.base > low) findings.damage(low, first.base, "the oldest segments are missing");
  segments.forEach((segment, i) => {
    if (segment.header === undefined) {
      setAside(files, dir, segment.name, 0, segment.view(0, firstCommitAt));
      findings.notes.push(`the head of segment ${segment.name} is damaged; its commits are read all the same`);
    }
    const before = segments[i - 1];
    const seal = segment.header?.previous;
    if (before && seal && seal.segment !== before.id && seal.end > before.base) {
      findings.notes.push(`a segment between ${before.name} and ${segment.name} is missing`);
    }
  });
}

/** The end of the last segment's valid commits. Damage before a later valid commit is named and passed over. */
function findEnd(files: Files, dir: string, tail: Segment, findings: Findings): { seal: Seal; last?: Undecided } {
  let seal: Seal = { segment: tail.id, length: firstCommitAt, chain: tail.chainStart(), end: tail.base };
  let before = seal;
  let last: Commit | undefined;
  const limit = tail.size();
  for (;;) {
    const here = tail.commitAt(seal.length, limit);
    const whole = here?.whole && here.header.first >= seal.end;
    const next = whole ? here : tail.commitAfter(seal.length, limit, seal.end);
    if (next === undefined) break;
    if (!whole) {
      // Something valid behind it proves that this was synced, and so accepted.
      setAside(files, dir, tail.name, seal.length, tail.view(seal.length, next.offset - seal.length));
      findings.damage(seal.end, next.header.first, `segment ${tail.name} is damaged at byte ${seal.length}`);
    }
    before = seal;
    seal = sealAfter(tail.id, next);
    last = next;
  }
  // What a recycled file held in its former life stands behind too, but never under this segment's checksums.
  if (tail.hasHeaderAt(seal.length)) {
    const where = `at byte ${seal.length} of ${tail.name}`;
    findings.notes.push(`an unfinished commit ${where} is left out: it was never accepted`);
  }
  return { seal, last: last && undecided(tail, last, before) };
}

function undecided(tail: Segment, { header, payload, offset }: Commit, before: Seal): Undecided | undefined {
  const records = readRecords(payload, header, tail.salt, offset + commitHeaderBytes);
  return header.count === 0
    ? undefined
    : { header, records: records.filter((record) => record.bytes !== undefined), before };
}

function sealAfter(
  segment: string,
  commit: { next: number; header: { crc: number; first: Position; count: number } },
): Seal {
  const { next, header } = commit;
  return { segment, length: next, chain: header.crc, end: header.first + header.count as Position };
}
