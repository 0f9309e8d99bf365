/** The keys of a data directory, for the commands that read or change them. */
import type { Key } from "../access/key.ts";
import { KeysDamaged, keysMax, keysPath, loadKeys, storeKeys } from "../access/key_file.ts";
import { codeOf, join, makeDurableDir, type World } from "../os/world.ts";
import { dataDirectory, explained } from "./directory.ts";
import { CommandError, exitCodes } from "./exit.ts";
import { printable } from "./printable.ts";
import type { Terminal } from "./terminal.ts";
import { cannotWrite } from "./unwritable.ts";

export interface KeyRequest {
  readonly data?: string;
  readonly config?: string;
  readonly json?: boolean;
}

export async function readKeys(terminal: Terminal, request: KeyRequest): Promise<Key[]> {
  const dir = await dataDirectory(terminal, request.data, request);
  return orExplain(dir, () => loadKeys(terminal.world("read").files, dir));
}

/**
 * Puts what `change` makes of the keys in their place, and says what that is. One at a time: two changes at once would lose one.
 */
export async function changeKeys(
  terminal: Terminal,
  request: KeyRequest,
  change: (keys: readonly Key[], world: World) => readonly Key[],
): Promise<string> {
  const dir = await dataDirectory(terminal, request.data, request);
  const world = terminal.world("write");
  orExplain(dir, () => {
    makeDurableDir(world.files, dir);
    const lock = world.files.lock(join(dir, "keys.lock"), terminal.holder);
    if (!lock.held) {
      const holder = lock.holder || "another process";
      throw new CommandError(exitCodes.locked, printable(`Cannot change the keys: ${holder} does so; try again`));
    }
    const keys = change(loadKeys(world.files, dir), world);
    if (keys.length > keysMax) {
      throw new CommandError(exitCodes.usage, `Cannot make a key: there are ${keysMax}, the most there can be`);
    }
    storeKeys(world.files, dir, keys);
  });
  const unused = world.files.exists(join(dir, "node")) ? "" : ", a directory that no server has used yet";
  return printable(`kept in ${keysPath(dir)}${unused}`);
}

function orExplain<T>(dir: string, act: () => T): T {
  try {
    return act();
  } catch (problem) {
    if (problem instanceof KeysDamaged) throw new CommandError(exitCodes.badData, printable(problem.message));
    const known = explained(problem, dir);
    // The log's own refusals have their sentences; the system's get ours.
    throw codeOf(problem) === "" ? known : cannotWrite(dir, problem, "keep keys in");
  }
}
