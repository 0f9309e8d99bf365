/**
 * Takes over what another node, which is no more, still owed its destinations. How far that has come is remembered here, in the
 * file "adopted"; when all of it stands here durably, the other directory is marked, so that it is not started again. A crash in
 * between costs copies, which have the same ids.
 */
import { codeOf, type Files, join, readWhole, replaceFile, type World } from "../os/world.ts";
import { adoptedMark } from "./directory.ts";
import type { Entry, LogWriter, Position } from "./mod.ts";
import { readerOf, type Survey } from "./survey.ts";

export interface AdoptParts {
  /** Ours, for writing. */
  readonly world: World;
  readonly dir: string;
  readonly node: string;
  readonly writer: LogWriter;
  /** The other directory, through a world that cannot be written. */
  readonly reading: World;
  readonly other: Survey & { readonly node: string };
  /** The first position that somebody is still owed. */
  readonly from: Position;
  /**
   * The same messages from number `skip` on, with ids that name the other node; several entries where one would be too long, and
   * undefined when it cannot be understood.
   */
  readonly rewrite: (entry: Entry, skip: number) => readonly Rewritten[] | undefined;
  readonly progress?: (position: Position) => void;
}
export interface Rewritten {
  readonly bytes: Uint8Array;
  readonly count: number;
}
export interface Adopted {
  readonly from: Position;
  readonly to: Position;
  readonly taken: number;
  /** Could not be read any more. */
  readonly lost: number;
}

const batch = { count: 10_000, bytes: 8 << 20 };

/** Resolves when everything stands here durably. Rejects with `LogFull` or `LogStopped`; it can be repeated then. */
export async function adopt(parts: AdoptParts): Promise<Adopted> {
  const { world, dir, other, writer, reading } = parts;
  const known = adoptedUpTo(world.files, dir, other.node);
  const from = Math.max(known, parts.from) as Position;
  const reader = readerOf(reading, other, { from, to: other.end });
  let [taken, lost] = [0, 0];
  try {
    for (let items = reader.next(batch); items.length > 0; items = reader.next(batch)) {
      for (const item of items) {
        const count = "why" in item ? 0 : append(item, from, parts);
        taken += count;
        lost += item.position + item.count - Math.max(from, item.position) - count;
      }
      await writer.durable();
      const last = items.at(-1)!;
      const upTo = last.position + last.count as Position;
      remember(world.files, dir, other.node, upTo);
      parts.progress?.(upTo);
    }
  } finally {
    reader.close();
  }
  markAdopted(world.files, parts);
  return { from, to: Math.max(from, other.end) as Position, taken, lost };
}

function append(entry: Entry, from: Position, { rewrite, writer }: AdoptParts): number {
  const entries = rewrite(entry, Math.max(0, from - entry.position)) ?? [];
  for (const { bytes, count } of entries) writer.append(bytes, count);
  return entries.reduce((sum, { count }) => sum + count, 0);
}

/** How far the messages of `node` have been adopted here. What cannot be read counts as nothing: that costs copies. */
export function adoptedUpTo(files: Files, dir: string, node: string): Position {
  return adoptions(files, dir).get(node) ?? 0 as Position;
}

function adoptions(files: Files, dir: string): Map<string, Position> {
  try {
    const text = new TextDecoder().decode(readWhole(files, join(dir, "adopted")));
    const lines = [...text.matchAll(/^([0-9a-f]{16}) (\d{1,15})$/gm)];
    return new Map(lines.map(([, node, position]) => [node!, Number(position) as Position]));
  } catch (problem) {
    if (codeOf(problem) === "ENOENT") return new Map();
    throw problem;
  }
}

function remember(files: Files, dir: string, node: string, upTo: Position): void {
  const all = adoptions(files, dir).set(node, upTo);
  const text = [...all].map(([node, position]) => `${node} ${position}\n`).join("");
  replaceFile(files, join(dir, "adopted"), new TextEncoder().encode(text));
}

function markAdopted(files: Files, { world, node, other }: AdoptParts): void {
  const text = `${node} has adopted the messages of this directory up to ${other.end}, ${
    new Date(world.clock.now()).toISOString()
  }\n`;
  replaceFile(files, join(other.dir, adoptedMark), new TextEncoder().encode(text));
}
