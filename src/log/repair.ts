/**
 * What can be mended in a directory that no process has. Whatever is changed is first copied into `quarantine/`; messages that
 * cannot be read any more stay as they are, and every destination counts them as damaged.
 */
import { crc32 } from "node:zlib";
import { type Files, join, readWhole, replaceFile, type World } from "../os/world.ts";
import { type CursorState, openCursor, waitingIn } from "./cursor.ts";
import { isDamagedNumber, keepNode, nodeInFile, readNumber, writeNumber } from "./directory.ts";
import { firstCommitAt, hexOf } from "./format.ts";
import { destinationKey, encodeMark, type Mark, openMark } from "./mark.ts";
import type { Position } from "./mod.ts";
import { openSeen, type SegmentSeen, type Survey, survey } from "./survey.ts";
import { verdicts } from "./verdict.ts";
import { cursorsIn, deadLettersIn } from "./verify.ts";
import { walk } from "./walk.ts";

/** One thing that can be mended. */
export interface Mending {
  /** Below the data directory. */
  readonly file: string;
  /** What is done: "it is written anew, from …". */
  readonly text: string;
  apply(world: World): void;
}

/**
 * What is to be done, in order, when nobody else has the directory. When that is done, look again: files that are put in their places may show more. `names` are
 * destinations that are known to exist, for the case that a cursor is missing altogether.
 */
export function mendings(files: Files, dir: string, names: readonly string[] = []): Mending[] {
  const seen = survey(files, dir, { holder: undefined });
  const strays = strayMendings(seen, "");
  const [node, ...nodeFile] = mendNode(files, dir, seen);
  if (strays.length > 0) return [...nodeFile, ...strays];
  const dead = deadLettersIn(files, dir).flatMap((name) => {
    const letters = survey(files, join(dir, "dead", name), seen);
    const prefix = `dead/${name}/`;
    return [...strayMendings(letters, prefix), ...logMendings(letters, prefix, new Map())];
  });
  const cursors = cursorsIn(files, dir);
  const own = node === undefined ? [] : cursorMendings(seen, { node, cursors, names });
  const places = new Map(
    [...cursors].flatMap(([name, cursor]) => cursor ? [[destinationKey(name), cursor.position]] : []),
  );
  return [...nodeFile, ...logMendings(seen, "", places), ...own, ...dead];
}

/** The node's id, and how to write it down if it is not. */
function mendNode(files: Files, dir: string, seen: Survey): [string | undefined, ...Mending[]] {
  const written = nodeInFile(files, dir);
  if (written !== undefined) return [written];
  const said = new Set([...cursorsIn(files, dir).values()].flatMap((cursor) => cursor?.node ?? []));
  const node = seen.node ?? (said.size === 1 ? [...said][0] : undefined);
  if (node === undefined) return [undefined];
  const text = `it is written anew: ${node}, as ${seen.node ? "the segments" : "the cursors"} say`;
  return [node, {
    file: "node",
    text,
    apply({ files }) {
      keepCopy(files, dir, dir, "node");
      keepNode(files, dir, node);
    },
  }];
}

function strayMendings(seen: Survey, prefix: string): Mending[] {
  return seen.strays.map(({ name, why, rightly }) => {
    const file = `${prefix}log/${name}`;
    const taken = seen.segments.some((segment) => segment.name === rightly);
    const back = why === "renamed" && !taken;
    return {
      file,
      text: back
        ? `it gets its name back: ${rightly}`
        : `${why === "foreign" ? "another node's" : "a copy"}: it is moved to quarantine/`,
      apply({ files }) {
        const logDir = join(seen.dir, "log");
        if (back) files.rename(join(logDir, name), join(logDir, rightly));
        else moveAside(files, rootOf(seen.dir, prefix), join(logDir, name));
        files.syncDir(logDir);
      },
    };
  });
}

/** The data directory that a log belongs to. */
function rootOf(dir: string, prefix: string): string {
  return prefix === "" ? dir : dir.slice(0, -prefix.length);
}

/** What belongs to one log, a node's or that of dead letters. `places`: how far each destination is, by its key. */
function logMendings(seen: Survey, prefix: string, places: ReadonlyMap<string, Position>): Mending[] {
  return [
    ...mendTail(seen, prefix),
    ...mendEpoch(seen, prefix),
    ...mendLow(seen, prefix),
    ...mendMark(seen, prefix, places),
  ];
}

function mendTail(seen: Survey, prefix: string): Mending[] {
  const last = seen.segments.at(-1);
  const torn = last && lastOf(seen, last).torn;
  if (last === undefined || torn === undefined) return [];
  const file = `log/${last.name}`;
  return [{
    file: prefix + file,
    text: `it is cut at byte ${torn}: what stands behind was never accepted (${last.bytes - torn} bytes)`,
    apply({ files }) {
      keepCopy(files, rootOf(seen.dir, prefix), seen.dir, file, torn);
      const open = files.open(join(seen.dir, file));
      try {
        open.truncate(torn);
        open.sync();
      } finally {
        open.close();
      }
    },
  }];
}

function mendEpoch({ files, dir, segments }: Survey, prefix: string): Mending[] {
  const least = Math.max(0, ...segments.map(({ header }) => header?.epoch ?? 0));
  if (readNumber(files, join(dir, "epoch")) >= least) return [];
  return [mendNumber(dir, prefix, { file: "epoch", value: least, why: "as the segments say" })];
}

function mendLow({ files, dir, segments, low }: Survey, prefix: string): Mending[] {
  const first = segments[0];
  const damaged = isDamagedNumber(files, join(dir, "low"));
  if (first === undefined || (first.base <= low && !damaged)) return [];
  const why = first.base > low
    ? `where the log begins; messages ${low} to ${first.base - 1} are given up`
    : "where the log begins";
  return [mendNumber(dir, prefix, { file: "low", value: first.base, why })];
}

function mendNumber(
  dir: string,
  prefix: string,
  { file, value, why }: { file: string; value: number; why: string },
): Mending {
  return {
    file: prefix + file,
    text: `it is written anew: ${value}, ${why}`,
    apply({ files }) {
      keepCopy(files, rootOf(dir, prefix), dir, file);
      writeNumber(files, join(dir, file), value);
    },
  };
}

/** Without the last commit, of which nobody knows whether it was synced: a start then copies that before it trusts it. */
function mendMark(seen: Survey, prefix: string, destinations: ReadonlyMap<string, Position>): Mending[] {
  const last = seen.segments.at(-1);
  if (seen.mark !== undefined || last === undefined) return [];
  const { certain } = lastOf(seen, last);
  const mark: Mark = { ...certain, segment: last.id, destinations };
  return [{
    file: `${prefix}mark`,
    text: `it is written anew: the log was durable up to ${mark.position} at least`,
    apply({ files }) {
      keepCopy(files, rootOf(seen.dir, prefix), seen.dir, "mark");
      const { slots } = openMark(files, seen.dir);
      slots.put(encodeMark(mark));
      slots.close();
    },
  }];
}

interface LastSegment {
  /** Where the last commit but one ends. */
  readonly certain: Pick<Mark, "position" | "chain" | "offset">;
  /** Where a commit was begun and not finished. */
  readonly torn: number | undefined;
}

function lastOf(seen: Survey, last: SegmentSeen): LastSegment {
  const segment = openSeen(seen, last.name)!;
  try {
    let torn: number | undefined;
    let certain = { position: last.base, chain: segment.chainStart(), offset: firstCommitAt };
    let next = certain;
    for (const step of walk(segment, last.bounds)) {
      if (step.kind === "torn") torn = step.from;
      if (step.kind !== "commit") continue;
      const { header, next: offset } = step.commit;
      certain = next;
      next = { position: header.first + header.count as Position, chain: header.crc, offset };
    }
    return { certain, torn };
  } finally {
    segment.close();
  }
}

interface CursorsKnown {
  readonly node: string;
  readonly cursors: ReadonlyMap<string, CursorState | undefined>;
  readonly names: readonly string[];
}

function cursorMendings(seen: Survey, { node, cursors, names }: CursorsKnown): Mending[] {
  const oldest = seen.segments[0]?.base ?? seen.end;
  const remembered = (name: string) => seen.mark?.destinations.get(destinationKey(name));
  const missing = names.filter((name) => !cursors.has(name) && remembered(name) !== undefined);
  return [...cursors.keys(), ...missing].flatMap((name) => {
    const cursor = cursors.get(name);
    const at = remembered(name) ?? oldest;
    if (cursor === undefined || cursor.node !== node) return [lostCursor(seen.dir, { name, node, at })];
    const sum = verdicts.reduce((total, verdict) => total + cursor.counts[verdict], 0);
    return cursor.start + sum + waitingIn(cursor.sides) === cursor.ahead
      ? []
      : [brokenCursor(seen.dir, { name, node, at: cursor.position })];
  });
}

interface Placed {
  readonly name: string;
  readonly node: string;
  readonly at: Position;
}

function lostCursor(dir: string, { name, node, at }: Placed): Mending {
  const file = `cursors/${name}`;
  return {
    file,
    text: `it is written anew and goes on from ${at}, which may bring copies`,
    apply(world) {
      keepCopy(world.files, dir, dir, file);
      openCursor(world, dir, name, node, { fresh: at, lost: at }).close();
    },
  };
}

function brokenCursor(dir: string, { name, node, at }: Placed): Mending {
  const file = `cursors/${name}`;
  return {
    file,
    text: `its counts do not add up: it begins a new generation where it stands, at ${at}`,
    apply(world) {
      keepCopy(world.files, dir, dir, file);
      const cursor = openCursor(world, dir, name, node, { fresh: at, lost: at });
      cursor.restart(at);
      cursor.close();
    },
  };
}

/** Copies a file, or its end from byte `from` on, into the quarantine of `root`: durable, or it throws. */
function keepCopy(files: Files, root: string, dir: string, file: string, from = 0): void {
  if (!files.exists(join(dir, file))) return;
  const bytes = readWhole(files, join(dir, file)).subarray(from);
  const path = join(root, "quarantine", `${nameIn(file)}-${from}-${checksum(bytes)}.bad`);
  files.makeDir(join(root, "quarantine"));
  files.syncDir(root);
  if (!files.exists(path)) replaceFile(files, path, bytes);
}

function moveAside(files: Files, root: string, path: string): void {
  const folder = join(root, "quarantine");
  files.makeDir(folder);
  files.syncDir(root);
  files.rename(path, join(folder, `${nameIn(path)}-${checksum(new TextEncoder().encode(path))}.bad`));
  files.syncDir(folder);
}

function nameIn(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function checksum(bytes: Uint8Array): string {
  return hexOf(new Uint8Array(new Uint32Array([crc32(bytes)]).buffer));
}
