/** The data directory: whose it is, and that one process has it. */
import { codeOf, type Files, join, makeDurableDir, readWhole, replaceFile, type World } from "../os/world.ts";
import { decodeSegmentHeader, parseSegmentName, randomId, segmentHeaderBytes } from "./format.ts";

/** Another process has the directory. */
export class DirectoryBusy extends Error {}
/** The directory is another node's, or cannot be understood: it is left as it is. */
export class DirectoryRefused extends Error {}

/** Makes the places that are missing, takes the lock for the life of the process and returns the node's id. */
export function claimDirectory(world: World, dir: string, holder: string): string {
  const { files } = world;
  makeDurableDir(files, dir);
  for (const place of ["log", "cursors", "dead", "quarantine"]) files.makeDir(join(dir, place));
  const lock = files.lock(join(dir, "LOCK"), holder);
  if (!lock.held) {
    throw new DirectoryBusy(`Cannot use directory "${dir}": ${lock.holder || "another process"} has it`);
  }
  files.syncDir(dir);
  return nodeOf(files, dir) ?? newNode(world, dir);
}

/** The node id of a directory, from its file or, if that is lost, from its segments. */
export function nodeOf(files: Files, dir: string): string | undefined {
  const path = join(dir, "node");
  if (!files.exists(path)) return nodeOfSegments(files, join(dir, "log"));
  const node = new TextDecoder().decode(readWhole(files, path)).trim();
  if (/^[0-9a-f]{16}$/.test(node)) return node;
  const found = nodeOfSegments(files, join(dir, "log"));
  if (found) return found;
  throw new DirectoryRefused(`Cannot use directory "${dir}": its file "node" does not hold 16 hex digits`);
}

function newNode(world: World, dir: string): string {
  const node = randomId(world.random);
  replaceFile(world.files, join(dir, "node"), new TextEncoder().encode(`${node}\n`));
  return node;
}

function nodeOfSegments(files: Files, logDir: string): string | undefined {
  for (const name of listSegments(files, logDir)) {
    const header = decodeSegmentHeader(headOf(files, join(logDir, name)), parseSegmentName(name)!.segment);
    if (typeof header === "object") return header.node;
  }
  return undefined;
}

function headOf(files: Files, path: string): Uint8Array {
  const file = files.open(path);
  try {
    const bytes = new Uint8Array(segmentHeaderBytes);
    return bytes.subarray(0, file.read(0, bytes));
  } finally {
    file.close();
  }
}

/** The names of segments in a log's directory, by base position. */
export function listSegments(files: Files, logDir: string): string[] {
  return files.list(logDir).filter((name) => parseSegmentName(name) !== undefined);
}

/** A number in a small text file; 0 when there is none. */
export function readNumber(files: Files, path: string): number {
  try {
    const text = new TextDecoder().decode(readWhole(files, path)).trim();
    return /^\d{1,15}$/.test(text) ? Number(text) : 0;
  } catch (problem) {
    if (codeOf(problem) === "ENOENT") return 0;
    throw problem;
  }
}

export function writeNumber(files: Files, path: string, value: number): void {
  replaceFile(files, path, new TextEncoder().encode(`${value}\n`));
}
