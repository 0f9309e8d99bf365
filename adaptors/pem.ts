/** Certificates and keys, as options of adaptors give them: the name of a file, or the PEM text itself. */
import { type Files, readWhole } from "../src/os/world.ts";

export function pemOf(given: string, files: Files): string;
export function pemOf(given: string | undefined, files: Files): string | undefined;
export function pemOf(given: string | undefined, files: Files): string | undefined {
  if (given === undefined || given.includes("-----BEGIN")) return given;
  return new TextDecoder().decode(readWhole(files, given));
}
