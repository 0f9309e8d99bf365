/** A cap on the memory of processes: cgroup v1, where the system kills who goes beyond it. */
import { pause } from "../e2e/waiting.ts";

const controller = "/sys/fs/cgroup/memory";

export class MemoryCap implements AsyncDisposable {
  readonly #path: string;

  private constructor(path: string) {
    this.#path = path;
  }
  /** Whether this machine can do it, and if not what it lacks. */
  static missing(): string {
    if (Deno.build.os !== "linux") return "needs Linux";
    if (Deno.uid() !== 0) return "needs root";
    try {
      return Deno.statSync(`${controller}/memory.limit_in_bytes`).isFile ? "" : "needs cgroup v1";
    } catch {
      return "needs cgroup v1";
    }
  }
  static async make(bytes: number): Promise<MemoryCap> {
    const path = await Deno.makeTempDir({ dir: controller, prefix: "sparkngin-test-" });
    await Deno.writeTextFile(`${path}/memory.limit_in_bytes`, String(bytes));
    return new MemoryCap(path);
  }
  /** From now on this process stands under it. */
  async take({ pid }: { readonly pid: number }): Promise<void> {
    await Deno.writeTextFile(`${this.#path}/cgroup.procs`, String(pid));
  }
  async peakMiB(): Promise<number> {
    return Math.round(Number(await Deno.readTextFile(`${this.#path}/memory.max_usage_in_bytes`)) / (1 << 20));
  }
  /** How often the system killed somebody for it. */
  async kills(): Promise<number> {
    return Number(/^oom_kill (\d+)$/m.exec(await Deno.readTextFile(`${this.#path}/memory.oom_control`))?.[1] ?? 0);
  }
  /** Its processes have ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (let tries = 0; tries < 40; tries++) {
      try {
        return await Deno.remove(this.#path);
      } catch {
        await pause(50);
      }
    }
  }
}
