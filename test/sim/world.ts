/**
 * The simulated outside: a machine whose power can be cut, whose program can be killed, whose n-th call can fail and whose
 * time passes only when nothing else can run. One seed, one run.
 *
 *     const world = new SimWorld(seed);
 *     const log = openWriter(world.boot(), "data/log", mark);   // `boot` for what must die with the crash
 *     await world.run(log.durable());
 *     world.cutPower();
 */
import { asideOf, type Files, type FilesAside, type Lock, type OpenFile, type World } from "../../src/os/world.ts";
import { chance, pick } from "./chance.ts";
import { SimClock } from "./clock.ts";
import { Directory } from "./directory.ts";
import { Disk, problem } from "./disk.ts";
import { Inode } from "./inode.ts";

/** What code under test can call: all of these are counted and can fail. */
export type Call =
  | "create"
  | "open"
  | "exists"
  | "list"
  | "makeDir"
  | "rename"
  | "remove"
  | "syncDir"
  | "lock"
  | "holder"
  | "space"
  | "read"
  | "write"
  | "sync"
  | "truncate"
  | "size"
  | "close";

export interface FaultOptions {
  /** Which calls count and fail; all of them by default. */
  readonly kinds?: readonly Call[];
  /** Every later one fails too, until `heal`. */
  readonly persistent?: boolean;
  /** A write puts part of its bytes before it fails. */
  readonly short?: boolean;
}
interface Fault extends FaultOptions {
  left: number;
  readonly code: string;
}
type Met = Pick<Fault, "code" | "short"> | undefined;

export class SimWorld implements World {
  readonly random: () => number;
  readonly clock = new SimClock();
  /** Calls made so far. */
  calls = 0;
  /** Handles that are open: what was opened and not closed in this life. */
  openHandles = 0;
  /** Called before each call, with the first path it is about: for traces, and for tests that act in the middle. */
  watch: ((call: Call, path: string) => void) | undefined;
  readonly #disk = new Disk();
  readonly #chance: () => number;
  #faults: Fault[] = [];
  #life = 0;
  #stopAfter = Infinity;

  constructor(seed: number) {
    this.random = chance(seed);
    // Its own stream: how often the code under test asks for chance doesn't change what the disk does.
    this.#chance = chance(seed ^ 0x5eed);
  }

  /** The outside for this life; it goes on to be usable after a crash, except for handles opened before. */
  get files(): Files {
    return new SimFiles(this, this.#disk, () => undefined);
  }
  /** The outside as one run of a program has it: every call through it throws once the power was cut or the program killed. */
  boot(): World {
    const life = this.#life;
    const alive = () => {
      if (life !== this.#life) throw problem("EBADF", "this program is dead");
    };
    const clock = {
      now: () => this.clock.now(),
      elapsed: () => this.clock.elapsed(),
      sleep: (ms: number, signal?: AbortSignal) =>
        life === this.#life ? this.clock.sleep(ms, signal) : new Promise<void>(() => {}),
      turn: (run: () => void) => life === this.#life ? this.clock.turn(run) : undefined,
    };
    return { files: new SimFiles(this, this.#disk, alive), clock, random: this.random };
  }

  /** What was not synced is kept, dropped, torn or garbled as the seed has it; the program is dead, its locks are free. */
  cutPower(): void {
    this.#disk.cutPower(this.#chance);
    this.#end();
  }
  /** As kill -9: everything written is there, the program is dead, its locks are free. */
  killProcess(): void {
    this.#disk.unlockAll();
    this.#disk.closeAll();
    this.#end();
  }
  #end(): void {
    this.#life++;
    this.openHandles = 0;
    this.#stopAfter = Infinity;
    this.clock.stopAll();
  }

  /** Fails the n-th call from now (1 is the next) with `code`, e.g. EIO. Several may be set. */
  failNth(n: number, code: string, options: FaultOptions = {}): void {
    this.#faults.push({ ...options, left: n, code });
  }
  heal(): void {
    this.#faults = [];
  }
  /** Whether a fault is still to come. */
  get faultsPending(): boolean {
    return this.#faults.some(({ left }) => left > 0);
  }
  /** The n-th call from now (1 is the next) and all later ones do nothing and throw: then cut the power or kill. */
  stopAt(n: number): void {
    this.#stopAfter = this.calls + n;
  }
  get stopped(): boolean {
    return this.calls >= this.#stopAfter;
  }
  /** Bytes the disk holds; may be set to less than is used. */
  set capacity(bytes: number) {
    this.#disk.capacity = bytes;
  }
  get space(): number {
    return this.#disk.space;
  }

  run<T>(promise: Promise<T>): Promise<T>;
  run(ms: number): Promise<undefined>;
  run<T>(until: Promise<T> | number): Promise<T | undefined> {
    return this.clock.run(until);
  }
  setWall(ms: number): void {
    this.clock.setWall(ms);
  }

  /** Puts a file there, with its directories, all of it durable. */
  writeFile(path: string, bytes: Uint8Array): void {
    const disk = this.#disk;
    disk.makeDir(path.slice(0, path.lastIndexOf("/")));
    const inode = disk.find(path) ? disk.file(path) : disk.create(path);
    disk.damage(inode, () => bytes.slice());
    this.#syncPath(path);
  }
  copyFile(from: string, to: string): void {
    this.writeFile(to, this.fileBytes(from));
  }
  fileBytes(path: string): Uint8Array {
    return this.#disk.file(path).bytes();
  }
  flipByte(path: string, at: number, bit = 0): void {
    this.#disk.damage(this.#disk.file(path), (bytes) => {
      bytes[at]! ^= 1 << bit;
      return bytes;
    });
  }
  truncateFile(path: string, size: number): void {
    this.#disk.damage(this.#disk.file(path), (bytes) => bytes.slice(0, size));
  }
  /** Every file under `dir` with its path, sorted; none if there is no such directory. */
  filesUnder(dir: string): string[] {
    const found = this.#disk.find(dir);
    if (!(found instanceof Directory)) return [];
    const paths: string[] = [];
    for (const [name, node] of found.seen) {
      const path = dir === "" ? name : `${dir}/${name}`;
      if (node instanceof Inode) paths.push(path);
      else paths.push(...this.filesUnder(path));
    }
    return paths.sort();
  }
  #syncPath(path: string): void {
    const names = path.split("/");
    for (let depth = 0; depth < names.length; depth++) this.#disk.syncDir(names.slice(0, depth).join("/"));
  }

  /** Counts the call; returns the fault it shall meet, if any. */
  count(call: Call, path: string): Met {
    this.watch?.(call, path);
    this.calls++;
    if (this.stopped) throw problem("EHALT", `${call} ${path}`);
    let met: Fault | undefined;
    for (const fault of this.#faults) {
      if (fault.kinds && !fault.kinds.includes(call)) continue;
      fault.left--;
      if (fault.left === 0 || (fault.left < 0 && fault.persistent)) met ??= fault;
    }
    return met;
  }
  /** How many of `length` bytes a short write gets to write. */
  shortened(length: number): number {
    return pick(this.#chance, length);
  }
  get life(): number {
    return this.#life;
  }
}

class SimFiles implements Files {
  readonly #world: SimWorld;
  readonly #disk: Disk;
  readonly #alive: () => void;
  readonly aside: FilesAside = asideOf(this);

  constructor(world: SimWorld, disk: Disk, alive: () => void) {
    this.#world = world;
    this.#disk = disk;
    this.#alive = alive;
  }
  create(path: string): OpenFile {
    this.#count("create", path);
    return this.#handle(path, this.#disk.create(path));
  }
  open(path: string): OpenFile {
    this.#count("open", path);
    return this.#handle(path, this.#disk.file(path));
  }
  exists(path: string): boolean {
    this.#count("exists", path);
    return this.#disk.find(path) !== undefined;
  }
  list(dir: string): string[] {
    this.#count("list", dir);
    return [...this.#disk.directory(dir).seen.keys()].sort();
  }
  makeDir(dir: string): void {
    this.#count("makeDir", dir);
    this.#disk.makeDir(dir);
  }
  rename(from: string, to: string): void {
    this.#count("rename", from);
    this.#disk.rename(from, to);
  }
  remove(path: string): void {
    this.#count("remove", path);
    this.#disk.remove(path);
  }
  syncDir(dir: string): void {
    this.#count("syncDir", dir);
    this.#disk.syncDir(dir);
  }
  lock(path: string, holder: string): Lock {
    this.#count("lock", path);
    const other = this.#disk.lock(path, holder);
    return other === undefined ? { held: true } : { held: false, holder: other };
  }
  holder(path: string): string | undefined {
    this.#count("holder", path);
    return this.#disk.holder(path);
  }
  space(path: string): number {
    this.#count("space", path);
    return this.#disk.space;
  }
  #count(call: Call, path: string): void {
    this.#alive();
    const fault = this.#world.count(call, path);
    if (fault) throw problem(fault.code, `${call} ${path}`);
  }
  #handle(path: string, inode: Inode): OpenFile {
    inode.uses++;
    return new SimFile(this.#world, this.#disk, path, inode);
  }
}

class SimFile implements OpenFile {
  readonly #world: SimWorld;
  readonly #disk: Disk;
  readonly #path: string;
  readonly #inode: Inode;
  readonly #life: number;
  #closed = false;

  constructor(world: SimWorld, disk: Disk, path: string, inode: Inode) {
    this.#world = world;
    this.#disk = disk;
    this.#path = path;
    this.#inode = inode;
    this.#life = world.life;
    world.openHandles++;
  }
  read(at: number, into: Uint8Array): number {
    this.#fail("read", this.#count("read"));
    return this.#inode.read(at, into);
  }
  async readAside(at: number, into: Uint8Array): Promise<number> {
    await Promise.resolve(); // others go on meanwhile
    return this.read(at, into);
  }
  write(at: number, bytes: Uint8Array): void {
    const fault = this.#count("write");
    const count = !fault ? bytes.length : fault.short ? this.#world.shortened(bytes.length) : 0;
    this.#disk.write(this.#inode, at, bytes.subarray(0, count));
    this.#fail("write", fault);
  }
  sync(): void {
    const fault = this.#count("sync");
    if (fault) this.#inode.failSync();
    else this.#inode.sync();
    this.#fail("sync", fault);
  }
  async writeAside(at: number, bytes: Uint8Array): Promise<void> {
    this.write(at, bytes);
    await Promise.resolve(); // others go on meanwhile
    this.sync();
  }
  truncate(bytes: number): void {
    this.#fail("truncate", this.#count("truncate"));
    this.#disk.truncate(this.#inode, bytes);
  }
  size(): number {
    this.#fail("size", this.#count("size"));
    return this.#inode.size;
  }
  close(): void {
    // The system gives the handle up even if it reports an error.
    this.#alive();
    this.#closed = true;
    this.#world.openHandles--;
    this.#disk.release(this.#inode);
    this.#fail("close", this.#world.count("close", this.#path));
  }
  #count(call: Call): Met {
    this.#alive();
    return this.#world.count(call, this.#path);
  }
  #fail(call: Call, fault: Met): void {
    if (fault) throw problem(fault.code, `${call} ${this.#path}`);
  }
  #alive(): void {
    if (this.#closed || this.#life !== this.#world.life) throw problem("EBADF", this.#path);
  }
}
