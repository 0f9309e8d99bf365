/**
 * The log: one segmented, checksummed sequence of entries. In come the bytes of requests; out come the same bytes, durable,
 * each message under a position of its own. It must not know what the bytes mean, who sent them or who will have them.
 * The bytes on disk are described in FORMAT.md.
 */

import type { Counts } from "./verdict.ts";

declare const brand: unique symbol;
/** The number of a message in this node's log, counted from 0 for ever; only the log makes these. */
export type Position = number & { readonly [brand]: true };

/** What one request brought in: `count` messages in `bytes`, the first of them at `position`; committed at `time` (ms). */
export interface Entry {
  readonly position: Position;
  readonly count: number;
  readonly epoch: number;
  readonly time: number;
  readonly bytes: Uint8Array;
}
/** A range that cannot be read any more. */
export interface Gap {
  readonly position: Position;
  readonly count: number;
  readonly why: "damaged" | "trimmed";
}

export interface LogWriter {
  /** Takes an entry into the next commit; throws `LogFull` or `LogStopped`. Order is the order of the calls. The bytes are copied. */
  append(bytes: Uint8Array, count: number): Position;
  /** Where the next entry would begin. */
  readonly next: Position;
  /** Resolves once everything appended so far would survive a power cut; the same promise for all of one commit. */
  durable(): Promise<void>;
  /** Resolves when the log works: by a commit of the last ten seconds, else by an empty one. Rejects when a request would be refused. */
  probe(): Promise<void>;
  /** Gives back the disk space of whole segments that end before `before`. */
  trim(before: Position): void;
  close(): Promise<void>;
}

export interface LogReader {
  /** The node whose log this is, 16 hex digits: part of every id. */
  readonly node: string;
  /**
   * The next durable entries and gaps, in order and without holes, at most about `limit.count` messages and `limit.bytes`;
   * none when caught up. An entry that begins before the reader's start comes whole: the pump skips what it has had.
   */
  next(limit: { readonly count: number; readonly bytes: number }): (Entry | Gap)[];
  /** Goes on from there. */
  seek(to: Position): void;
  close(): void;
}

/** Of a topic that waits: its messages have no verdict from there on, so many before `ahead`. */
export interface Side {
  readonly from: Position;
  readonly waits: number;
}

/**
 * How far a destination has come: everything before `position` has a verdict. Where topics cannot go on, others do: then
 * everything before `ahead` has one as well, but for the messages of those topics from their side cursors on. What has a verdict
 * is counted: `start` + the counts + what waits = `ahead`.
 */
export interface Cursor {
  readonly position: Position;
  readonly ahead: Position;
  /** By topic; none before `position`, all before `ahead`. */
  readonly sides: ReadonlyMap<string, Side>;
  /** How many messages wait beside what is delivered ahead of them. */
  readonly waiting: number;
  /** Whether there is room for the side cursors of these topics. */
  holdsSides(topics: Iterable<string>): boolean;
  /** How it is after a step; `counts` are those of the step, and have to fit. Durable with the next `sync`. */
  settle(ahead: Position, sides: ReadonlyMap<string, Side>, counts: Partial<Counts>): void;
  /** Nothing has changed since the last `sync`. */
  readonly synced: boolean;
  readonly counts: Counts;
  readonly generation: number;
  /** Where the generation began. */
  readonly start: Position;
  /** How far the cursor would be after a power cut: what retention goes by. */
  readonly durable: Position;
  /** The same where no topic waits. Durable within a second, and before any segment behind it is removed. */
  advance(to: Position, counts: Partial<Counts>): void;
  /** So many of those taken in this generation were dead letters before, and counted as such. */
  readonly retaken: number;
  /** So many dead letters were taken after all: counted so from now on. Durable when it returns. */
  retake(count: number): void;
  /** By command: nothing is delivered until it is resumed, over restarts. */
  readonly paused: boolean;
  /** By command only: a new generation from `at`, counts from zero. Durable when it returns. */
  restart(at: Position): void;
  /** By command only: pauses or resumes. Durable when it returns. */
  pause(paused: boolean): void;
  /** Makes what `advance` said survive a power cut. */
  sync(): void;
  close(): void;
}

/** How far the log is durable. The writer raises it, readers never read past it. */
export interface Watermark {
  readonly position: Position;
  /** The sequence number of the segment that was written last: earlier ones have a seal. */
  readonly segment: number;
  raise(to: Position, segment: number): void;
  /** Resolves as soon as the watermark stands above `from`, or `signal` aborts. */
  above(from: Position, signal: AbortSignal): Promise<void>;
}

export { adopt, type Adopted, adoptedUpTo } from "./adopt.ts";
export { Budget, Tail } from "./backlog.ts";
export { type CursorState, makeCursor, openCursor, peekCursors } from "./cursor.ts";
export { adoptedMark, claimDirectory, DirectoryBusy, DirectoryRefused, lockDirectory, nodeOf } from "./directory.ts";
export { dump, type Found } from "./dump.ts";
export type { Finding } from "./finding.ts";
export { entryBytesMax } from "./format.ts";
export { destinationKey, peekMark } from "./mark.ts";
export { parsePoint, type Point, pointHelp, positionOf } from "./point.ts";
export { unreadableSegment } from "./readable.ts";
export { DiskFails, SegmentReader } from "./reader.ts";
export { type Mending, mendings } from "./repair.ts";
export { roomFor } from "./room.ts";
export { keepSpares } from "./spares.ts";
export { freeBefore } from "./retention.ts";
export type { Damage, Recovered, SegmentFact } from "./recover.ts";
export { NewerFormat } from "./segment.ts";
export { type SegmentStat, type Stat, stat } from "./stat.ts";
export { readerOf, type Survey, survey } from "./survey.ts";
export { Timeline } from "./timeline.ts";
export { type Counts, type Verdict, verdicts } from "./verdict.ts";
export { cursorsIn, deadLettersIn, type Verification, verify } from "./verify.ts";
export { FollowingWatermark, LocalWatermark, RaisingWatermark } from "./watermark.ts";
export { LogExhausted, LogFull, LogStopped, SegmentWriter } from "./writer.ts";
export type { WriterFacts, WriterOptions, WriterState } from "./writer.ts";
