/**
 * A log's directory as it stands, for who looks at it from outside: which segments there are, in which order, and how far they
 * may be read. While another process has the directory that is up to the durable mark; otherwise it is everything that is right.
 * Changes nothing; give it a world that cannot.
 */
import { codeOf, type Files, join, type World } from "../os/world.ts";
import { listSegments, nodeOf, readNumber } from "./directory.ts";
import { firstCommitAt, type Seal, type SegmentHeader, segmentName } from "./format.ts";
import { type Head, headsOf, inOrder } from "./heads.ts";
import { type Mark, peekMark } from "./mark.ts";
import type { Position } from "./mod.ts";
import { SegmentReader } from "./reader.ts";
import { Segment } from "./segment.ts";
import { LocalWatermark } from "./watermark.ts";
import { type Bounds, headers, walk } from "./walk.ts";

export interface SegmentSeen {
  readonly name: string;
  readonly id: string;
  readonly base: Position;
  /** Bytes of its file. */
  readonly bytes: number;
  /** Undefined when it is damaged. */
  readonly header: SegmentHeader | undefined;
  /** What the segment after it says of its end. */
  readonly seal: Seal | undefined;
  readonly bounds: Bounds;
}
export interface Survey {
  readonly files: Files;
  readonly dir: string;
  /** From its file, else from its segments; undefined when neither tells. */
  readonly node: string | undefined;
  /** The process that has the directory, as it calls itself; undefined when none has. */
  readonly holder: string | undefined;
  readonly mark: Mark | undefined;
  readonly epoch: number;
  /** Everything before it was given back by retention. */
  readonly low: Position;
  /** Oldest first. */
  readonly segments: readonly SegmentSeen[];
  /** Files that are no part of this log as they are: another node's segments, and our own under a wrong name. */
  readonly strays: readonly { readonly name: string; readonly why: "foreign" | "renamed"; readonly rightly: string }[];
  /** The position after the last message that may be read. */
  readonly end: Position;
}

/** What is known without looking: of a dead-letter log all of it, of a directory that we hold that nobody else does. */
export interface Known {
  readonly node?: string | undefined;
  readonly holder: string | undefined;
}

/** Throws `NewerFormat`. */
export function survey(files: Files, dir: string, known?: Known): Survey {
  const holder = known ? known.holder : files.holder(join(dir, "LOCK"));
  // Before the segments: what it says was written stands in those listed later.
  const mark = peekMark(files, dir);
  const node = known?.node ?? nodeIn(files, dir);
  const low = readNumber(files, join(dir, "low")) as Position;
  const heads = inOrder(headsIn(files, dir));
  const strays = heads.flatMap((head) => strayOf(head, node) ?? []);
  const names = new Set(strays.map(({ name }) => name));
  const own = withBounds(heads.filter(({ name }) => !names.has(name)), mark, holder !== undefined);
  return {
    files,
    dir,
    node,
    holder,
    mark,
    epoch: readNumber(files, join(dir, "epoch")),
    low,
    segments: own,
    strays,
    end: endOf(files, dir, own) ?? low,
  };
}

/** Opens a segment that was seen; undefined when it is gone, because retention freed it meanwhile. */
export function openSeen({ files, dir }: Pick<Survey, "files" | "dir">, name: string): Segment | undefined {
  const logDir = join(dir, "log");
  return files.exists(join(logDir, name)) ? Segment.open(files, logDir, name) : undefined;
}

/** Reads what was seen from `from` on, but not beyond `to`. The world should be one that cannot be written. */
export function readerOf(world: World, seen: Survey, { from, to }: { from: Position; to: Position }): SegmentReader {
  const mark = new LocalWatermark();
  const live = seen.segments.at(-1)?.header?.sequence ?? 0;
  mark.raise(Math.min(to, seen.end) as Position, live);
  return new SegmentReader(world, seen.dir, seen.node ?? "", from, mark);
}

/** A damaged file "node" is no reason not to look. */
function nodeIn(files: Files, dir: string): string | undefined {
  try {
    return nodeOf(files, dir);
  } catch {
    return undefined;
  }
}

/** Retention may free a segment between its listing and our look: then look again. */
function headsIn(files: Files, dir: string): Head[] {
  for (let looks = 0;; looks++) {
    try {
      return headsOf(files, join(dir, "log"));
    } catch (problem) {
      if (codeOf(problem) !== "ENOENT" || looks > 10 || !files.exists(join(dir, "log"))) throw problem;
    }
  }
}

function strayOf({ name, base, id, header }: Head, node: string | undefined): Survey["strays"][number] | undefined {
  if (header === undefined) return undefined;
  const rightly = segmentName(base, id);
  if (node !== undefined && header.node !== node) return { name, why: "foreign", rightly };
  return rightly === name ? undefined : { name, why: "renamed", rightly };
}

function withBounds(segments: readonly Head[], mark: Mark | undefined, live: boolean): SegmentSeen[] {
  const seals = new Map(segments.map(({ header }) => [header?.previous?.segment, header?.previous]));
  const markedAt = segments.findIndex(({ id }) => id === mark?.segment);
  // What was begun since the mark was written may not be durable yet.
  const count = live && markedAt >= 0 ? markedAt + 1 : segments.length;
  return segments.slice(0, count).map((segment, i): SegmentSeen => {
    const seal = seals.get(segment.id);
    const marked = i === markedAt ? mark : undefined;
    return { ...segment, seal, bounds: boundsOf(segment, { seal, marked, closed: live && i === count - 1 }) };
  });
}

/** `closed`: somebody may be writing it, or its end is not told, so only what the mark covers is read. */
function boundsOf(
  { bytes, base }: Head,
  { seal, marked, closed }: { seal: Seal | undefined; marked: Mark | undefined; closed: boolean },
): Bounds {
  if (seal) return { limit: seal.length, synced: seal.length, end: seal.end };
  const synced = marked?.offset ?? 0;
  if (closed) return { limit: Math.max(synced, firstCommitAt), synced, end: marked?.position ?? base };
  return { limit: Math.max(bytes, synced), synced, end: marked?.position };
}

function endOf(files: Files, dir: string, segments: readonly SegmentSeen[]): Position | undefined {
  const last = segments.at(-1);
  const segment = last && openSeen({ files, dir }, last.name);
  if (last === undefined || segment === undefined) return undefined;
  try {
    let end = last.base as number;
    for (const step of walk(segment, last.bounds)) {
      if (step.kind === "commit") end = step.commit.header.first + step.commit.header.count;
      if (step.kind === "damage") end = step.stretch.first + step.stretch.count;
    }
    return end as Position;
  } finally {
    segment.close();
  }
}

/** How far commits can be seen beyond what may be read: nothing durable is further than that. */
export function visibleEnd(seen: Survey): Position {
  let end = seen.end as number;
  for (const name of listSegments(seen.files, join(seen.dir, "log")).slice(-2)) {
    const segment = openSeen(seen, name);
    if (segment === undefined) continue;
    for (const { header } of headers(segment, Infinity)) end = Math.max(end, header.first + header.count);
    segment.close();
  }
  return end as Position;
}
