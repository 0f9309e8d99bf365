/**
 * Reads a log that somebody may be writing, from the files alone, never past the watermark. Damage becomes a gap with the
 * positions it cost; what lies around it is delivered.
 */
import { codeOf, type Files, join, type World } from "../os/world.ts";
import { listSegments } from "./directory.ts";
import { commitHeaderBytes, entryOf, firstCommitAt, parseSegmentName, readRecords } from "./format.ts";
import type { Entry, Gap, LogReader, Position, Watermark } from "./mod.ts";
import { setAside } from "./quarantine.ts";
import { type Commit, Segment } from "./segment.ts";

type Item = Entry | Gap;

export class SegmentReader implements LogReader {
  readonly node: string;
  readonly #files: Files;
  readonly #dir: string;
  readonly #logDir: string;
  readonly #mark: Watermark;
  #segment: Segment | undefined;
  #offset = 0;
  /** The segment after the current one, once there is one. */
  #successor: Segment | undefined;
  /** Where the successor says that the current segment ends. */
  #sealedAt: number | undefined;
  /** Which segment was live when we last looked for a successor. */
  #lookedAt: number | undefined;
  #position: Position;
  /** What was read beyond the limit of the last call. */
  #ahead: Item[] = [];

  constructor(world: World, dir: string, node: string, from: Position, mark: Watermark) {
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
    while (count < limit.count && bytes < limit.bytes) {
      const item = this.#ahead.shift() ?? this.#read();
      if (item === undefined) break;
      items.push(item);
      count += item.count;
      bytes += "bytes" in item ? item.bytes.length : 0;
    }
    return items;
  }

  close(): void {
    this.#segment?.close();
    this.#segment = undefined;
    this.#successor?.close();
    this.#forgetSuccessor();
  }

  /** The next entry or gap; what else its commit held goes to `#ahead`. */
  #read(): Item | undefined {
    while (this.#position < this.#mark.position) {
      const items = this.#segment ? this.#readHere(this.#segment) : this.#findSegment();
      if (items.length === 0) continue;
      const last = items.at(-1)!;
      this.#position = last.position + last.count as Position;
      this.#ahead = items;
      return this.#ahead.shift();
    }
    return undefined;
  }

  /** Items from the current segment, or none after having moved on to another place. */
  #readHere(segment: Segment): Item[] {
    // In this order: what is durable now was written to the segment that is live now, or to one before it.
    const durable = this.#mark.position;
    this.#lookForSeal(segment);
    const limit = this.#sealedAt;
    if (limit !== undefined && this.#offset >= limit) return this.#moveOn();
    const commit = this.#commitHere(segment, limit ?? Infinity);
    if (commit === undefined) return this.#readOn(segment, durable);
    if (commit.header.first > this.#position) return this.#gapTo(commit.header.first);
    if (commit.header.first + commit.header.count > this.#position) return this.#itemsOf(segment, commit);
    this.#offset = commit.next;
    return [];
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
    this.#sealedAt = seal?.segment === segment.id ? seal.length : undefined;
  }

  #moveOn(): Item[] {
    const successor = this.#successor!;
    this.#forgetSuccessor();
    this.#segment?.close();
    this.#segment = successor;
    this.#offset = firstCommitAt;
    return this.#gapTo(successor.base);
  }

  #forgetSuccessor(): void {
    this.#successor = undefined;
    this.#sealedAt = undefined;
    this.#lookedAt = undefined;
  }

  /** The whole commit at the current place. What was read before the writer went on is read again before it is judged. */
  #commitHere(segment: Segment, limit: number): Commit | undefined {
    const found = segment.commitAt(this.#offset, limit);
    if (found?.whole) return found;
    segment.refresh();
    const again = segment.commitAt(this.#offset, limit);
    return again?.whole ? again : undefined;
  }

  #itemsOf(segment: Segment, commit: Commit): Item[] {
    const { header, payload, offset } = commit;
    const records = readRecords(payload, header, segment.salt, offset + commitHeaderBytes);
    this.#offset = commit.next;
    if (!commit.whole) {
      setAside(this.#files, this.#dir, segment.name, offset, segment.view(offset, commit.next - offset));
    }
    return records
      .filter(({ position, count }) => position + count > this.#position)
      .map((record) =>
        record.bytes
          ? entryOf(record, header)
          : this.#gap(Math.max(record.position, this.#position), record.position + record.count, "damaged")
      );
  }

  /** No commit where one should be, though the log is durable further on: damage, or the segment was removed while we read. */
  #readOn(segment: Segment, durable: Position): Item[] {
    if (!this.#files.exists(join(this.#logDir, segment.name))) return this.#reopen();
    const limit = this.#sealedAt ?? segment.size();
    const later = this.#damagedCommit(segment, limit) ?? segment.commitAfter(this.#offset, limit, this.#position);
    if (later && later.header.first + later.header.count <= durable) {
      if (later.offset === this.#offset) return this.#itemsOf(segment, later);
      this.#keep(segment, later.offset);
      this.#offset = later.offset;
      return this.#gapTo(later.header.first);
    }
    this.#keep(segment, limit);
    return this.#successor ? this.#moveOn() : this.#gapTo(durable);
  }

  /** Before the seal even a commit with a wrong payload was accepted: what is right in it is delivered. */
  #damagedCommit(segment: Segment, limit: number): Commit | undefined {
    const here = segment.commitAt(this.#offset, limit);
    return here && here.header.first <= this.#position ? here : undefined;
  }

  #keep(segment: Segment, end: number): void {
    const bytes = segment.view(this.#offset, Math.min(end - this.#offset, 1 << 20));
    setAside(this.#files, this.#dir, segment.name, this.#offset, bytes);
  }

  #reopen(): Item[] {
    this.close();
    return [];
  }

  /** A damaged stretch up to `to`, if there is one. */
  #gapTo(to: number): Gap[] {
    return to > this.#position ? [this.#gap(this.#position, to, "damaged")] : [];
  }

  #gap(from: number, to: number, why: Gap["why"]): Gap {
    return { position: from as Position, count: to - from, why };
  }

  /** Opens the segment that holds the current position; what lies before the oldest one was trimmed. */
  #findSegment(): Item[] {
    const names = listSegments(this.#files, this.#logDir);
    const at = names.findLastIndex((name) => parseSegmentName(name)!.base <= this.#position);
    const name = names[Math.max(0, at)];
    if (name === undefined) return [this.#gap(this.#position, this.#mark.position, "trimmed")];
    const segment = this.#tryOpen(name);
    if (segment === undefined) return [];
    this.#segment = this.#oldestWithBase(segment, names);
    this.#offset = firstCommitAt;
    return at < 0 ? [this.#gap(this.#position, Math.min(this.#segment.base, this.#mark.position), "trimmed")] : [];
  }

  /** Several segments begin at one position when all but the last stayed empty: the chain leads from the first to the others. */
  #oldestWithBase(segment: Segment, names: readonly string[]): Segment {
    const same = names.filter((name) => parseSegmentName(name)!.base === segment.base && name !== segment.name);
    let oldest = segment;
    for (const name of same) {
      const other = this.#tryOpen(name);
      if (other === undefined) continue;
      const older = (other.header?.sequence ?? Infinity) < (oldest.header?.sequence ?? Infinity);
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
  if (other.base > segment.base) return true;
  return (other.header?.sequence ?? 0) > (segment.header?.sequence ?? 0);
}
