/** A small disk of its own, in memory, mounted at a directory until the block that says `await using` ends. */
import { carryOut } from "./needs.ts";

export class SmallDisk implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }
  static async mount(path: string, bytes: number, inodes?: number): Promise<SmallDisk> {
    await Deno.mkdir(path);
    const limits = inodes === undefined ? `size=${bytes}` : `size=${bytes},nr_inodes=${inodes}`;
    await carryOut("mount", "-t", "tmpfs", "-o", limits, "none", path);
    return new SmallDisk(path);
  }
  /** Takes all the room there is. */
  async fill(): Promise<void> {
    using file = await Deno.open(`${this.path}/hog`, { create: true, write: true });
    const block = new Uint8Array(1 << 20);
    try {
      for (;;) await file.write(block);
    } catch {
      // Now it is full.
    }
  }
  async free(): Promise<void> {
    await Deno.remove(`${this.path}/hog`).catch(() => {});
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await carryOut("umount", "-l", this.path);
  }
}
