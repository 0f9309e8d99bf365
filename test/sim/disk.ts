/** The simulated disk: paths, room, locks and power cuts. What fails throws with the system's code, as the real one does. */
import { Directory, Journal, type Node } from "./directory.ts";
import { blockBytes, Inode } from "./inode.ts";

export class Disk {
  #root = new Directory();
  #journal = new Journal();
  readonly #locks = new Map<string, string>();
  #used = 0;
  /** In bytes; less than is used makes the disk full. */
  capacity = Number.MAX_SAFE_INTEGER;

  get space(): number {
    return Math.max(0, this.capacity - this.#used);
  }
  find(path: string): Node | undefined {
    let node: Node | undefined = this.#root;
    for (const name of parts(path)) {
      if (!(node instanceof Directory)) return undefined;
      node = node.seen.get(name);
    }
    return node;
  }
  file(path: string): Inode {
    const node = this.#must(path);
    if (node instanceof Directory) throw problem("EISDIR", path);
    return node;
  }
  directory(path: string): Directory {
    const node = this.#must(path);
    if (!(node instanceof Directory)) throw problem("ENOTDIR", path);
    return node;
  }
  create(path: string): Inode {
    const [dir, name] = this.#place(path);
    if (dir.seen.has(name)) throw problem("EEXIST", path);
    this.#need(1, path);
    const inode = new Inode();
    inode.uses++;
    this.#journal.enter(dir, name, inode);
    return inode;
  }
  makeDir(path: string): void {
    let dir = this.#root;
    for (const name of parts(path)) {
      if (!dir.seen.has(name)) this.#journal.enter(dir, name, new Directory());
      const next = dir.seen.get(name);
      if (!(next instanceof Directory)) throw problem("ENOTDIR", path);
      dir = next;
    }
  }
  rename(from: string, to: string): void {
    const node = this.#must(from);
    const [fromDir, name] = this.#place(from);
    const [toDir, newName] = this.#place(to);
    const old = toDir.seen.get(newName);
    if (old === node) return;
    if (old instanceof Directory) throw problem("EISDIR", to);
    this.#journal.move(fromDir, name, toDir, newName);
    if (old) this.release(old);
  }
  remove(path: string): void {
    const node = this.#must(path);
    if (node instanceof Directory && node.seen.size > 0) throw problem("ENOTEMPTY", path);
    const [dir, name] = this.#place(path);
    this.#journal.drop(dir, name);
    if (node instanceof Inode) this.release(node);
    // A lock is the file's, not the name's: who makes such a file again can lock that one.
    this.#locks.delete(parts(path).join("/"));
  }
  syncDir(path: string): void {
    this.#journal.sync(this.directory(path));
  }
  /** Writes what there is room for, then throws if that was not all. */
  write(inode: Inode, at: number, bytes: Uint8Array): void {
    const fits = this.#fitting(inode, at, bytes.length);
    if (fits > 0) {
      const before = inode.allocated;
      inode.write(at, bytes.subarray(0, fits));
      this.#used += inode.allocated - before;
    }
    if (fits < bytes.length) throw problem("ENOSPC", `write of ${bytes.length} bytes`);
  }
  truncate(inode: Inode, size: number): void {
    const before = inode.allocated;
    inode.truncate(size);
    this.#used += inode.allocated - before;
  }
  /** By hand, on the disk and in the cache alike. */
  damage(inode: Inode, change: (bytes: Uint8Array) => Uint8Array): void {
    const before = inode.allocated;
    inode.damage(change);
    this.#used += inode.allocated - before;
  }
  /** One name or handle less; without any, its room is free again. */
  release(inode: Inode): void {
    inode.uses--;
    if (inode.uses === 0) this.#used -= inode.allocated;
  }
  /** Who holds it already, or nothing when it is ours now. */
  lock(path: string, holder: string): string | undefined {
    const name = parts(path).join("/");
    const other = this.#locks.get(name);
    if (other !== undefined) return other;
    if (!this.find(path)) this.create(path);
    this.#locks.set(name, holder);
    return undefined;
  }
  holder(path: string): string | undefined {
    return this.#locks.get(parts(path).join("/"));
  }
  unlockAll(): void {
    this.#locks.clear();
  }
  /** Leaves what was durable, and of the rest what chance lets through. */
  cutPower(random: () => number): void {
    const mood = random();
    const keep = mood < 0.15 ? 0 : mood < 0.3 ? 1 : 0.2 + random() * 0.6;
    this.#journal.crash(() => random() < keep);
    this.#used = 0;
    this.#root = this.#afterPowerCut(this.#root, random, keep);
    this.unlockAll();
  }
  #afterPowerCut(dir: Directory, random: () => number, keep: number): Directory {
    const after = new Directory();
    for (const [name, node] of dir.durable) {
      const left = node instanceof Directory
        ? this.#afterPowerCut(node, random, keep)
        : this.#survivor(node, random, keep);
      after.seen.set(name, left);
      after.durable.set(name, left);
    }
    return after;
  }
  #survivor(inode: Inode, random: () => number, keep: number): Inode {
    const left = inode.afterPowerCut(random, keep);
    left.uses = 1;
    this.#used += left.allocated;
    return left;
  }
  /** After the handles of a killed process are gone, only names count. */
  closeAll(): void {
    this.#used = 0;
    const visit = (dir: Directory): void => {
      for (const node of dir.seen.values()) {
        if (node instanceof Directory) {
          visit(node);
        } else {
          node.uses = 1;
          this.#used += node.allocated;
        }
      }
    };
    visit(this.#root);
  }
  #must(path: string): Node {
    const node = this.find(path);
    if (!node) throw problem("ENOENT", path);
    return node;
  }
  #place(path: string): [Directory, string] {
    const names = parts(path);
    const name = names.pop();
    if (name === undefined) throw problem("EINVAL", path);
    return [this.directory(names.join("/")), name];
  }
  #fitting(inode: Inode, at: number, length: number): number {
    let blocks = Math.floor(this.space / blockBytes);
    if (inode.blocksMissing(at, length) <= blocks) return length;
    let end = at;
    while (end < at + length) {
      const next = Math.min(at + length, (Math.floor(end / blockBytes) + 1) * blockBytes);
      blocks -= inode.blocksMissing(end, next - end);
      if (blocks < 0) break;
      end = next;
    }
    return end - at;
  }
  #need(bytes: number, what: string): void {
    if (this.space < bytes) throw problem("ENOSPC", what);
  }
}

/** The relative and the absolute path of the same words are one file here: there is one working directory, the root. */
function parts(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}

const words: Readonly<Record<string, string>> = {
  ENOENT: "No such file or directory",
  EEXIST: "File exists",
  EISDIR: "Is a directory",
  ENOTDIR: "Not a directory",
  ENOTEMPTY: "Directory not empty",
  ENOSPC: "No space left on device",
  EIO: "Input/output error",
  EBADF: "Bad file descriptor",
};

export function problem(code: string, what: string): Error {
  return Object.assign(new Error(`${words[code] ?? code}: ${what} (simulated)`), { code });
}
