/**
 * The file "keys" in the data directory: what is kept of each key, a line of JSON each, and a checksum at the end, so that a damaged
 * file opens no door. Written by `sparkngin key` alone; a running node reads it again when it has changed.
 */
import { crc32 } from "node:zlib";
import { codeOf, type Files, join, makeDurableDir, readWhole, replaceFile } from "../os/world.ts";
import { checked, type Key } from "./key.ts";

/** The file is not as it was written. */
export class KeysDamaged extends Error {}

export const keysMax = 1000;
const title = "sparkngin keys 1";
const decoder = new TextDecoder("utf-8", { fatal: true });

export function keysPath(dir: string): string {
  return join(dir, "keys");
}

/** The bytes of the file; nothing when there is no such file. */
export function readKeyFile(files: Files, dir: string): Uint8Array | undefined {
  try {
    return readWhole(files, keysPath(dir));
  } catch (problem) {
    if (codeOf(problem) === "ENOENT") return undefined;
    throw problem;
  }
}

/** Throws `KeysDamaged`. */
export function loadKeys(files: Files, dir: string): Key[] {
  return parseKeys(readKeyFile(files, dir));
}

/** Puts them in the place of those that were there; whoever runs the node, and nobody else, can read them. */
export function storeKeys(files: Files, dir: string, keys: readonly Key[]): void {
  makeDurableDir(files, dir);
  replaceFile(files, keysPath(dir), renderKeys(keys), "private");
}

export function renderKeys(keys: readonly Key[]): Uint8Array {
  const body = [title, ...keys.map((key) => JSON.stringify(key))].join("\n") + "\n";
  return new TextEncoder().encode(`${body}${sumOf(body)}\n`);
}

/** None where there is no file. Throws `KeysDamaged`. */
export function parseKeys(bytes: Uint8Array | undefined): Key[] {
  if (bytes === undefined) return [];
  try {
    const text = decoder.decode(bytes);
    const sumAt = text.lastIndexOf("\n", text.length - 2) + 1;
    const body = text.slice(0, sumAt);
    if (text.slice(sumAt) !== `${sumOf(body)}\n`) throw new TypeError("its checksum does not fit");
    const [first, ...lines] = body.split("\n").slice(0, -1);
    if (first !== title) throw new TypeError(`it does not begin with "${title}"`);
    return lines.map((line) => checked(JSON.parse(line)));
  } catch (problem) {
    const why = problem instanceof Error ? problem.message : String(problem);
    const remedy = 'move the file "keys" aside and make new keys';
    throw new KeysDamaged(
      `Cannot read the keys: the file "keys" in the data directory is damaged (${why}); ${remedy}`,
      {
        cause: problem,
      },
    );
  }
}

function sumOf(body: string): string {
  return crc32(body).toString(16).padStart(8, "0");
}
