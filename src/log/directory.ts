/** The data directory: whose it is, and that one process has it. */
import { crc32 } from "node:zlib";
import { codeOf, type Files, join, makeDurableDir, readWhole, replaceFile, type World } from "../os/world.ts";
import { parseSegmentName, randomId } from "./format.ts";
import { setFileAside } from "./quarantine.ts";
import { Segment } from "./segment.ts";

/** Another process has the directory. */
export class DirectoryBusy extends Error {}
/** The directory is another node's, or cannot be understood: it is left as it is. */
export class DirectoryRefused extends Error {}

/** Makes the places that are missing, takes the lock for the life of the process and returns the node's id. */
export function claimDirectory(world: World, dir: string, holder: string): string {
  const { files } = world;
  makeDurableDir(files, dir);
  for (const place of ["log", "cursors", "dead", "quarantine"]) files.makeDir(join(dir, place));
  lockDirectory(files, dir, holder);
  refuseAdopted(files, dir);
  files.syncDir(dir);
  const node = nodeOf(files, dir) ?? randomId(world.random);
  if (nodeInFile(files, dir) !== node) keepNode(files, dir, node);
  return node;
}

/** Takes the lock for the life of the process, and changes nothing else. */
export function lockDirectory(files: Files, dir: string, holder: string): void {
  const lock = files.lock(join(dir, "LOCK"), holder);
  if (lock.held) return;
  throw new DirectoryBusy(`Cannot use directory "${dir}": ${lock.holder || "another process"} has it`);
}

/** Stands in a directory whose messages another node has adopted, and says which. */
export const adoptedMark = "ADOPTED";

function refuseAdopted(files: Files, dir: string): void {
  const path = join(dir, adoptedMark);
  if (!files.exists(path)) return;
  const text = new TextDecoder().decode(readWhole(files, path)).trim();
  throw new DirectoryRefused(
    `Cannot use directory "${dir}": node ${text}. To start it all the same, and deliver copies, remove "${path}"`,
  );
}

/** The node id of a directory, from its file or, if that is lost or damaged, from its segments. */
export function nodeOf(files: Files, dir: string): string | undefined {
  const node = nodeInFile(files, dir) ?? nodeInSegments(files, join(dir, "log"));
  if (node === undefined && files.exists(join(dir, "node"))) {
    throw new DirectoryRefused(`Cannot use directory "${dir}": its file "node" is damaged, and no segment tells`);
  }
  return node;
}

/** What the file "node" says; undefined when it is missing or damaged. */
export function nodeInFile(files: Files, dir: string): string | undefined {
  const text = readLine(files, join(dir, "node"));
  return text !== undefined && /^[0-9a-f]{16}$/.test(text) ? text : undefined;
}

function nodeInSegments(files: Files, logDir: string): string | undefined {
  for (const name of listSegments(files, logDir)) {
    const segment = Segment.open(files, logDir, name);
    segment.close();
    if (segment.header) return segment.header.node;
  }
  return undefined;
}

/** Writes the file "node"; what stood there goes to the quarantine. */
export function keepNode(files: Files, dir: string, node: string): void {
  const path = join(dir, "node");
  if (files.exists(path)) setFileAside(files, dir, path);
  writeLine(files, path, node);
}

/** The names of segments in a log's directory, by base position. */
export function listSegments(files: Files, logDir: string): string[] {
  return files.list(logDir).filter((name) => parseSegmentName(name) !== undefined);
}

/** Removes files with one of these endings. One that will not go can wait for the next time. */
export function removeLeftovers(files: Files, logDir: string, endings: readonly string[]): void {
  for (const name of files.list(logDir)) {
    if (!endings.some((ending) => name.endsWith(ending))) continue;
    try {
      files.remove(join(logDir, name));
    } catch (problem) {
      if (codeOf(problem) === "") throw problem;
    }
  }
}

/** A number in a small text file; 0 when there is none, or it is damaged. */
export function readNumber(files: Files, path: string): number {
  return numberIn(files, path) ?? 0;
}

/** Whether the file is there and holds no number. */
export function isDamagedNumber(files: Files, path: string): boolean {
  return files.exists(path) && numberIn(files, path) === undefined;
}

function numberIn(files: Files, path: string): number | undefined {
  const text = readLine(files, path) ?? "";
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

export function writeNumber(files: Files, path: string, value: number): void {
  writeLine(files, path, String(value));
}

/** A word and its checksum, which starts from the file's name: so `cat` shows it, and a flipped bit does not pass. */
function writeLine(files: Files, path: string, text: string): void {
  replaceFile(files, path, new TextEncoder().encode(lineOf(path, text)));
}

function readLine(files: Files, path: string): string | undefined {
  try {
    const line = new TextDecoder().decode(readWhole(files, path));
    const text = line.split(" ")[0]!;
    return line === lineOf(path, text) ? text : undefined;
  } catch (problem) {
    if (["ENOENT", "EIO"].includes(codeOf(problem))) return undefined;
    throw problem;
  }
}

function lineOf(path: string, text: string): string {
  const name = path.slice(path.lastIndexOf("/") + 1);
  return `${text} ${crc32(text, crc32(name)).toString(16).padStart(8, "0")}\n`;
}
