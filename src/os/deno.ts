/** The real outside: files, clock and chance by Deno. With the shells, the only file that says `Deno.` */
import { statfsSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { setImmediate } from "node:timers";
import {
  type Clock,
  codeOf,
  type Files,
  type FilesAside,
  type Lock,
  type OpenFile,
  parentOf,
  type World,
} from "./world.ts";

export function realWorld(): World {
  return { files: new DenoFiles(), clock: denoClock, random: Math.random };
}

class DenoFiles implements Files {
  readonly aside: FilesAside = denoFilesAside;

  create(path: string, rights?: "private"): OpenFile {
    const mode = rights === "private" ? 0o600 : 0o640;
    const file = Deno.openSync(path, { read: true, write: true, createNew: true, mode });
    if (rights === "private") giveAway(path, file);
    return new DenoFile(file);
  }
  open(path: string, to?: "read"): OpenFile {
    return new DenoFile(Deno.openSync(path, { read: true, write: to !== "read" }));
  }
  exists(path: string): boolean {
    try {
      Deno.lstatSync(path);
      return true;
    } catch (problem) {
      if (problem instanceof Deno.errors.NotFound) return false;
      throw problem;
    }
  }
  list(dir: string): string[] {
    return [...Deno.readDirSync(dir)].map((entry) => entry.name).sort();
  }
  makeDir(dir: string): void {
    Deno.mkdirSync(dir, { recursive: true, mode: 0o750 });
  }
  rename(from: string, to: string): void {
    Deno.renameSync(from, to);
  }
  remove(path: string): void {
    Deno.removeSync(path);
  }
  syncDir(dir: string): void {
    // Windows cannot open a directory as a file; NTFS journals its names by itself.
    if (Deno.build.os === "windows") return;
    using handle = Deno.openSync(dir, { read: true });
    handle.syncSync();
  }
  lock(path: string, holder: string): Lock {
    const file = Deno.openSync(path, { read: true, write: true, create: true, mode: 0o640 });
    giveAway(path, file);
    if (!file.tryLockSync(true) && !triedAgain(file)) {
      const other = holderIn(file);
      file.close();
      return { held: false, holder: other };
    }
    file.truncateSync(0);
    file.writeSync(new TextEncoder().encode(`${holder}\n`));
    held.push(file);
    return { held: true };
  }
  holder(path: string): string | undefined {
    if (!this.exists(path)) return undefined;
    using file = Deno.openSync(path, { read: true });
    if (!file.tryLockSync(false)) return holderIn(file) || "another process";
    file.unlockSync();
    return undefined;
  }
  space(path: string): number {
    const { bavail, bsize } = statfsSync(path);
    return bavail * bsize;
  }
}

const denoFilesAside: FilesAside = {
  async exists(path) {
    try {
      await Deno.lstat(path);
      return true;
    } catch (problem) {
      if (problem instanceof Deno.errors.NotFound) return false;
      throw problem;
    }
  },
  async list(dir) {
    const names: string[] = [];
    for await (const { name } of Deno.readDir(dir)) names.push(name);
    return names.sort();
  },
  rename: (from, to) => Deno.rename(from, to),
  remove: (path) => Deno.remove(path),
  async syncDir(dir) {
    if (Deno.build.os === "windows") return;
    using handle = Deno.openSync(dir, { read: true });
    await handle.sync();
  },
  async space(path) {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  },
};

/** What root makes in another's directory is for that one to read: a node, most often. */
function giveAway(path: string, file: Deno.FsFile): void {
  const { uid, gid } = Deno.statSync(parentOf(path));
  if (uid === null || uid === file.statSync().uid) return;
  try {
    Deno.chownSync(path, uid, gid);
  } catch (problem) {
    // Only root may: anybody else keeps it.
    if (codeOf(problem) !== "EPERM") throw problem;
  }
}

/** Who only asks whether the lock is held has it for an instant: that must not stop a start. */
function triedAgain(file: Deno.FsFile): boolean {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
  return file.tryLockSync(true);
}

function holderIn(file: Deno.FsFile): string {
  const bytes = new Uint8Array(256);
  const count = file.readSync(bytes) ?? 0;
  return new TextDecoder().decode(bytes.subarray(0, count)).trim();
}

/** Locks last as long as their handle: kept here so that no collection of garbage closes one. */
const held: Deno.FsFile[] = [];

class DenoFile implements OpenFile {
  readonly #file: Deno.FsFile;
  /** Where the next read or write of the handle would be: seeking only when needed saves a call a commit. */
  #at = 0;

  constructor(file: Deno.FsFile) {
    this.#file = file;
  }
  read(at: number, into: Uint8Array): number {
    this.#seek(at);
    let count = 0;
    while (count < into.length) {
      const got = this.#file.readSync(count === 0 ? into : into.subarray(count));
      if (got === null || got === 0) break;
      count += got;
    }
    this.#at = at + count;
    return count;
  }
  async readAside(at: number, into: Uint8Array): Promise<number> {
    this.#seek(at);
    let count = 0;
    while (count < into.length) {
      const got = await this.#file.read(into.subarray(count));
      if (got === null || got === 0) break;
      count += got;
    }
    this.#at = at + count;
    return count;
  }
  write(at: number, bytes: Uint8Array): void {
    this.#seek(at);
    let count = 0;
    try {
      while (count < bytes.length) count += this.#file.writeSync(count === 0 ? bytes : bytes.subarray(count));
    } finally {
      this.#at = at + count;
    }
  }
  sync(): void {
    this.#file.syncDataSync();
  }
  async writeAside(at: number, bytes: Uint8Array): Promise<void> {
    this.#seek(at);
    let count = 0;
    try {
      while (count < bytes.length) count += await this.#file.write(bytes.subarray(count));
    } finally {
      this.#at = at + count;
    }
    await this.#file.syncData();
  }
  truncate(bytes: number): void {
    this.#file.truncateSync(bytes);
  }
  size(): number {
    return this.#file.statSync().size;
  }
  close(): void {
    this.#file.close();
  }
  #seek(at: number): void {
    if (at !== this.#at) this.#file.seekSync(at, Deno.SeekMode.Start);
    this.#at = at;
  }
}

const denoClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  sleep(ms, signal) {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const done = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal?.addEventListener("abort", done, { once: true });
    });
  },
  turn: (run) => void setImmediate(run),
};
