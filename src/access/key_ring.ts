/** The keys in force: those of the file, read again every second, so that a new or a revoked key needs no restart. */
import { Buffer } from "node:buffer";
import type { World } from "../os/world.ts";
import { isKey, type Key, readShown } from "./key.ts";
import { KeysDamaged, parseKeys, readKeyFile } from "./key_file.ts";

const lookEveryMs = 1000;

export interface KeyRingParts {
  readonly world: Pick<World, "files" | "clock">;
  /** The data directory. */
  readonly dir: string;
  /** Something an operator must know. */
  report(text: string): void;
}

export class KeyRing {
  readonly #parts: KeyRingParts;
  #keys: ReadonlyMap<string, Key> | undefined;
  #text: string | undefined;
  #trouble = "";

  /** Reads the file. */
  constructor(parts: KeyRingParts) {
    this.#parts = parts;
    this.#look();
  }

  /** Whether the keys are known. If the file could never be read, nobody can be told that a key is wrong. */
  get known(): boolean {
    return this.#keys !== undefined;
  }

  get size(): number {
    return this.#keys?.size ?? 0;
  }

  /** The key that was shown, if it is in force. */
  find(text: string): Key | undefined {
    const shown = readShown(text);
    if (shown === undefined) return undefined;
    const key = this.#keys?.get(shown.id);
    return isKey(key, shown) ? key : undefined;
  }

  /** Keeps up with the file until `signal` aborts. */
  async keepUp(signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts.world;
    for (;;) {
      await clock.sleep(lookEveryMs, signal);
      if (signal.aborted) return;
      this.#look();
    }
  }

  /** The whole file and not its time: that one can stand still between two changes, and jump. */
  #look(): void {
    const { world, dir, report } = this.#parts;
    try {
      const bytes = readKeyFile(world.files, dir);
      const text = bytes && Buffer.from(bytes).toString("latin1");
      if (this.known && text === this.#text && this.#trouble === "") return;
      this.#keys = new Map(parseKeys(bytes).map((key) => [key.id, key]));
      this.#text = text;
      this.#trouble = "";
    } catch (problem) {
      // Those that were good a second ago go on to be: trouble of our disk must not lock everybody out.
      const text = problem instanceof KeysDamaged ? problem.message : `Cannot read the keys: ${textOf(problem)}`;
      if (text !== this.#trouble) report(this.known ? `${text}; the keys read before stay in force` : text);
      this.#trouble = text;
    }
  }
}

function textOf(problem: unknown): string {
  return problem instanceof Error ? problem.message : String(problem);
}
