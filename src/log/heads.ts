/** What the heads of a log's segments say at a start: whose they are, how they are called, in which order they stand. */
import { type Files, join } from "../os/world.ts";
import { DirectoryRefused, listSegments } from "./directory.ts";
import { decodeSegmentHeader, hexOf, segmentHeaderBytes, segmentName } from "./format.ts";
import type { SegmentHeader } from "./format.ts";
import type { SegmentFact } from "./recover.ts";
import { Segment } from "./segment.ts";

export interface Head extends SegmentFact {
  /** Undefined when it is damaged: then only the name tells. */
  readonly header: SegmentHeader | undefined;
  /** Its place among segments with the same base. */
  readonly order: number;
}

/** One file is open at a time: there may be more segments than handles. Throws for a segment of a later version. */
export function headsOf(files: Files, logDir: string): Head[] {
  return listSegments(files, logDir).map((name) => withSegment(files, logDir, name, headOf));
}

export function withSegment<T>(files: Files, logDir: string, name: string, use: (segment: Segment) => T): T {
  const segment = Segment.open(files, logDir, name);
  try {
    return use(segment);
  } finally {
    segment.close();
  }
}

function headOf(segment: Segment): Head {
  // Where commits are right under the name, it is the head that is wrong.
  const header = segment.header ?? (segment.isEmpty() ? headerUnderOtherName(segment) : undefined);
  return {
    name: segment.name,
    id: header?.segment ?? segment.id,
    base: header?.base ?? segment.base,
    bytes: segment.size(),
    created: header?.created ?? 0,
    header,
    order: header?.sequence ?? segment.order,
  };
}

/** A head that is right under the id it gives itself was not damaged: somebody gave its file another name. */
function headerUnderOtherName(segment: Segment): SegmentHeader | undefined {
  const bytes = segment.view(0, segmentHeaderBytes);
  const header = decodeSegmentHeader(bytes, hexOf(bytes.subarray(24, 32)));
  return typeof header === "object" ? header : undefined;
}

export function refuseForeign(heads: readonly Head[], node: string): void {
  const foreign = heads.find(({ header }) => header && header.node !== node);
  if (foreign === undefined) return;
  const says = foreign.header!.node;
  throw new DirectoryRefused(
    `Cannot open segment "${foreign.name}": its head says node ${says}, the directory says node ${node}`,
  );
}

/** Oldest first: by base position, then by sequence. */
export function inOrder(heads: readonly Head[]): Head[] {
  return heads.toSorted((a, b) => a.base - b.base || (a.order < b.order ? -1 : 1));
}

/** Every segment has its own number, and those whose heads do not tell had one too. */
export function lastSequence(heads: readonly Head[]): number {
  return heads.reduce((last, { header }) => Math.max(last, header?.sequence ?? last + 1), 0);
}

/**
 * Gives renamed segments their names back, because readers go by them. A second copy of one goes to the quarantine. Returns the
 * heads with their right names, and says what was done.
 */
export function nameRightly(files: Files, dir: string, heads: readonly Head[]): { heads: Head[]; notes: string[] } {
  const notes: string[] = [];
  const named = heads.flatMap((head): Head[] => {
    const name = head.header ? segmentName(head.base, head.id) : head.name;
    if (name === head.name) return [head];
    const copy = files.exists(join(dir, "log", name));
    move(
      files,
      join(dir, "log", head.name),
      copy ? join(dir, "quarantine") : join(dir, "log"),
      copy ? head.name : name,
    );
    notes.push(
      `${head.name} is ${copy ? "a copy of " : ""}segment ${name}: it was ${copy ? "set aside" : "renamed back"}`,
    );
    return copy ? [] : [{ ...head, name }];
  });
  return { heads: named, notes };
}

function move(files: Files, from: string, folder: string, name: string): void {
  files.makeDir(folder);
  files.rename(from, join(folder, name));
  files.syncDir(folder);
}
