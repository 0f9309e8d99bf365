/** The segment that is written now: begun in a spare or in a file of its own, filled with zeros ahead of need, written commit by commit. */
import { codeOf, type Files, join, type OpenFile, type World } from "../os/world.ts";
import type { Commit } from "./commit.ts";
import { chainStart, encodeSegmentHeader, firstCommitAt, randomId, Salt, type Seal, segmentName } from "./format.ts";
import type { Position } from "./mod.ts";
import { listSpares } from "./spares.ts";

const fillStepBytes = 1 << 20;
/** Beyond this a commit brings its own bytes: filling ahead of it would write everything twice. */
const fillForCommitsUpTo = 1 << 16;
/** Made by who writes: in every thread that only reads they would take their room, too. */
let zeros: Uint8Array | undefined;

/** What all segments of a writer have in common. */
export interface Place {
  readonly world: World;
  readonly logDir: string;
  readonly node: string;
  readonly epoch: number;
  readonly segmentBytes: number;
}
export interface Beginning {
  readonly sequence: number;
  /** What its header says of the segment before it. */
  readonly previous: Seal | undefined;
  /** The first one that goes into it. */
  readonly commit: Commit;
  /** Where that one is of an earlier life: its stamps. It is in the segment from the start. */
  readonly copied?: { readonly time: number; readonly epoch: number };
}

/** How many zeros are written at once. */
export function fillBytesOf({ segmentBytes }: Pick<Place, "segmentBytes">): number {
  return Math.min(fillStepBytes, segmentBytes - firstCommitAt);
}

export class LiveSegment {
  readonly name: string;
  readonly id: string;
  readonly base: Position;
  readonly #file: OpenFile;
  readonly #salt: Salt;
  readonly #capacity: number;
  /** Zeros stand up to here. */
  #filled: number;
  /** Where the next commit goes. */
  #offset = firstCommitAt;
  #chain: number;

  private constructor(file: OpenFile, facts: Facts) {
    const { name, id, base, salt, capacity, filled, chain } = facts;
    this.name = name;
    this.id = id;
    this.base = base;
    this.#file = file;
    this.#salt = salt;
    this.#capacity = capacity;
    this.#filled = filled;
    this.#chain = chain;
  }

  /** Durable with its name when it returns. */
  static begin(place: Place, { sequence, previous, commit, copied }: Beginning): LiveSegment {
    const { world: { files, random }, logDir, node, epoch, segmentBytes } = place;
    const spare = copied || commit.length > segmentBytes ? undefined : openSpare(files, logDir);
    const id = newId(random, spare?.id);
    const [base, salt] = [commit.first, new Salt(id)];
    const name = segmentName(base, id);
    const created = place.world.clock.now();
    const header = encodeSegmentHeader({ node, segment: id, base, epoch, sequence, created, previous });
    const room = (copied ? commit.length : 0) + (commit.length > fillForCommitsUpTo ? 0 : fillBytesOf(place));
    const first = new Uint8Array(firstCommitAt + (spare ? 0 : room));
    first.set(header);
    const filled = spare?.bytes ?? first.length;
    const capacity = Math.max(segmentBytes, firstCommitAt + commit.length, filled);
    const file = spare?.file ?? files.create(join(logDir, `${id}.tmp`));
    const live = new LiveSegment(file, { name, id, base, salt, capacity, filled, chain: chainStart(header) });
    if (copied) live.#take(commit, copied, first);
    placeFile(file, first, { files, logDir, from: spare?.name ?? `${id}.tmp`, to: name });
    return live;
  }

  /** Puts the first commit among the bytes that the file begins with. */
  #take(commit: Commit, { time, epoch }: NonNullable<Beginning["copied"]>, first: Uint8Array): void {
    const { bytes, chain } = this.sealed(commit, time, epoch);
    first.set(bytes, this.#offset);
    this.#goOn(bytes.length, chain);
  }

  get filled(): number {
    return this.#filled;
  }
  get isEmpty(): boolean {
    return this.#offset === firstCommitAt;
  }
  /** Where it ends now, for the header of the next one; `end` is the position there. */
  seal(end: Position): Seal {
    return { segment: this.id, length: this.#offset, chain: this.#chain, end };
  }
  hasRoom(bytes: number): boolean {
    return this.#offset + bytes <= this.#capacity;
  }
  /** Whether so many bytes go over zeros that are there. */
  isFilled(bytes: number): boolean {
    return this.#offset + bytes <= this.#filled;
  }

  /** Zeros ahead of need: overwriting them costs half the sync that growing the file would, and the room is really there. */
  fill(commitLength: number): void {
    if (commitLength > fillForCommitsUpTo) return;
    const count = Math.min(this.#capacity - this.#filled, fillStepBytes);
    zeros ??= new Uint8Array(fillStepBytes);
    this.#file.write(this.#filled, zeros.subarray(0, count));
    this.#filled += count;
  }

  /** The commit as it is to be written next. */
  sealed(commit: Commit, time: number, epoch: number): Sealed {
    return commit.seal({ salt: this.#salt, offset: this.#offset, chain: this.#chain }, time, epoch);
  }
  write({ bytes }: Sealed): void {
    this.#file.write(this.#offset, bytes);
  }
  /** What was written is durable, and the next commit goes behind it. */
  sync({ bytes, chain }: Sealed): void {
    this.#file.sync();
    this.#goOn(bytes.length, chain);
  }
  #goOn(length: number, chain: number): void {
    this.#offset += length;
    // A large commit goes beyond the zeros, and the next ones must not come over it.
    this.#filled = Math.max(this.#filled, this.#offset);
    this.#chain = chain;
  }

  /** Only zeros stand behind the last commit: gives their room back. */
  cut(): void {
    this.#file.truncate(this.#offset);
  }
  close(): void {
    this.#file.close();
  }
}

type Sealed = ReturnType<Commit["seal"]>;
interface Facts {
  readonly name: string;
  readonly id: string;
  readonly base: Position;
  readonly salt: Salt;
  readonly capacity: number;
  readonly filled: number;
  readonly chain: number;
}

/** For the handle or the file of something that has already failed: that it fails again is no news. */
export function quietly(act: () => void): void {
  try {
    act();
  } catch (problem) {
    if (codeOf(problem) === "") throw problem;
  }
}

interface Spare {
  readonly file: OpenFile;
  readonly name: string;
  readonly id: string;
  readonly bytes: number;
}

function openSpare(files: Files, logDir: string): Spare | undefined {
  const name = listSpares(files, logDir)[0];
  if (name === undefined) return undefined;
  const file = files.open(join(logDir, name));
  try {
    return { file, name, id: name.slice(0, 16), bytes: file.size() };
  } catch (problem) {
    quietly(() => file.close());
    throw problem;
  }
}

/** An id whose checksums differ from those of the file's former life. */
function newId(random: () => number, former: string | undefined): string {
  for (;;) {
    const id = randomId(random);
    if (former === undefined || new Salt(id).at(0) !== new Salt(former).at(0)) return id;
  }
}

interface Naming {
  readonly files: Files;
  readonly logDir: string;
  readonly from: string;
  readonly to: string;
}

/** Begins a file with these bytes and gives it its name, both durable. */
function placeFile(file: OpenFile, bytes: Uint8Array, { files, logDir, from, to }: Naming): void {
  try {
    file.write(0, bytes);
    file.sync();
    files.rename(join(logDir, from), join(logDir, to));
    // Without this a power cut may forget that the segment exists.
    files.syncDir(logDir);
  } catch (problem) {
    // Neither a spare that failed is tried again, nor may what was half made take the room that is missing.
    quietly(() => file.close());
    for (const name of [from, to]) quietly(() => files.remove(join(logDir, name)));
    throw problem;
  }
}
