/** Where exported messages go: to standard output, or into a new file. */
import { parentOf } from "../os/world.ts";
import { explained } from "./directory.ts";
import { CommandError } from "./exit.ts";
import { printable } from "./printable.ts";
import type { Terminal } from "./terminal.ts";

export interface Sink {
  write(bytes: Uint8Array): void;
  /** What was written is durable after this. */
  end(): void;
}

export function openSink(terminal: Terminal, path: string | undefined): Sink {
  if (path === undefined) return { write: (bytes) => terminal.out(bytes), end() {} };
  const { files } = terminal.world("write");
  try {
    const file = files.create(path);
    let at = 0;
    return {
      write(bytes) {
        file.write(at, bytes);
        at += bytes.length;
      },
      end() {
        file.sync();
        file.close();
        files.syncDir(parentOf(path));
      },
    };
  } catch (problem) {
    const found = explained(problem, path);
    const text = `Cannot write into "${printable(path)}": ${(problem as Error).message}`;
    throw found instanceof CommandError ? new CommandError(found.code, text, { cause: problem }) : problem;
  }
}
