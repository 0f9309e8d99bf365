/** A file that is still being written, and the handles for writing. */
import { type Files, join, type OpenFile } from "../../src/os/world.ts";
import type { Packing } from "./member.ts";
import { openName } from "./path.ts";

const lineFeed = 10;

export class Part {
  /** Its path in the output directory once it is finished. */
  readonly name: string;
  readonly hour: number;
  /** What is in the file and in the ledger. */
  length = 0;
  created = false;
  #lines: Uint8Array[] = [];
  #bytes = 0;
  readonly #packing: Packing;
  #packed: Uint8Array | undefined;

  constructor(name: string, hour: number, packing: Packing) {
    this.name = name;
    this.hour = hour;
    this.#packing = packing;
  }
  add(body: Uint8Array): void {
    this.#lines.push(body);
    this.#bytes += body.length + 1;
  }
  /** How long the file will be with what was added. */
  get nextLength(): number {
    return this.length + this.packed.length;
  }
  /** What was added, as it stands in the file. */
  get packed(): Uint8Array {
    return this.#packed ??= this.#packing.pack(this.#joined());
  }
  /** Each with its line end. */
  #joined(): Uint8Array {
    const lines = new Uint8Array(this.#bytes);
    let at = 0;
    for (const line of this.#lines) {
      lines.set(line, at);
      at += line.length;
      lines[at++] = lineFeed;
    }
    return lines;
  }
  /** What was added is in the file and in the ledger. */
  settle(): void {
    this.length = this.nextLength;
    this.#lines = [];
    this.#bytes = 0;
    this.#packed = undefined;
  }
}

/** As many files as may be open at once; one that is needed again is opened again. */
export class Handles {
  readonly #files: Files;
  readonly #dir: string;
  readonly #most: number;
  /** The least recently used first. */
  readonly #open = new Map<Part, OpenFile>();

  constructor(files: Files, dir: string, most: number) {
    this.#files = files;
    this.#dir = dir;
    this.#most = most;
  }
  of(part: Part): OpenFile {
    const path = join(this.#dir, openName(part.name));
    const file = this.#open.get(part) ?? (part.created ? this.#files.open(path) : this.#files.create(path));
    part.created = true;
    this.#open.delete(part);
    this.#open.set(part, file);
    if (this.#open.size > this.#most) this.close(this.#open.keys().next().value!);
    return file;
  }
  close(part: Part): void {
    const file = this.#open.get(part);
    this.#open.delete(part);
    file?.close();
  }
  closeAll(): void {
    for (const part of [...this.#open.keys()]) this.close(part);
  }
}
