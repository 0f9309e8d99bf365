/**
 * What the core may ask of the outside: files, time, chance. Everything inside takes a `World`, so that the whole of it
 * can run under a simulation that cuts the power, tears writes and fails the n-th call.
 */

export interface World {
  readonly files: Files;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/**
 * Files and directories, synchronously: a sync blocks its thread for the 0.2 ms that are its commit's time anyway. A thread
 * that others wait for at any time writes and syncs aside.
 * What fails throws an error with the system's `code` (see `codeOf`).
 */
export interface Files {
  /** Fails with EEXIST if `path` exists. A private one is for the owner of its directory alone. */
  create(path: string, rights?: "private"): OpenFile;
  /** For reading and writing, or for reading alone; fails with ENOENT if there is no such file. */
  open(path: string, to?: "read"): OpenFile;
  exists(path: string): boolean;
  /** Names of files and directories in `dir`, sorted. Fails with ENOENT if there is no such directory. */
  list(dir: string): string[];
  /** With its parents; no error if it exists. */
  makeDir(dir: string): void;
  /** Replaces `to` if it exists. */
  rename(from: string, to: string): void;
  remove(path: string): void;
  /** Makes creations, renames and removals in `dir` survive a power cut. */
  syncDir(dir: string): void;
  readonly aside: FilesAside;
  /** Held for the life of the process. When another holds it: what that one wrote of itself. */
  lock(path: string, holder: string): Lock;
  /** What the holder of the lock wrote of itself; undefined when nobody holds it. Asks only: the lock is free afterwards. */
  holder(path: string): string | undefined;
  /** Bytes free for us on the file system of `path`. */
  space(path: string): number;
}

/**
 * Calls of `Files`, and only who awaits one waits for the disk: the thread goes on. None that creates or opens a file: the runtime
 * does that in the thread that asks, however it is asked.
 */
export type FilesAside = {
  readonly [name in "exists" | "list" | "rename" | "remove" | "syncDir" | "space"]: (
    ...given: Parameters<Files[name]>
  ) => Promise<ReturnType<Files[name]>>;
};

/** For a world whose disk makes nobody wait. */
export function asideOf(files: Omit<Files, "aside">): FilesAside {
  return {
    exists: (...given) => later(() => files.exists(...given)),
    list: (...given) => later(() => files.list(...given)),
    rename: (...given) => later(() => files.rename(...given)),
    remove: (...given) => later(() => files.remove(...given)),
    syncDir: (...given) => later(() => files.syncDir(...given)),
    space: (...given) => later(() => files.space(...given)),
  };
}

/** Others go on meanwhile. */
function later<T>(act: () => T): Promise<T> {
  return Promise.resolve().then(act);
}

export type Lock = { readonly held: true } | { readonly held: false; readonly holder: string };

export interface OpenFile {
  /** Fills `into` from byte `at` as far as the file goes; returns how many bytes that was. */
  read(at: number, into: Uint8Array): number;
  /** As `read`, and only who awaits it waits for the disk: the thread goes on. One call aside at a time. */
  readAside(at: number, into: Uint8Array): Promise<number>;
  /** All of it or an error; at a position, because segments are filled ahead of need. */
  write(at: number, bytes: Uint8Array): void;
  /** What was written before this call survives a power cut once it returns. */
  sync(): void;
  /** As `write` and then `sync`, aside in the same way. */
  writeAside(at: number, bytes: Uint8Array): Promise<void>;
  /** Cuts the file to `bytes`, or extends it with zeros. */
  truncate(bytes: number): void;
  size(): number;
  close(): void;
}

export interface Clock {
  /** Wall time in ms: for stamps only. */
  now(): number;
  /** Monotonic ms: for every wait and limit. */
  elapsed(): number;
  /** Resolves after `ms`, or as soon as `signal` aborts; never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /**
   * Calls `run` once all that is ready in this turn of the loop has run. In a crowd that is not all that is ready: the runtime
   * completes a limited number of reads a turn.
   */
  turn(run: () => void): void;
}

/** The system's name of what went wrong ("ENOENT", "ENOSPC", …), or "" when it is no error of the system. */
export function codeOf(problem: unknown): string {
  const code = (problem as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : "";
}

/** Whether the error says that there is no room: on the disk, in the quota, or under the file size limit. */
export function isNoSpace(problem: unknown): boolean {
  return ["ENOSPC", "EDQUOT", "EFBIG"].includes(codeOf(problem));
}

/**
 * Whether the system lacks something for a moment that has nothing to do with the disk: handles, memory, an uninterrupted call.
 * The same call may succeed later.
 */
export function isTransient(problem: unknown): boolean {
  return ["EMFILE", "ENFILE", "ENOMEM", "EAGAIN", "EINTR"].includes(codeOf(problem));
}

/** Joins with one slash; the core's paths never end in one. */
export function join(...parts: string[]): string {
  return parts.join("/");
}

/** The directory that holds `path`. */
export function parentOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "." : path.slice(0, slash) || "/";
}

/**
 * Makes `dir` and its parents, and their entries durable. The entries are synced even if they exist: an earlier run may have
 * died between making and syncing them. A parent that may be entered and not read cannot be synced. Nothing is made in such a
 * one, so an entry that stands there is not ours, and is as durable as who made it made it.
 */
export function makeDurableDir(files: Files, dir: string): void {
  for (const path of wayTo(dir)) {
    const parent = parentOf(path);
    if (files.exists(path)) {
      syncIfReadable(files, parent);
    } else {
      files.syncDir(parent);
      files.makeDir(path);
      files.syncDir(parent);
    }
  }
}

/** `dir` and its parents, the outermost first. */
function wayTo(dir: string): string[] {
  const paths: string[] = [];
  for (let path = dir; path !== "." && path !== "/"; path = parentOf(path)) paths.unshift(path);
  return paths;
}

function syncIfReadable(files: Files, dir: string): void {
  try {
    files.syncDir(dir);
  } catch (problem) {
    if (codeOf(problem) !== "EACCES") throw problem;
  }
}

/** The whole of a file. */
export function readWhole(files: Files, path: string): Uint8Array {
  const file = files.open(path);
  try {
    const bytes = new Uint8Array(file.size());
    return bytes.subarray(0, file.read(0, bytes));
  } finally {
    file.close();
  }
}

/** Puts `bytes` under `path` so that a power cut leaves the old content or the new, never a mixture. */
export function replaceFile(files: Files, path: string, bytes: Uint8Array, rights?: "private"): void {
  const temporary = `${path}.new`;
  if (files.exists(temporary)) files.remove(temporary);
  const file = files.create(temporary, rights);
  try {
    file.write(0, bytes);
    file.sync();
  } finally {
    file.close();
  }
  files.rename(temporary, path);
  files.syncDir(parentOf(path));
}
