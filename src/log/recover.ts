/**
 * What a start finds: where the log ends, what to seal, what was lost. Start always succeeds and always tells; nothing is
 * deleted or overwritten that cannot be read.
 */
import { type Files, join, type World } from "../os/world.ts";
import { seenByCursors } from "./cursor.ts";
import { isDamagedNumber, readNumber, removeLeftovers } from "./directory.ts";
import { type CommitHeader, firstCommitAt, payloadBytesMax, readRecords, type Seal } from "./format.ts";
import { type Head, headsOf, inOrder, lastSequence, nameRightly, refuseForeign, withSegment } from "./heads.ts";
import type { Mark } from "./mark.ts";
import type { Position } from "./mod.ts";
import { setAside } from "./quarantine.ts";
import type { Commit, Segment } from "./segment.ts";

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
  const start = new Start(files, dir, mark);
  const heads = start.heads(node);
  const end = start.end(heads);
  const cursors = [...seenByCursors(files, dir, node), ...(mark?.destinations.values() ?? [])];
  const last = end?.seal.end ?? start.low;
  const base = Math.max(last, mark?.position ?? 0, ...cursors);
  start.missing(last, base, "accepted messages are missing at the end of the log");
  return {
    segments: heads,
    tail: end?.seal,
    undecided: end && last > (mark?.position ?? 0) ? end.undecided : undefined,
    end: last as Position,
    base: base as Position,
    epoch: Math.max(readNumber(files, join(dir, "epoch")), ...heads.map(({ header }) => header?.epoch ?? 0)),
    sequence: lastSequence(heads),
    damages: start.damages,
    notes: start.notes,
  };
}

/** Looks at what is there and takes down what is not as it should be. */
class Start {
  readonly damages: Damage[] = [];
  readonly notes: string[] = [];
  readonly low: number;
  readonly #files: Files;
  readonly #dir: string;
  readonly #logDir: string;
  readonly #mark: Mark | undefined;

  constructor(files: Files, dir: string, mark: Mark | undefined) {
    this.#files = files;
    this.#dir = dir;
    this.#logDir = join(dir, "log");
    this.#mark = mark;
    this.low = readNumber(files, join(dir, "low"));
  }

  missing(from: number, to: number, what: string): void {
    if (from < to) this.damages.push({ position: from as Position, count: to - from, what });
  }

  /** The heads of all segments, oldest first. What is another's or a later version's is refused before anything is touched. */
  heads(node: string): Head[] {
    const found = headsOf(this.#files, this.#logDir);
    refuseForeign(found, node);
    // What a crash left half made or half removed never held a message that is owed.
    removeLeftovers(this.#files, this.#logDir, [".tmp", ".del"]);
    const named = nameRightly(this.#files, this.#dir, found);
    this.notes.push(...named.notes);
    const heads = inOrder(named.heads);
    for (const head of heads) if (head.header === undefined) this.#damagedHead(head);
    this.#missingSegments(heads);
    return heads;
  }

  #damagedHead({ name }: Head): void {
    const bytes = withSegment(this.#files, this.#logDir, name, (segment) => segment.view(0, firstCommitAt));
    setAside(this.#files, this.#dir, `${name}-0`, bytes);
    this.notes.push(`the head of segment ${name} is damaged; its commits are read all the same`);
  }

  #missingSegments(heads: readonly Head[]): void {
    const [first, ids] = [heads[0], new Set(heads.map(({ id }) => id))];
    if (first && isDamagedNumber(this.#files, join(this.#dir, "low"))) {
      this.notes.push(`file "low" is damaged: it cannot be told whether messages before ${first.base} are missing`);
    } else if (first) {
      this.missing(this.low, first.base, "the oldest segments are missing");
    }
    heads.forEach(({ name, base, header }, i) => {
      const before = heads[i - 1];
      if (!before || !header?.previous || ids.has(header.previous.segment)) return;
      const end = withSegment(this.#files, this.#logDir, before.name, (segment) => endOf(segment, undefined).seal.end);
      this.missing(Math.max(this.low, end), base, `the segments between ${before.name} and ${name} are missing`);
    });
  }

  /** Where the last segment ends. Damage before that is named and passed over. */
  end(heads: readonly Head[]): { seal: Seal; undecided: Undecided | undefined } | undefined {
    const name = heads.at(-1)?.name;
    if (name === undefined) return undefined;
    return withSegment(this.#files, this.#logDir, name, (tail) => {
      const { seal, last, damaged } = endOf(tail, this.#mark);
      for (const stretch of damaged) this.#damagedStretch(tail, stretch);
      // What a recycled file held in its former life stands behind too, but never under this segment's checksums.
      if (tail.hasHeaderAt(seal.length)) {
        const where = `at byte ${seal.length} of ${tail.name}`;
        this.notes.push(`an unfinished commit ${where} is left out: it was never accepted`);
      }
      if (tail.unreadable > 0) {
        this.notes.push(`the disk does not give all of segment ${tail.name}: messages at its end may be missing`);
      }
      return { seal, undecided: last && undecided(last) };
    });
  }

  #damagedStretch(tail: Segment, { from, to }: DamagedStretch): void {
    const bytes = tail.view(from.length, Math.min(to.length - from.length, payloadBytesMax));
    setAside(this.#files, this.#dir, `${tail.name}-${from.length}`, bytes);
    const records = tail.salvage(from.length, to.length, { first: from.end, count: to.end - from.end });
    const lost = records.filter((record) => record.bytes === undefined);
    const what = `segment ${tail.name} is damaged at byte ${from.length}`;
    for (const { position, count } of lost) this.missing(position, position + count, what);
    if (lost.length === 0) this.notes.push(`${what}; no message is lost`);
  }
}

interface DamagedStretch {
  readonly from: Seal;
  readonly to: Seal;
}
interface End {
  readonly seal: Seal;
  /** The last commit, if nothing proves that it was synced. */
  readonly last: { readonly commit: Commit; readonly before: Seal } | undefined;
  readonly damaged: readonly DamagedStretch[];
}

function endOf(segment: Segment, mark: Mark | undefined): End {
  const damaged: DamagedStretch[] = [];
  const limit = segment.size();
  let seal: Seal = { segment: segment.id, length: firstCommitAt, chain: segment.chainStart(), end: segment.base };
  let last: End["last"];
  for (;;) {
    const here = segment.commitAt(seal.length, limit);
    if (here?.whole && here.header.first >= seal.end) {
      last = { commit: here, before: seal };
      seal = sealAfter(segment.id, here);
      continue;
    }
    const next = provenAfter(segment, seal, mark);
    if (next === undefined) return { seal, last, damaged };
    damaged.push({ from: seal, to: next });
    last = undefined;
    seal = next;
  }
}

/**
 * The next place before which all was certainly synced, and so accepted: a later commit was begun there, which happens only after
 * the one before it was synced; or the mark says so.
 */
function provenAfter(segment: Segment, { length, end }: Seal, mark: Mark | undefined): Seal | undefined {
  const later = segment.headerAfter(length, segment.size(), end);
  if (later) {
    return { segment: segment.id, length: later.offset, chain: later.header.chain, end: later.header.first };
  }
  if (mark?.segment !== segment.id || mark.offset <= length) return undefined;
  return { segment: segment.id, length: mark.offset, chain: mark.chain, end: mark.position };
}

function undecided({ commit, before }: NonNullable<End["last"]>): Undecided | undefined {
  const { header, payload } = commit;
  if (header.count === 0) return undefined;
  return { header, records: readRecords(payload, header).filter((record) => record.bytes !== undefined), before };
}

function sealAfter(segment: string, { next, header }: Commit): Seal {
  return { segment, length: next, chain: header.crc, end: header.first + header.count as Position };
}
