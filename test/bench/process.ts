/** Child processes: pinned to a core, looked at through /proc, and ended for certain, with those only that were started here. */

export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  /** The whole environment; left out: ours. */
  readonly env?: Readonly<Record<string, string>>;
  /** The core it may use; left out: all of ours. */
  readonly core?: number;
}
export interface Memory {
  readonly rssBytes: number;
  /** What it shares with other processes counts in part. */
  readonly pssBytes: number;
}

const running = new Set<Child>();
const stopMs = 15_000;
/** Of what a process says only the end is kept. */
const saidMax = 1 << 20;
/** What /proc counts time in; 100 on every Linux. */
const ticksPerSecond = 100;

export class Child implements AsyncDisposable {
  /** Its exit code. */
  readonly exited: Promise<number>;
  readonly #process: Deno.ChildProcess;
  #stdout = "";
  #stderr = "";
  #ended = false;

  constructor({ command, args, cwd, env, core }: Launch) {
    const words = core === undefined ? [command, ...args] : ["taskset", "-c", String(core), command, ...args];
    this.#process = new Deno.Command(words[0]!, {
      args: words.slice(1),
      ...(cwd !== undefined && { cwd }),
      ...(env !== undefined && { env, clearEnv: true }),
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.exited = this.#follow();
    running.add(this);
  }
  get pid(): number {
    return this.#process.pid;
  }
  get ended(): boolean {
    return this.#ended;
  }
  get stdout(): string {
    return this.#stdout;
  }
  get stderr(): string {
    return this.#stderr;
  }
  /** User and system time of all its threads so far. */
  cpuSeconds(): number {
    const [user, system] = timesOf(this.pid);
    return (user! + system!) / ticksPerSecond;
  }
  /** The same with that of its children, those that have ended too. */
  familyCpuSeconds(): number {
    const sum = (times: readonly number[]) => times.reduce((sum, ticks) => sum + ticks, 0);
    return (sum(timesOf(this.pid)) + sum(childrenOf(this.pid).map((pid) => sum(timesOf(pid))))) / ticksPerSecond;
  }
  memory(): Memory {
    const text = Deno.readTextFileSync(`/proc/${this.pid}/smaps_rollup`);
    const bytesOf = (name: string) => Number(new RegExp(`^${name}: +(\\d+) kB`, "m").exec(text)?.[1]) * 1024;
    return { rssBytes: bytesOf("Rss"), pssBytes: bytesOf("Pss") };
  }
  /** A process that has just ended cannot be told anything, and is known to have ended only a little later. */
  kill(signal: Deno.Signal): void {
    if (this.#ended) return;
    try {
      this.#process.kill(signal);
    } catch (problem) {
      if (!(problem instanceof TypeError)) throw problem;
    }
  }
  /** Asks it to end, and sees to it when it does not. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.kill("SIGTERM");
    const patience = setTimeout(() => this.kill("SIGKILL"), stopMs);
    await this.exited;
    clearTimeout(patience);
  }

  async #follow(): Promise<number> {
    const heard = [
      hear(this.#process.stdout, (text) => this.#stdout = (this.#stdout + text).slice(-saidMax)),
      hear(this.#process.stderr, (text) => this.#stderr = (this.#stderr + text).slice(-saidMax)),
    ];
    const { code } = await this.#process.status;
    this.#ended = true;
    running.delete(this);
    await Promise.all(heard);
    return code;
  }
}

/** In ticks: user and system time of the process, and the same of its children that have ended. None when it has ended itself. */
function timesOf(pid: number): number[] {
  return statOf(pid).slice(11, 15).map(Number);
}

function childrenOf(parent: number): number[] {
  const pids = [...Deno.readDirSync("/proc")].map(({ name }) => Number(name)).filter((pid) => pid > 0);
  return pids.filter((pid) => Number(statOf(pid)[1]) === parent);
}

/** What stands in /proc/PID/stat behind the name. */
function statOf(pid: number): string[] {
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch (problem) {
    if (problem instanceof Deno.errors.NotFound) return [];
    throw problem;
  }
}

/** At once, without waiting. */
export function killAll(): void {
  for (const child of running) child.kill("SIGKILL");
}

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Carries a command out to its end. */
export async function runToEnd(launch: Launch): Promise<Ended> {
  const child = new Child(launch);
  const code = await child.exited;
  return { code, stdout: child.stdout, stderr: child.stderr };
}

/** Where a program is, among the usual places too. */
export async function findCommand(name: string): Promise<string | undefined> {
  const dirs = [...(Deno.env.get("PATH") ?? "").split(":"), "/usr/local/sbin", "/usr/sbin", "/sbin"];
  for (const dir of dirs.filter((dir) => dir !== "")) {
    const found = await Deno.stat(`${dir}/${name}`).catch(() => undefined);
    if (found?.isFile) return `${dir}/${name}`;
  }
  return undefined;
}

/** Until `look` is true; rejects when `child` ends before, and when it takes ten minutes. */
export async function until(child: Child, what: string, look: () => boolean | Promise<boolean>): Promise<void> {
  const limit = performance.now() + 600_000;
  while (!await look()) {
    if (child.ended) throw new Error(`${what}: the process ended with ${await child.exited}: ${lastOf(child)}`);
    if (performance.now() > limit) throw new Error(`${what}: waited ten minutes: ${lastOf(child)}`);
    await pause(5);
  }
}

function lastOf({ stderr }: Child): string {
  return stderr.trim().slice(-1000);
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function hear(stream: ReadableStream<Uint8Array>, add: (text: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  for await (const chunk of stream) add(decoder.decode(chunk, { stream: true }));
}
