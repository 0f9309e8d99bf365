/** The dead letters of a running destination: opened at the start where there are any, else when the first message is refused. */
import type { Cursor } from "../log/mod.ts";
import { join, type World } from "../os/world.ts";
import { DeadLetters, type DeadLettersOptions } from "./dead_letters.ts";

export interface LetterboxParts extends DeadLettersOptions {
  readonly world: World;
  /** The data directory. */
  readonly dir: string;
  readonly destination: string;
  readonly cursor: Cursor;
}

export class Letterbox {
  readonly #parts: LetterboxParts;
  readonly #dir: string;
  #letters: DeadLetters | undefined;
  #settled = false;

  constructor(parts: LetterboxParts) {
    this.#parts = parts;
    this.#dir = join(parts.dir, "dead", parts.destination);
  }

  /** Those that are open. */
  found(): DeadLetters | undefined {
    return this.#settled ? this.#letters : undefined;
  }

  /** Opens those that there are; undefined when there are none. */
  look(): DeadLetters | undefined {
    const there = this.#letters !== undefined || this.#parts.world.files.exists(join(this.#dir, "log"));
    return there ? this.open() : undefined;
  }

  /** Where that fails for the moment it can be tried again: there is one writer, whatever happens. */
  open(): DeadLetters {
    const letters = this.#letters ??= new DeadLetters(this.#parts.world, this.#dir, this.#parts);
    if (!this.#settled) letters.settle(this.#parts.cursor);
    this.#settled = true;
    return letters;
  }

  async close(): Promise<void> {
    await this.#letters?.close();
  }
}
