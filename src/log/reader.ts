/**
 * Reads a log that somebody may be writing, from the files alone, never past the watermark. Damage becomes a gap with the
 * positions it cost; what lies around it is delivered.
 */
import { type Clock, codeOf, type Files, join, type World } from "../os/world.ts";
import { listSegments, readNumber } from "./directory.ts";
import {
  type CommitHeader,
  commitHeaderBytes,
  entryOf,
  firstCommitAt,
  parseSegmentName,
  payloadBytesMax,
  readRecords,
  type RecordFound,
  type Seal,
  type Stretch,
} from "./format.ts";
import type { Entry, Gap, LogReader, Position, Watermark } from "./mod.ts";
import { setAside } from "./quarantine.ts";
import { type Commit, Segment } from "./segment.ts";

type Item = Entry | Gap;

/** Of a stretch whose end nobody knows no more than this is kept aside. */
const openBytesMax = 1 << 20;

/** Where commits should be and none is whole: up to which offset, and which positions it held. */
interface Damage {
  readonly end: number;
  /** It is the end of the file, and not that of the damage. */
  readonly open?: boolean;
  readonly stretch: Stretch;
  readonly stamp: Pick<CommitHeader, "epoch" | "time">;
}

/** The disk fails: what it does not give now it may give later. */
export class DiskFails extends Error {
  override readonly name = "DiskFails";
}

export interface ReaderOptions {
  /** For so long a disk that fails is asked again before what it does not give counts as damage. */
  readonly patienceMs?: number;
  /** Gives a commit as one item, its records as they stand there: for who only counts, a fraction of the work. */
  readonly byCommit?: boolean;
}

export class SegmentReader implements LogReader {
  readonly node: string;
  readonly #clock: Clock;
  readonly #patienceMs: number;
  readonly #byCommit: boolean;
  /** Since when it has failed. */
  #failingSince: number | undefined;
  /** Blocks that it did not give, of segments that are closed again. */
  #unreadable = 0;
  readonly #files: Files;
  readonly #dir: string;
  readonly #logDir: string;
  readonly #mark: Watermark;
  #segment: Segment | undefined;
  #offset = 0;
  /** The position of what stands at the offset. */
  #expected = 0 as Position;
  /** The segment after the current one, once there is one. */
  #successor: Segment | undefined;
  /** What the successor says of the current segment's end; undefined when the chain is broken. */
  #seal: Seal | undefined;
  /** Which segment was live when we last looked for a successor. */
  #lookedAt: number | undefined;
  #position: Position;
  /** What was read beyond the limit of the last call. */
  #ahead: Item[] = [];

  constructor(
    world: World,
    dir: string,
    node: string,
    from: Position,
    mark: Watermark,
    { patienceMs = 0, byCommit = false }: ReaderOptions = {},
  ) {
    this.#clock = world.clock;
    this.#patienceMs = patienceMs;
    this.#byCommit = byCommit;
    this.#files = world.files;
    this.#dir = dir;
    this.#logDir = join(dir, "log");
    this.#mark = mark;
    this.#position = from;
    this.node = node;
  }

  next(limit: { readonly count: number; readonly bytes: number }): Item[] {
    const items: Item[] = [];
    let count = 0;
    let bytes = 0;
    try {
      while (count < limit.count && bytes < limit.bytes) {
        const item = this.#ahead.shift() ?? this.#read();
        if (item === undefined) break;
        items.push(item);
        count += item.count;
        bytes += "bytes" in item ? item.bytes.length : 0;
      }
    } catch (problem) {
      // What was read is not lost by what could not be: the next call begins behind it with fresh handles.
      this.close();
      if (items.length === 0) throw problem;
    }
    return items;
  }

  seek(to: Position): void {
    const next = this.#ahead[0]?.position ?? this.#position;
    if (to === next) return;
    this.close();
    this.#ahead = [];
    this.#position = to;
  }

  close(): void {
    this.#segment?.close();
    this.#segment = undefined;
    this.#successor?.close();
    this.#forgetSuccessor();
    this.#unreadable = 0;
  }

  /** The next entry or gap; what else its commit held goes to `#ahead`. */
  #read(): Item | undefined {
    while (this.#position < this.#mark.position) {
      const [segment, offset] = [this.#segment, this.#offset];
      const items = segment ? this.#readHere(segment) : this.#findSegment();
      if (items.length === 0) {
        // Rather a stop that shows than a thread that turns for ever.
        if (segment && segment === this.#segment && offset === this.#offset) throw this.#stuck(segment);
        continue;
      }
      if (items.some((item) => !("bytes" in item) && item.why === "damaged")) this.#ask();
      else this.#failingSince = undefined;
      const last = items.at(-1)!;
      this.#position = last.position + last.count as Position;
      this.#ahead = items;
      return this.#ahead.shift();
    }
    return undefined;
  }

  /** Throws `DiskFails` while there is hope that the disk gives what seems damaged. */
  #ask(): void {
    const lost = this.#unreadable + (this.#segment?.unreadable ?? 0) + (this.#successor?.unreadable ?? 0);
    if (lost === 0) return;
    const now = this.#clock.elapsed();
    this.#failingSince ??= now;
    if (now - this.#failingSince >= this.#patienceMs) return;
    this.#unreadable = 0;
    throw new DiskFails(`Cannot read the log at position ${this.#position}: the disk fails; it is asked again`);
  }

  #stuck({ name }: Segment): Error {
    return new Error(
      `Cannot read on at byte ${this.#offset} of segment ${name}: position ${this.#position} is nowhere`,
    );
  }

  /** Items from the current segment, or none after having moved on to another place. */
  #readHere(segment: Segment): Item[] {
    // In this order: what is durable now was written to the segment that is live now, or to one before it.
    const durable = this.#mark.position;
    this.#lookForSeal(segment);
    if (this.#atEnd()) return this.#moveOn();
    const commit = this.#commitHere(segment);
    if (commit === undefined) return this.#readOn(segment, durable);
    const { first } = commit.header;
    if (first > this.#position) return this.#gapTo(first);
    const { payload, header } = commit;
    const records = this.#byCommit
      ? [{ position: first, count: header.count, bytes: payload }]
      : readRecords(payload, header);
    this.#goTo(commit.next, first + commit.header.count);
    return this.#itemsOf(records, commit.header);
  }

  /**
   * A segment that is not the live one has a successor, whose header says where it ends: a commit that failed may stand behind
   * that, complete, and its positions were given to others.
   */
  #lookForSeal(segment: Segment): void {
    const live = this.#mark.segment;
    if (this.#successor || segment.header?.sequence === live || this.#lookedAt === live) return;
    this.#lookedAt = live;
    this.#successor = this.#successorOf(segment);
    const seal = this.#successor?.header?.previous;
    this.#seal = seal?.segment === segment.id ? seal : undefined;
  }

  /** Without a seal the positions tell: what begins where the successor begins is none of this segment's. */
  #atEnd(): boolean {
    if (this.#seal) return this.#offset >= this.#seal.length;
    return this.#successor !== undefined && this.#expected >= this.#successor.base;
  }

  #moveOn(): Item[] {
    const successor = this.#successor!;
    this.#forgetSuccessor();
    this.#unreadable = this.#segment?.unreadable ?? 0;
    this.#segment?.close();
    this.#begin(successor);
    return this.#gapTo(successor.base);
  }

  #begin(segment: Segment): void {
    this.#segment = segment;
    this.#goTo(firstCommitAt, segment.base);
  }

  #goTo(offset: number, expected: number): void {
    this.#offset = offset;
    this.#expected = expected as Position;
  }

  #forgetSuccessor(): void {
    this.#successor = undefined;
    this.#seal = undefined;
    this.#lookedAt = undefined;
  }

  /** The whole commit at the current place. What was read before the writer went on is read again before it is judged. */
  #commitHere(segment: Segment): Commit | undefined {
    const found = this.#wholeCommit(segment);
    if (found) return found;
    segment.refresh();
    return this.#wholeCommit(segment);
  }

  #wholeCommit(segment: Segment): Commit | undefined {
    const found = segment.commitAt(this.#offset, this.#seal?.length ?? Infinity);
    return found?.whole && this.#isOurs(found.header) ? found : undefined;
  }

  #isOurs({ first }: CommitHeader): boolean {
    return this.#seal !== undefined || this.#successor === undefined || first < this.#successor.base;
  }

  /** No whole commit where one should be, though the log is durable further on: damage, or the segment was removed while we read. */
  #readOn(segment: Segment, durable: Position): Item[] {
    const { end, open, stretch, stamp } = this.#damageHere(segment, durable);
    const records = segment.salvage(this.#offset, end, stretch);
    const bytes = segment.view(
      this.#offset,
      Math.min(end - this.#offset, open ? openBytesMax : payloadBytesMax),
    );
    this.#ask();
    // After reading: the name goes before a byte is overwritten, so what stands under its name was what it is.
    if (!this.#files.exists(join(this.#logDir, segment.name))) return this.#reopen();
    setAside(this.#files, this.#dir, `${segment.name}-${this.#offset}`, bytes);
    const before = this.#gapTo(stretch.first);
    // The live segment goes on behind its damage: where, its next commit will tell.
    if (!open || this.#successor) this.#goTo(end, stretch.first + stretch.count);
    return [...before, ...this.#itemsOf(records, stamp)];
  }

  #damageHere(segment: Segment, durable: Position): Damage {
    const [from, limit] = [this.#offset, this.#seal?.length ?? segment.size()];
    const here = segment.headerAt(from);
    const next = from + commitHeaderBytes + (here?.length ?? 0);
    if (here && this.#isOurs(here) && here.first < durable && next <= limit) {
      return { end: next, stretch: here, stamp: here };
    }
    const first = this.#expected;
    const later = segment.headerAfter(from, limit, first);
    if (later && this.#isOurs(later.header) && later.header.first <= durable) {
      return { end: later.offset, stretch: { first, count: later.header.first - first }, stamp: later.header };
    }
    const { epoch = 0, created: time = 0 } = segment.header ?? {};
    const end = this.#seal?.end ?? this.#successor?.base ?? durable;
    return { end: limit, open: !this.#seal, stretch: { first, count: end - first }, stamp: { epoch, time } };
  }

  #itemsOf(records: readonly RecordFound[], stamp: Damage["stamp"]): Item[] {
    return records
      .filter(({ position, count }) => position + count > this.#position)
      .flatMap((record): Item[] => {
        if (record.bytes) return [entryOf(record, stamp)];
        return this.#gap(Math.max(record.position, this.#position), record.position + record.count);
      });
  }

  #reopen(): Item[] {
    this.close();
    return [];
  }

  /** A stretch up to `to` that cannot be read, if there is one. */
  #gapTo(to: number): Gap[] {
    return this.#gap(this.#position, to);
  }

  /** What retention has given back is no damage. */
  #gap(from: number, to: number): Gap[] {
    if (to <= from) return [];
    const low = readNumber(this.#files, join(this.#dir, "low"));
    const border = Math.min(Math.max(from, low), to);
    const gaps: Gap[] = [
      { position: from as Position, count: border - from, why: "trimmed" },
      { position: border as Position, count: to - border, why: "damaged" },
    ];
    return gaps.filter(({ count }) => count > 0);
  }

  /** Opens the segment that holds the current position; what lies before the oldest one was trimmed, or is missing. */
  #findSegment(): Item[] {
    const names = listSegments(this.#files, this.#logDir);
    const at = names.findLastIndex((name) => parseSegmentName(name)!.base <= this.#position);
    const name = names[Math.max(0, at)];
    if (name === undefined) return this.#gapTo(this.#mark.position);
    const segment = this.#tryOpen(name);
    if (segment === undefined) return [];
    this.#begin(this.#oldestWithBase(segment, names));
    return this.#gapTo(Math.min(segment.base, this.#mark.position));
  }

  /** Several segments begin at one position when all but the last stayed empty: the chain leads from the first to the others. */
  #oldestWithBase(segment: Segment, names: readonly string[]): Segment {
    const same = names.filter((name) => parseSegmentName(name)!.base === segment.base && name !== segment.name);
    let oldest = segment;
    for (const name of same) {
      const other = this.#tryOpen(name);
      if (other === undefined) continue;
      const older = other.order < oldest.order;
      (older ? oldest : other).close();
      if (older) oldest = other;
    }
    return oldest;
  }

  #successorOf(segment: Segment): Segment | undefined {
    const names = listSegments(this.#files, this.#logDir);
    const later = names.filter((name) => name !== segment.name && parseSegmentName(name)!.base >= segment.base);
    let unlinked: Segment | undefined;
    for (const name of later) {
      const other = this.#tryOpen(name);
      if (other === undefined) continue;
      if (other.header?.previous?.segment === segment.id) {
        unlinked?.close();
        return other;
      }
      if (unlinked === undefined && follows(segment, other)) unlinked = other;
      else other.close();
    }
    return unlinked;
  }

  #tryOpen(name: string): Segment | undefined {
    try {
      return Segment.open(this.#files, this.#logDir, name);
    } catch (problem) {
      if (codeOf(problem) === "ENOENT") return undefined;
      throw problem;
    }
  }
}

/** Where the chain is broken (a segment is missing, or a head is damaged) the next by position is taken. */
function follows(segment: Segment, other: Segment): boolean {
  return other.base > segment.base || (other.base === segment.base && other.order > segment.order);
}
