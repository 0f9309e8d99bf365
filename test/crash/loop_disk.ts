/** A file system with a journal on an image, whose power can be cut: what it has not sent to the image by then is lost. */
import { eventually } from "../e2e/waiting.ts";
import { carryOut } from "./needs.ts";

export type FileSystem = "ext4" | "xfs";

/** `mkfs.xfs` refuses less than 300 MiB. The file is sparse. */
const imageBytes = 320 << 20;

export class LoopDisk implements AsyncDisposable {
  /** Where it is mounted. */
  readonly path: string;
  readonly #device: string;
  #mounted = false;

  private constructor(path: string, device: string) {
    this.path = path;
    this.#device = device;
  }
  /** Its image lies in `place`, out of reach of what happens to it. */
  static async make(kind: FileSystem, place: string, path: string): Promise<LoopDisk> {
    const image = `${place}/${kind}.img`;
    await Deno.writeFile(image, new Uint8Array());
    await Deno.truncate(image, imageBytes);
    await carryOut(`mkfs.${kind}`, kind === "xfs" ? "-f" : "-F", "-q", image);
    await Deno.mkdir(path);
    const disk = new LoopDisk(path, (await carryOut("losetup", "--find", "--show", image)).trim());
    try {
      await disk.mount();
    } catch (problem) {
      await disk[Symbol.asyncDispose]();
      throw problem;
    }
    return disk;
  }

  async mount(): Promise<void> {
    await carryOut("mount", this.#device, this.path);
    this.#mounted = true;
  }
  /** Nothing reaches the image from now on; with `flush` what the journal holds does before. */
  async cutPower(flush: boolean): Promise<void> {
    await carryOut("xfs_io", "-x", "-c", flush ? "shutdown -f" : "shutdown", this.path);
  }
  /** As after the power came back. Nobody may have a file of it open. */
  async mountAgain(): Promise<void> {
    await eventually("a file system that nobody uses", async () => {
      await carryOut("umount", this.path);
      return true;
    }, 10_000);
    this.#mounted = false;
    await this.mount();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#mounted) await carryOut("umount", "--lazy", this.path).catch(() => {});
    await carryOut("losetup", "--detach", this.#device).catch(() => {});
  }
}
