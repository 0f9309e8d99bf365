/**
 * Simulated directories: their entries as seen, as a power cut would leave them, and the changes in between, each of which
 * may or may not have made it by itself. A rename is one change: the old name or the new, never both and never neither.
 */
import type { Inode } from "./inode.ts";

export type Node = Directory | Inode;

export class Directory {
  seen = new Map<string, Node>();
  durable = new Map<string, Node>();
}

interface Change {
  /** The directory whose sync makes it durable: of a rename the new name's. */
  readonly owner: Directory;
  readonly run: () => void;
}

/** The changes to directories that a power cut could still undo, in the order in which they were made. */
export class Journal {
  #changes: Change[] = [];

  enter(dir: Directory, name: string, node: Node): void {
    dir.seen.set(name, node);
    this.#changes.push({ owner: dir, run: () => dir.durable.set(name, node) });
  }
  drop(dir: Directory, name: string): void {
    const node = dir.seen.get(name);
    dir.seen.delete(name);
    this.#changes.push({ owner: dir, run: () => forget(dir, name, node) });
  }
  move(from: Directory, name: string, to: Directory, newName: string): void {
    const node = from.seen.get(name)!;
    from.seen.delete(name);
    to.seen.set(newName, node);
    const run = () => {
      forget(from, name, node);
      to.durable.set(newName, node);
    };
    this.#changes.push({ owner: to, run });
  }
  sync(dir: Directory): void {
    this.#settle(({ owner }) => owner === dir);
  }
  /** Decides every open change: those that made it are durable, the others never happened. */
  crash(made: () => boolean): void {
    this.#settle(made);
    this.#changes = [];
  }
  #settle(made: (change: Change) => boolean): void {
    const open: Change[] = [];
    for (const change of this.#changes) {
      if (made(change)) change.run();
      else open.push(change);
    }
    this.#changes = open;
  }
}

/** Only if the name still means that node: a later, already durable change may have given it to another. */
function forget(dir: Directory, name: string, node: Node | undefined): void {
  if (dir.durable.get(name) === node) dir.durable.delete(name);
}
