/** [shell] A named pipe, held open for reading and writing: so opening it waits for nobody, and it has no end when its writers go. */

export interface Fifo {
  /** Resolves with how many bytes came, one at least. One call at a time. */
  read(into: Uint8Array): Promise<number>;
  /** Whether another file, or none, has its name now. */
  isGone(): boolean;
  /** Lets a `read` that waits end, by an empty line. */
  wake(): void;
  close(): void;
}

/** Throws, saying what to do, when there is no such pipe. */
export function openFifo(path: string): Fifo {
  const found = statOf(path);
  if (found === undefined) throw new Error(`Cannot read pipe "${path}": there is no such file; mkfifo makes it`);
  if (!found.isFifo) throw new Error(`Cannot read pipe "${path}": it is no pipe; mkfifo makes one`);
  try {
    return new HeldFifo(path, found.ino);
  } catch (problem) {
    const reason = problem instanceof Error ? problem.message : problem;
    throw new Error(`Cannot read pipe "${path}": ${reason}; it takes the right to read and to write it`);
  }
}

class HeldFifo implements Fifo {
  readonly #path: string;
  readonly #inode: number | null;
  readonly #file: Deno.FsFile;
  readonly #writer: Deno.FsFile;

  constructor(path: string, inode: number | null) {
    this.#path = path;
    this.#inode = inode;
    this.#file = Deno.openSync(path, { read: true, write: true });
    // One of its own: a read that waits has the other to itself.
    this.#writer = Deno.openSync(path, { write: true });
  }
  async read(into: Uint8Array): Promise<number> {
    return await this.#file.read(into) ?? 0;
  }
  isGone(): boolean {
    return statOf(this.#path)?.ino !== this.#inode;
  }
  wake(): void {
    // Should it be full, nobody waits for it.
    void this.#writer.write(Uint8Array.of(lineFeed)).catch(() => {});
  }
  close(): void {
    this.#file.close();
    this.#writer.close();
  }
}

const lineFeed = 10;

function statOf(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch {
    return undefined;
  }
}
