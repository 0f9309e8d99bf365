/**
 * The one writer of a log: gathers what a turn of the loop brought, writes once, syncs once, and only then says yes. One commit
 * is dirty at a time, so a valid commit behind a bad one proves that the bad one was synced.
 */
import { codeOf, isNoSpace, isTransient, join, type World } from "../os/world.ts";
import { Commit } from "./commit.ts";
import { removeLeftovers, writeNumber } from "./directory.ts";
import { entryBytesMax, flagIdempotency, type Seal } from "./format.ts";
import { type Beginning, fillBytesOf, LiveSegment, type Place, quietly } from "./live.ts";
import { peekMark } from "./mark.ts";
import { MarkKeeper } from "./mark_keeper.ts";
import type { LogWriter, Position, Watermark } from "./mod.ts";
import { recover, type Recovered, type SegmentFact, type Undecided } from "./recover.ts";
import { roomFor } from "./room.ts";
import { dropBallast, listSpares, spareNameOf, sparesMax } from "./spares.ts";

/** There is no room: nothing of the request was kept, it may come again. */
export class LogFull extends Error {}
/** The same for a system that has no handles or no memory left. */
export class LogExhausted extends LogFull {}
/** The disk failed, or the log is closing. `unknown`: the request may be kept all the same. */
export class LogStopped extends Error {
  readonly outcome: "refused" | "unknown";
  constructor(message: string, outcome: "refused" | "unknown", cause?: unknown) {
    super(message, { cause });
    this.outcome = outcome;
  }
}

export interface WriterOptions {
  readonly segmentBytes: number;
  /** Kept free for cursors, dead letters and an orderly stop. */
  readonly reserveBytes: number;
  /** Whether the room of freed messages is used again, which leaves their bytes on the disk until then. */
  readonly recycle: boolean;
  /** How far each destination is, by its key in the mark. */
  readonly destinations: () => ReadonlyMap<string, Position>;
  /** Something an operator must know. */
  readonly report: (text: string) => void;
}
/** "full": the disk has no room; "exhausted": the system has no handles or no memory; both are waited for. */
export type WriterState = "ready" | "full" | "exhausted" | "stopped";
/** What the writer tells of itself, for status and metrics. */
export interface WriterFacts {
  readonly start: Position;
  readonly end: Position;
  readonly epoch: number;
  readonly bytes: number;
  readonly freeBytes: number;
  readonly state: WriterState;
  readonly commits: number;
  readonly syncMs: number;
}

/** The runtime completes 96 reads a turn of its loop: when it brought so many entries, more are ready. */
const crowdEntries = 80;
/** So many more turns may a commit wait for those. */
const crowdTurns = 8;
/** A commit says for so long that the log works. */
const probeAfterMs = 10_000;
const waitMs = 500;
interface Group {
  readonly commit: Commit;
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (problem: Error) => void;
}

export class SegmentWriter implements LogWriter {
  readonly recovered: Recovered;
  readonly node: string;
  readonly #world: World;
  readonly #dir: string;
  readonly #logDir: string;
  readonly #mark: Watermark;
  readonly #options: WriterOptions;
  readonly #keeper: MarkKeeper;
  /** For every segment that is begun. */
  readonly #place: Place;
  readonly #reserveBytes: number;
  /** How many zeros are written ahead at once. */
  readonly #fillBytes: number;
  readonly #epoch: number;
  #epochWritten = false;
  #sequence: number;
  #segments: SegmentFact[];
  #live: LiveSegment | undefined;
  /** What the next segment's header will say of the one before it. */
  #seal: Seal | undefined;
  #next: Position;
  #groups: Group[] = [];
  #spare: Commit | undefined = new Commit();
  #settled: Promise<void> = Promise.resolve();
  #state: WriterState = "ready";
  #closing = false;
  /** The commit that a crash left undecided is certain now, or there was none. */
  #lastIsCertain = false;
  #closed: Promise<void> | undefined;
  #stopCause: unknown;
  /** A commit that may stand in a file though it was not synced: a start would find it if no later header excluded it. */
  #unsealed: Commit | undefined;
  #commits = 0;
  /** Monotonic; long ago at first. */
  #committedAt = -Infinity;
  #syncMs = 0;
  readonly #timers = new AbortController();

  constructor(world: World, dir: string, node: string, mark: Watermark, options: WriterOptions) {
    this.#world = world;
    this.#dir = dir;
    this.#logDir = join(dir, "log");
    this.#mark = mark;
    this.#options = options;
    this.node = node;
    // Before anything is written: a directory that is not ours to use stays as it is.
    this.recovered = recover(world, dir, node, peekMark(world.files, dir));
    this.#keeper = new MarkKeeper(world, dir, { ...options, seal: () => this.#seal });
    const { segments, tail, base, epoch, sequence } = this.recovered;
    this.#segments = [...segments];
    this.#seal = tail;
    this.#next = base;
    this.#epoch = epoch + 1;
    this.#sequence = sequence;
    const { segmentBytes, reserveBytes } = roomFor(world.files.space(this.#logDir), options);
    this.#place = { world, logDir: this.#logDir, node, epoch: this.#epoch, segmentBytes };
    this.#reserveBytes = reserveBytes;
    this.#fillBytes = fillBytesOf(this.#place);
    if (this.#settleLast()) return;
    // Nothing of it is delivered, and nothing is taken behind it, until it is certain.
    mark.raise(this.#seal!.end, this.#sequence);
    if (this.#state !== "stopped") void this.#goOnWhenPossible();
  }

  /** What the last commit says is certain only once it stands in a segment that this process has synced. False if it cannot yet. */
  #settleLast(): boolean {
    if (this.#lastIsCertain) return true;
    const { undecided, end } = this.recovered;
    if (undecided !== undefined && !this.#tryCopy(undecided)) return false;
    this.#lastIsCertain = true;
    this.#mark.raise(end, this.#sequence);
    return true;
  }

  #tryCopy(undecided: Undecided): boolean {
    for (let tries = 1; tries <= 2; tries++) {
      try {
        this.#copyLast(undecided);
        return true;
      } catch (problem) {
        this.#seal = undecided.before;
        this.#notCopied(problem);
        if (isNoSpace(problem)) break;
      }
    }
    this.#state = stateAfter(this.#stopCause);
    return false;
  }

  /** Told once, though it is tried again and again. */
  #notCopied(problem: unknown): void {
    const text = `the last commit cannot be copied to a new segment: ${textOf(problem)}`;
    if (textOf(problem) !== textOf(this.#stopCause)) this.#options.report(text);
    this.#stopCause = problem;
  }

  #copyLast({ header, records, before }: Undecided): void {
    const commit = new Commit();
    commit.first = header.first;
    commit.flags = header.flags;
    for (const { bytes, count } of records) commit.add(bytes, count);
    this.#seal = before;
    this.#writeEpoch();
    this.#begin(commit, header);
    this.#keeper.begun();
  }

  get next(): Position {
    return this.#next;
  }

  append(bytes: Uint8Array, count: number, flags = 0): Position {
    if (this.#state !== "ready" || this.#closing) throw this.#refusal();
    if (bytes.length > entryBytesMax) {
      throw new RangeError(`Cannot append entry: it is longer than ${entryBytesMax} bytes`);
    }
    if (!(count >= 1)) throw new RangeError(`Cannot append entry: it holds ${count} messages`);
    const { commit } = this.#groupFor(bytes.length);
    if (commit.count === 0) commit.first = this.#next;
    const position = this.#next;
    commit.add(bytes, count);
    commit.flags |= flags & flagIdempotency;
    this.#next = position + count as Position;
    return position;
  }

  durable(): Promise<void> {
    return this.#groups.at(-1)?.promise ?? this.#settled;
  }

  probe(): Promise<void> {
    if (this.#state !== "ready" || this.#closing) return Promise.reject(this.#refusal());
    if (this.#world.clock.elapsed() - this.#committedAt < probeAfterMs) return Promise.resolve();
    if (this.#groups.length === 0) this.#groupFor(0).commit.first = this.#next;
    return this.durable();
  }

  trim(before: Position): void {
    const { files } = this.#world;
    const kept = this.#segments.findIndex((_, i) => (this.#segments[i + 1]?.base ?? Infinity) > before);
    const gone = this.#segments.slice(0, Math.max(0, kept));
    const low = this.#segments[gone.length]?.base;
    if (gone.length === 0 || low === undefined) return;
    // Low-water mark, then names, then space: whatever a crash leaves of this, a start knows that nothing is missing.
    writeNumber(files, join(this.#dir, "low"), low);
    for (const segment of gone) this.#retireName(segment);
    // Not a byte of a spare is overwritten before this.
    files.syncDir(this.#logDir);
    this.#segments = this.#segments.slice(gone.length);
    removeLeftovers(files, this.#logDir, [".del"]);
  }

  /** A freed segment becomes a spare, or is removed when there are enough or it is too small. */
  #retireName({ name, bytes }: SegmentFact): void {
    const { files } = this.#world;
    if (!files.exists(join(this.#logDir, name))) return; // an earlier trim came so far and failed
    const spare = this.#options.recycle && bytes >= this.#place.segmentBytes &&
      listSpares(files, this.#logDir).length < sparesMax;
    const retired = spare ? spareNameOf(name) : `${name}.del`;
    files.rename(join(this.#logDir, name), join(this.#logDir, retired));
  }

  facts(): WriterFacts {
    return {
      start: this.#segments[0]?.base ?? this.#next,
      end: this.#mark.position,
      epoch: this.#epoch,
      bytes: this.#segments.reduce((sum, { bytes }) => sum + bytes, 0) + (this.#live?.filled ?? 0),
      freeBytes: this.#space(),
      state: this.#state,
      commits: this.#commits,
      syncMs: this.#syncMs,
    };
  }
  /** The segments whose messages are all before some position may go: retention decides, this tells what there is. */
  segments(): readonly SegmentFact[] {
    return this.#segments;
  }

  close(): Promise<void> {
    return this.#closed ??= this.#close();
  }

  async #close(): Promise<void> {
    this.#closing = true;
    await this.durable().catch(() => {});
    this.#timers.abort();
    this.#keeper.close();
    this.#cutLive();
  }

  /** Only zeros stand behind the last commit: an orderly stop gives their room back. */
  #cutLive(): void {
    try {
      this.#live?.cut();
    } catch (problem) {
      this.#options.report(`segment ${this.#live?.name} cannot be cut: ${textOf(problem)}`);
    }
    this.#abandon();
  }

  #refusal(): Error {
    if (this.#state === "full") return new LogFull("Cannot take messages: the disk is full");
    if (this.#state === "exhausted") {
      return new LogExhausted("Cannot take messages: the system lacks handles or memory");
    }
    const why = this.#closing ? "the log is closing" : "the disk failed";
    return new LogStopped(`Cannot take messages: ${why}`, "refused", this.#stopCause);
  }

  #groupFor(entryLength: number): Group {
    const last = this.#groups.at(-1);
    if (last?.commit.hasRoom(entryLength)) return last;
    if (last === undefined) this.#world.clock.turn(() => this.#commitBehindCrowd(0, crowdTurns));
    const group = newGroup(this.#spare ?? new Commit());
    this.#spare = undefined;
    this.#groups.push(group);
    return group;
  }

  /** A sync that all of a crowd wait for together costs each of them less than three that they wait for in turn. */
  #commitBehindCrowd(before: number, turns: number): void {
    const { entries } = this.#groups[0]!.commit;
    const isCrowd = this.#groups.length === 1 && entries - before >= crowdEntries;
    if (!isCrowd || turns === 0) return this.#commitAll();
    this.#world.clock.turn(() => this.#commitBehindCrowd(entries, turns - 1));
  }

  /** Each group is synced before the next is written. */
  #commitAll(): void {
    const groups = this.#groups;
    this.#groups = [];
    this.#settled = groups.at(-1)!.promise;
    for (let i = 0; i < groups.length; i++) {
      const { commit, resolve } = groups[i]!;
      this.#commitOne(commit);
      if (this.#state !== "ready") return this.#refuse(groups.slice(i));
      this.#mark.raise(commit.first + commit.count as Position, this.#sequence);
      resolve();
      this.#recycle(commit);
    }
    this.#keeper.grown();
  }

  #recycle(commit: Commit): void {
    commit.reset();
    this.#spare = commit;
  }

  #commitOne(commit: Commit): void {
    try {
      this.#write(commit);
    } catch (problem) {
      if (isNoSpace(problem)) return this.#becomeFull(problem);
      this.#secondTry(commit, problem);
    }
  }

  /** After a failed write or sync the file is never used again: the commit goes to a fresh segment, whose header caps the old one. */
  #secondTry(commit: Commit, problem: unknown): void {
    const what = this.#live ? `writing segment ${this.#live.name}` : "making a segment";
    this.#options.report(`${what} failed (${textOf(problem)}); going on in a new one`);
    this.#abandon();
    try {
      this.#write(commit);
    } catch (again) {
      if (isNoSpace(again)) return this.#becomeFull(again);
      this.#abandon();
      if (isTransient(again)) return this.#becomeExhausted(again);
      this.#state = "stopped";
      this.#stopCause = again;
      this.#options.report(`the log has stopped: ${textOf(again)}`);
    }
  }

  #refuse(groups: readonly Group[]): void {
    const unknown = new LogStopped(
      "Cannot tell whether the messages were kept: the disk failed",
      "unknown",
      this.#stopCause,
    );
    for (const group of groups) {
      group.promise.catch(() => {}); // refused whether or not somebody waits
      group.reject(this.#state !== "stopped" && group.commit !== this.#unsealed ? this.#refusal() : unknown);
    }
    // What was refused stands behind a seal or nowhere, so its positions are free.
    this.#next = Math.min(this.#next, groups[0]?.commit.first ?? this.#next) as Position;
    this.#spare = new Commit();
  }

  #write(commit: Commit): void {
    const live = this.#segmentFor(commit);
    const sealed = live.sealed(commit, this.#world.clock.now(), this.#epoch);
    const begin = this.#world.clock.elapsed();
    // Over zeros part of a write may be all that matters; beyond them the file would be too short.
    if (live.isFilled(commit.length)) this.#unsealed = commit;
    live.write(sealed);
    this.#unsealed = commit;
    live.sync(sealed);
    this.#unsealed = undefined;
    this.#syncMs += this.#world.clock.elapsed() - begin;
    this.#commits++;
    this.#committedAt = this.#world.clock.elapsed();
    this.#seal = live.seal(commit.first + commit.count as Position);
  }

  #segmentFor(commit: Commit): LiveSegment {
    const live = this.#live;
    if (live === undefined || !live.hasRoom(commit.length)) return this.#roll(commit);
    if (!live.isFilled(commit.length)) {
      this.#needSpace(this.#fillBytes + commit.length);
      live.fill(commit.length);
    }
    return live;
  }

  #needSpace(bytes: number): void {
    if (this.#world.files.space(this.#logDir) < this.#reserveBytes + bytes) throw new NoRoom();
  }

  /** A disk that does not even answer has no room. */
  #space(): number {
    try {
      return this.#world.files.space(this.#logDir);
    } catch {
      return 0;
    }
  }

  #roll(commit: Commit): LiveSegment {
    this.#needSpace(this.#fillBytes + commit.length);
    this.#retire();
    this.#writeEpoch();
    return this.#begin(commit);
  }

  /** A new segment whose first commit will be this one; with `copied` it is in it already. */
  #begin(commit: Commit, copied?: Beginning["copied"]): LiveSegment {
    const sequence = ++this.#sequence;
    const live = LiveSegment.begin(this.#place, { sequence, previous: this.#seal, commit, copied });
    const { name, id, base } = live;
    this.#unsealed = undefined;
    this.#live = live;
    this.#seal = live.seal(copied ? this.recovered.end : base);
    this.#segments.push({ name, id, base, bytes: 0, created: this.#world.clock.now() });
    return live;
  }

  #writeEpoch(): void {
    if (this.#epochWritten) return;
    writeNumber(this.#world.files, join(this.#dir, "epoch"), this.#epoch);
    this.#epochWritten = true;
  }

  /** The live segment is full: its facts stay, its handle goes. */
  #retire(): void {
    const live = this.#live;
    if (live === undefined) return;
    this.#live = undefined;
    this.#segments = this.#segments.map((fact) => fact.id === live.id ? { ...fact, bytes: live.filled } : fact);
    live.close();
  }

  #abandon(): void {
    quietly(() => this.#retire());
  }

  #becomeFull(problem: unknown): void {
    // A write that broke off may have left bytes behind the last commit; our own look at the free space left none.
    if (!(problem instanceof NoRoom)) {
      this.#abandon();
      dropBallast(this.#world.files, this.#logDir);
      // A segment behind it excludes what may stand there whole: then its senders can be told that nothing was kept.
      if (this.#unsealed) this.#tryNext(this.#unsealed.first);
    }
    this.#state = "full";
    this.#options.report("the disk is full: refusing messages until there is room");
    void this.#goOnWhenPossible();
  }

  #becomeExhausted(problem: unknown): void {
    this.#state = "exhausted";
    this.#options.report(
      `the system lacks handles or memory (${textOf(problem)}): refusing messages until it has some`,
    );
    void this.#goOnWhenPossible();
  }

  async #goOnWhenPossible(): Promise<void> {
    while (this.#state === "full" || this.#state === "exhausted") {
      await this.#world.clock.sleep(waitMs, this.#timers.signal);
      if (this.#closing) return;
      if (!this.#isPossible()) continue;
      this.#options.report(`${this.#state === "full" ? "there is room on the disk again: " : ""}taking messages again`);
      this.#state = "ready";
    }
  }

  /** Whether what was missing is there again. What has not been copied yet of the last life comes first. */
  #isPossible(): boolean {
    if (this.#state === "full" && this.#space() < this.#reserveBytes + this.#place.segmentBytes) return false;
    if (!this.#settleLast()) return false;
    return this.#state === "full" || this.#live !== undefined || this.#tryNext(this.#next);
  }

  /** Begins the next segment before there is a commit for it. False while the system lacks what that takes. */
  #tryNext(base: Position): boolean {
    const none = new Commit();
    none.first = base;
    try {
      this.#writeEpoch();
      this.#begin(none);
      return true;
    } catch (problem) {
      if (codeOf(problem) === "") throw problem;
      return !isTransient(problem); // who commits next meets the rest
    }
  }
}

/** Our own word for a disk that has less room than we keep back. */
class NoRoom extends Error {
  readonly code = "ENOSPC";
}

function newGroup(commit: Commit): Group {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  return { commit, promise, resolve, reject };
}

/** What becomes of a log that cannot make a segment. */
function stateAfter(problem: unknown): WriterState {
  if (isNoSpace(problem)) return "full";
  return isTransient(problem) ? "exhausted" : "stopped";
}

function textOf(problem: unknown): string {
  return problem instanceof Error ? problem.message : String(problem);
}
