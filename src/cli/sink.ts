/** Where exported messages go: to standard output, or into a new file. */
import { type Files, type OpenFile, parentOf } from "../os/world.ts";
import type { Terminal } from "./terminal.ts";
import { cannotWrite } from "./unwritable.ts";

export interface Sink {
  write(bytes: Uint8Array): void;
  /** What was written is durable after this. */
  end(): void;
}

/** A file that could not be written to its end is removed: it would look as if it were all. */
export function openSink(terminal: Terminal, path: string | undefined): Sink {
  if (path === undefined) return { write: (bytes) => terminal.out(bytes), end() {} };
  const { files } = terminal.world("write");
  const file = orExplain(path, () => files.create(path));
  const orRemove = (act: () => void) => {
    try {
      act();
    } catch (problem) {
      removeQuietly(files, file, path);
      throw cannotWrite(path, problem);
    }
  };
  let at = 0;
  return {
    write(bytes) {
      orRemove(() => file.write(at, bytes));
      at += bytes.length;
    },
    end() {
      orRemove(() => file.sync());
      file.close();
      orExplain(path, () => files.syncDir(parentOf(path)));
    },
  };
}

function orExplain<T>(path: string, act: () => T): T {
  try {
    return act();
  } catch (problem) {
    throw cannotWrite(path, problem);
  }
}

/** What went wrong first is what is told. */
function removeQuietly(files: Files, file: OpenFile, path: string): void {
  try {
    file.close();
    files.remove(path);
  } catch {
    // It stays, then, and is in the way of the next try, which says so.
  }
}
