/** What a data directory holds, in numbers. Reads the heads of commits, not what they hold. */
import { type Files, join } from "../os/world.ts";
import { waitingIn } from "./cursor.ts";
import { formatVersion } from "./format.ts";
import type { Position } from "./mod.ts";
import { openSeen, type SegmentSeen, type Survey, survey } from "./survey.ts";
import { type Counts, verdicts } from "./verdict.ts";
import { cursorsIn, deadLettersIn } from "./verify.ts";
import { headers } from "./walk.ts";

export interface SegmentStat {
  readonly name: string;
  readonly base: Position;
  readonly end: Position;
  readonly bytes: number;
  readonly commits: number;
  readonly messages: number;
  /** Undefined when its head is damaged. */
  readonly epoch: number | undefined;
  /** Wall time of its first and last commit; undefined when it has none. */
  readonly from: number | undefined;
  readonly to: number | undefined;
}
export interface CursorStat extends Partial<Counts> {
  readonly name: string;
  /** False: the file is there and says nothing. */
  readonly readable: boolean;
  readonly position?: Position;
  readonly pending?: number;
  readonly generation?: number;
  readonly start?: Position;
  readonly paused?: boolean;
}
export interface Stat {
  readonly format: number;
  readonly node: string | undefined;
  readonly epoch: number;
  readonly holder: string | undefined;
  readonly start: Position;
  readonly end: Position;
  /** As the durable mark says; undefined when there is none. */
  readonly durable: Position | undefined;
  readonly bytes: number;
  readonly commits: number;
  readonly messages: number;
  readonly segments: readonly SegmentStat[];
  readonly destinations: readonly CursorStat[];
  readonly dead: readonly { readonly name: string; readonly messages: number; readonly bytes: number }[];
  readonly quarantine: { readonly files: number; readonly bytes: number };
}

export function stat(files: Files, dir: string): Stat {
  const seen = survey(files, dir);
  const segments = segmentStats(seen);
  return {
    format: formatVersion,
    node: seen.node,
    epoch: seen.epoch,
    holder: seen.holder,
    start: seen.segments[0]?.base ?? seen.end,
    end: seen.end,
    durable: seen.mark?.position,
    bytes: sum(segments, "bytes"),
    commits: sum(segments, "commits"),
    messages: sum(segments, "messages"),
    segments,
    destinations: [...cursorsIn(files, dir)].map(([name, cursor]) => {
      if (cursor === undefined) return { name, readable: false };
      const { position, ahead, sides, generation, start, paused, counts } = cursor;
      const pending = Math.max(0, seen.end - ahead) + waitingIn(sides);
      return { name, readable: true, position, pending, generation, start, paused, ...inOrder(counts) };
    }),
    dead: deadLettersIn(files, dir).map((name) => {
      const letters = segmentStats(survey(files, join(dir, "dead", name), seen));
      return { name, messages: sum(letters, "messages"), bytes: sum(letters, "bytes") };
    }),
    quarantine: sizeOf(files, join(dir, "quarantine")),
  };
}

function inOrder(counts: Counts): Counts {
  return Object.fromEntries(verdicts.map((verdict) => [verdict, counts[verdict]])) as Counts;
}

function segmentStats(seen: Survey): SegmentStat[] {
  return seen.segments.flatMap((segment) => segmentStat(seen, segment) ?? []);
}

/** Nothing when it was freed meanwhile. */
function segmentStat(seen: Survey, { name, base, bytes, header, seal, bounds }: SegmentSeen): SegmentStat | undefined {
  const segment = openSeen(seen, name);
  if (segment === undefined) return undefined;
  let [commits, messages, end] = [0, 0, base as number];
  let from: number | undefined;
  let to: number | undefined;
  try {
    for (const { header } of headers(segment, bounds.limit)) {
      // At the end of the log a torn commit may seem to be there.
      if (seal === undefined && header.first + header.count > seen.end) break;
      commits++;
      messages += header.count;
      end = header.first + header.count;
      from ??= header.time;
      to = header.time;
    }
  } finally {
    segment.close();
  }
  return { name, base, end: seal?.end ?? end as Position, bytes, commits, messages, epoch: header?.epoch, from, to };
}

function sum<K extends string>(all: readonly Readonly<Record<K, number>>[], key: K): number {
  return all.reduce((total, one) => total + one[key], 0);
}

function sizeOf(files: Files, dir: string): { files: number; bytes: number } {
  const names = files.exists(dir) ? files.list(dir) : [];
  const sizes = names.map((name) => {
    const file = files.open(join(dir, name));
    try {
      return file.size();
    } finally {
      file.close();
    }
  });
  return { files: names.length, bytes: sizes.reduce((total, bytes) => total + bytes, 0) };
}
