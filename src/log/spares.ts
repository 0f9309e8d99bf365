/**
 * Room made ahead of need: spare segments, full of zeros or of what freed messages left, so that a roll costs a rename and every
 * commit overwrites blocks that are there; and the ballast, which is given up when the disk is full so that cursors, dead letters
 * and an orderly stop still work.
 */
import { codeOf, type Files, join, type World } from "../os/world.ts";
import { parseSegmentName, randomId } from "./format.ts";

export const sparesMax = 4;
const ballastName = "ballast";
const stepBytes = 1 << 20;
/** 50 MB/s at most, and a tenth of the disk's time: intake has it first, and a busy disk takes long for a step. */
const stepPauseMs = 20;
const pausePerStep = 9;
const lookEveryMs = 500;
/** The same for a while after one was needed: the next may be soon. */
const lookAgainMs = 50;
const whileMs = 2000;
/** Spares are made only while so many segments would fit. */
const freeSegments = 16;

export interface SparesOptions {
  readonly segmentBytes: number;
  readonly ballastBytes: number;
}

/** The spare files of a log's directory. */
export function listSpares(files: Files, logDir: string): string[] {
  return files.list(logDir).filter(isSpare);
}

function isSpare(name: string): boolean {
  return name.endsWith(".spare");
}

/** A freed segment's name as a spare, or undefined when its room is to be given back. */
export function spareNameOf(segmentName: string): string {
  return `${parseSegmentName(segmentName)!.segment}.spare`;
}

/** Gives up the ballast; true when there was one. */
export function dropBallast(files: Files, logDir: string): boolean {
  try {
    files.remove(join(logDir, ballastName));
    return true;
  } catch (problem) {
    if (codeOf(problem) === "") throw problem;
    return false;
  }
}

/**
 * Runs beside the writer, in a thread of its own choice, until `signal` aborts. A full or failing disk only makes it wait, and a
 * disk that does not answer holds nobody else in its thread up.
 */
export async function keepSpares(
  world: World,
  dir: string,
  options: SparesOptions,
  signal: AbortSignal,
): Promise<void> {
  const keeper = new Keeper(world, join(dir, "log"), options, signal);
  let neededAt = -Infinity;
  while (!signal.aborted) {
    if (await keeper.look()) neededAt = world.clock.elapsed();
    const isSoon = world.clock.elapsed() - neededAt < whileMs;
    await world.clock.sleep(isSoon ? lookAgainMs : lookEveryMs, signal);
  }
}

class Keeper {
  readonly #world: World;
  readonly #logDir: string;
  readonly #options: SparesOptions;
  readonly #signal: AbortSignal;
  /** One for all steps, and nobody writes to it: a new one for each would be there until the next collection, which is far off. */
  readonly #zeros = new Uint8Array(stepBytes);

  constructor(world: World, logDir: string, options: SparesOptions, signal: AbortSignal) {
    this.#world = world;
    this.#logDir = logDir;
    this.#options = options;
    this.#signal = signal;
  }

  /** Whether it made a spare. */
  async look(): Promise<boolean> {
    const { aside } = this.#world.files;
    const { segmentBytes, ballastBytes } = this.#options;
    try {
      const lacks = !(await aside.list(this.#logDir)).some(isSpare) && await this.#hasRoom(segmentBytes);
      if (lacks) await this.#make(`${randomId(this.#world.random)}.spare`, segmentBytes);
      if (!await aside.exists(join(this.#logDir, ballastName)) && await this.#hasRoom(ballastBytes)) {
        await this.#make(ballastName, ballastBytes);
      }
      return lacks;
    } catch (problem) {
      if (codeOf(problem) === "") throw problem;
      return false;
    }
  }

  async #hasRoom(bytes: number): Promise<boolean> {
    return await this.#world.files.aside.space(this.#logDir) > bytes + freeSegments * this.#options.segmentBytes;
  }

  /** Fills a file step by step; it gets its name when all of it is on the disk. */
  async #make(name: string, bytes: number): Promise<void> {
    const { files, clock } = this.#world;
    const { aside } = files;
    const temporary = join(this.#logDir, `${name}.tmp`);
    if (await aside.exists(temporary)) await aside.remove(temporary);
    const file = files.create(temporary);
    try {
      for (let at = 0; at < bytes; at += stepBytes) {
        const begin = clock.elapsed();
        await file.writeAside(at, this.#zeros.subarray(0, bytes - at));
        await clock.sleep(Math.max(stepPauseMs, pausePerStep * (clock.elapsed() - begin)), this.#signal);
        if (this.#signal.aborted) return await aside.remove(temporary);
      }
      await aside.rename(temporary, join(this.#logDir, name));
      await aside.syncDir(this.#logDir);
    } catch (problem) {
      // If it was named, or will not go, that is as good: a start removes it.
      await aside.remove(temporary).catch(ifOfTheSystem);
      throw problem;
    } finally {
      file.close();
    }
  }
}

function ifOfTheSystem(problem: unknown): void {
  if (codeOf(problem) === "") throw problem;
}
