/** A root directory of its own for a package: what it needs of the machine is put in, the program runs in it, all of it goes away. */
import { carryOut } from "../crash/needs.ts";
import { anyPorts, doMainJob } from "./main_job.ts";

export class CleanRoot implements AsyncDisposable {
  readonly path: string;
  #mounts: string[] = [];

  constructor(path: string) {
    this.path = path;
  }
  /** What every program expects of a kernel. */
  async addDevices(): Promise<void> {
    for (const name of ["null", "zero", "urandom", "random"]) {
      await Deno.mkdir(`${this.path}/dev`, { recursive: true });
      const path = `${this.path}/dev/${name}`;
      await Deno.writeTextFile(path, "");
      await this.mount("--bind", `/dev/${name}`, path);
    }
    await Deno.mkdir(`${this.path}/proc`, { recursive: true });
    await this.mount("-t", "proc", "proc", `${this.path}/proc`);
  }
  async mount(...args: string[]): Promise<void> {
    await carryOut("mount", ...args);
    this.#mounts.push(args.at(-1)!);
  }
  async [Symbol.asyncDispose](): Promise<void> {
    for (const path of this.#mounts.reverse()) await carryOut("umount", path);
    await Deno.remove(this.path, { recursive: true });
  }

  text(path: string): Promise<string> {
    return Deno.readTextFile(`${this.path}${path}`);
  }
  /** What a command said that ran inside. */
  run(command: string, ...args: string[]): Promise<string> {
    return carryOut("env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "chroot", this.path, command, ...args);
  }
  /** As the service does: as its user, with its configuration. */
  async doMainJob(): Promise<void> {
    const config = ["--config", "/etc/sparkngin/sparkngin.toml"];
    const user = ["--userspec=sparkngin:sparkngin", this.path];
    const args = [...user, "/usr/bin/sparkngin", "run", ...config, ...anyPorts];
    await doMainJob({ command: "/usr/sbin/chroot", args, data: `${this.path}/var/lib/sparkngin` });
  }
}

export async function makeCleanRoot(): Promise<CleanRoot> {
  const path = await Deno.makeTempDir({ prefix: "sparkngin-root-" });
  await Deno.chmod(path, 0o755);
  return new CleanRoot(path);
}
