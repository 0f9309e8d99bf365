/**
 * A simulated file's content: what a reader sees, what a power cut would leave, and the changes in between. The rules are
 * ALICE's: each unsynced write is kept, dropped, torn at sectors or garbled by itself; its size change goes its own way;
 * a write that was interrupted damages nothing outside its own bytes.
 */
import { pick } from "./chance.ts";

const sectorBytes = 512;
export const blockBytes = 4096;

/** Bytes that cost memory only as far as something was written. */
class Content {
  size = 0;
  #bytes = new Uint8Array(0);

  read(at: number, into: Uint8Array): number {
    const count = Math.max(0, Math.min(into.length, this.size - at));
    const there = this.#bytes.subarray(at, at + count);
    into.set(there);
    into.fill(0, there.length, count);
    return count;
  }
  /** Does not change the size: bytes behind it are there, but nobody sees them until it grows. */
  put(at: number, bytes: Uint8Array): void {
    const end = at + bytes.length;
    if (end > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(end, Math.min(this.#bytes.length * 2, end + 1_048_576)));
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes.set(bytes, at);
  }
  resize(size: number): void {
    if (size < this.size) this.#bytes.fill(0, size);
    this.size = size;
  }
  copy(): Content {
    const copy = new Content();
    copy.size = this.size;
    copy.#bytes = this.#bytes.slice(0, this.size);
    return copy;
  }
}

type Change =
  | { readonly kind: "write"; readonly at: number; readonly bytes: Uint8Array; forgotten: boolean }
  | { readonly kind: "size"; readonly size: number };

export class Inode {
  #seen = new Content();
  #durable = new Content();
  #pending: Change[] = [];
  /** Blocks that take room on the disk: holes don't. */
  readonly #blocks = new Set<number>();
  /** Names it has, and handles that are open on it. */
  uses = 0;

  get size(): number {
    return this.#seen.size;
  }
  get allocated(): number {
    return this.#blocks.size * blockBytes;
  }
  get dirty(): boolean {
    return this.#pending.length > 0;
  }
  read(at: number, into: Uint8Array): number {
    return this.#seen.read(at, into);
  }
  bytes(): Uint8Array {
    const all = new Uint8Array(this.size);
    this.read(0, all);
    return all;
  }
  /** How many blocks a write there would have to be given. */
  blocksMissing(at: number, length: number): number {
    let missing = 0;
    for (let block = firstBlock(at); block * blockBytes < at + length; block++) if (!this.#blocks.has(block)) missing++;
    return missing;
  }
  write(at: number, bytes: Uint8Array): void {
    const own = bytes.slice();
    this.#seen.put(at, own);
    this.#pending.push({ kind: "write", at, bytes: own, forgotten: false });
    for (let block = firstBlock(at); block * blockBytes < at + own.length; block++) this.#blocks.add(block);
    if (at + own.length > this.size) this.#resize(at + own.length);
  }
  truncate(size: number): void {
    for (const block of this.#blocks) if (block * blockBytes >= size) this.#blocks.delete(block);
    this.#resize(size);
  }
  #resize(size: number): void {
    this.#seen.resize(size);
    this.#pending.push({ kind: "size", size });
  }
  sync(): void {
    for (const change of this.#pending) {
      if (change.kind === "size") this.#durable.resize(change.size);
      else if (!change.forgotten) this.#durable.put(change.at, change.bytes);
    }
    this.#pending = this.#pending.filter((change) => change.kind === "write" && change.forgotten);
  }
  /** What Linux does: the pages count as clean from now on, still readable, never written. */
  failSync(): void {
    for (const change of this.#pending) if (change.kind === "write") change.forgotten = true;
  }
  /** What is there after a power cut. `keep` is the chance of each change to have made it. */
  afterPowerCut(random: () => number, keep: number): Inode {
    const image = this.#durable.copy();
    const sizes = this.#pending.filter((change) => change.kind === "size").length;
    // The size is one number in one journalled place: its changes arrive in order, up to some moment.
    let sizesKept = keep === 1 ? sizes : keep === 0 ? 0 : pick(random, sizes + 1);
    for (const change of this.#pending) {
      if (change.kind === "size") {
        if (sizesKept-- > 0) image.resize(change.size);
      } else if (!change.forgotten) {
        crash(image, change.at, change.bytes, random, keep);
      }
    }
    // What lies behind the size is no part of the file any more, even if it grows again.
    const size = image.size;
    image.size = Number.MAX_SAFE_INTEGER;
    image.resize(size);
    return Inode.of(image);
  }
  /** Damage by hand, on disk and in the cache alike. */
  damage(change: (bytes: Uint8Array) => Uint8Array): void {
    const bytes = change(this.bytes());
    const content = new Content();
    content.put(0, bytes);
    content.size = bytes.length;
    this.#replace(content);
  }
  #replace(content: Content): void {
    this.#seen = content;
    this.#durable = content.copy();
    this.#pending = [];
    this.#blocks.clear();
    for (let block = 0; block * blockBytes < content.size; block++) this.#blocks.add(block);
  }
  static of(content: Content): Inode {
    const inode = new Inode();
    inode.#replace(content);
    return inode;
  }
}

function firstBlock(at: number): number {
  return Math.floor(at / blockBytes);
}

/** One unsynced write meets the power cut. */
function crash(image: Content, at: number, bytes: Uint8Array, random: () => number, keep: number): void {
  if (keep === 0) return;
  if (keep === 1) return image.put(at, bytes);
  const fate = random();
  if (fate < 0.35) return;
  if (fate < 0.7) return image.put(at, bytes);
  const garbled = fate > 0.9;
  for (let from = 0; from < bytes.length;) {
    const to = Math.min(bytes.length, from + sectorBytes - (at + from) % sectorBytes);
    if (random() < keep) image.put(at + from, bytes.subarray(from, to));
    else if (garbled) image.put(at + from, Uint8Array.from({ length: to - from }, () => pick(random, 256)));
    from = to;
  }
}
