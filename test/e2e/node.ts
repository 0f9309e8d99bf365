/** Running the program: a node with a directory of its own, or a command that ends. Only processes started here are ended here. */
import { findProgram } from "./executable.ts";
import { hangMs, within } from "./waiting.ts";

export interface Setup {
  /** What stands in `sparkngin.toml` in the directory. */
  readonly config?: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Where it runs. Left out: a temporary one that goes away with the process. */
  readonly dir?: string;
  /** What carries it out and becomes it, e.g. `setpriv` with its arguments. */
  readonly through?: readonly string[];
}

/** A directory that is removed at the end of the block that says `await using`. */
export class TempDir implements AsyncDisposable {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true }).catch(() => {});
  }
}

export async function makeTempDir(): Promise<TempDir> {
  return new TempDir(await Deno.makeTempDir({ prefix: "sparkngin-test-" }));
}

/** A process with what it has said so far. Its end is awaited, by force if need be, where the block says `await using`. */
export class Running implements AsyncDisposable {
  readonly dir: string;
  readonly exited: Promise<number>;
  readonly #process: Deno.ChildProcess;
  readonly #ownDir: TempDir | undefined;
  #said = { stdout: "", stderr: "" };
  #ended = false;

  constructor(process: Deno.ChildProcess, dir: string, ownDir: TempDir | undefined) {
    this.#process = process;
    this.#ownDir = ownDir;
    this.dir = dir;
    this.exited = this.#follow();
  }
  get pid(): number {
    return this.#process.pid;
  }
  get ended(): boolean {
    return this.#ended;
  }
  stdout(): string {
    return this.#said.stdout;
  }
  stderr(): string {
    return this.#said.stderr;
  }
  /** What it logged, a line each. */
  log(): LogLine[] {
    return this.stderr().split("\n").filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
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
  /** Asks it to stop; its exit code. */
  async stop(): Promise<number> {
    this.kill("SIGTERM");
    return await within(`the end of process ${this.pid}`, this.exited, () => this.stderr());
  }
  async [Symbol.asyncDispose](): Promise<void> {
    this.kill("SIGKILL");
    await this.exited;
    await this.#ownDir?.[Symbol.asyncDispose]();
  }

  async #follow(): Promise<number> {
    const heard = Promise.all([this.#hear("stdout"), this.#hear("stderr")]);
    const { code } = await this.#process.status;
    this.#ended = true;
    await heard;
    return code;
  }
  async #hear(name: "stdout" | "stderr"): Promise<void> {
    const text = new TextDecoder();
    for await (const chunk of this.#process[name]) this.#said[name] += text.decode(chunk, { stream: true });
  }
}

export interface LogLine {
  readonly time: string;
  readonly level: "info" | "warning" | "error";
  readonly message: string;
  readonly [fact: string]: string | number;
}

/** A node under way, ready or not. */
export class Node extends Running {
  /** Where it listens, known once it is ready. */
  http = "";
  management = "";

  /** Resolves when it takes messages; rejects when it ends before. */
  async ready(limitMs = hangMs): Promise<this> {
    const line = await within(`a node that is ready`, this.#readyLine(), () => this.stderr(), limitMs);
    this.http = String(line.http);
    this.management = String(line.management);
    return this;
  }

  async #readyLine(): Promise<LogLine> {
    for (;;) {
      const line = this.#wholeLines().find(({ message }) => message === "ready");
      if (line) return line;
      if (this.ended) throw new Error(`The node ended with ${await this.exited}: ${this.stdout()}${this.stderr()}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
  #wholeLines(): LogLine[] {
    const text = this.stderr();
    const lines = text.slice(0, text.lastIndexOf("\n") + 1).split("\n");
    return lines.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
  }
}

const anyPorts = ["--http-listen", "127.0.0.1:0", "--management-listen", "127.0.0.1:0"];

/** Starts a node without waiting for it. Its ports are the system's choice. */
export async function launchNode(setup: Setup = {}): Promise<Node> {
  const { process, dir, ownDir } = await spawn(["run", ...anyPorts, ...(setup.args ?? [])], setup);
  return new Node(process, dir, ownDir);
}

/** A node that takes messages. */
export async function startNode(setup: Setup = {}): Promise<Node> {
  const node = await launchNode(setup);
  try {
    return await node.ready();
  } catch (problem) {
    await node[Symbol.asyncDispose]();
    throw problem;
  }
}

/** Starts any command of the program. */
export async function startCommand(args: readonly string[], setup: Setup = {}): Promise<Running> {
  const { process, dir, ownDir } = await spawn([...args, ...(setup.args ?? [])], setup);
  return new Running(process, dir, ownDir);
}

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Carries a command out to its end. */
export async function runCommand(args: readonly string[], setup: Setup = {}): Promise<Ended> {
  await using running = await startCommand(args, setup);
  const code = await within(`the end of ${args.join(" ")}`, running.exited, () => running.stderr());
  return { code, stdout: running.stdout(), stderr: running.stderr() };
}

interface Spawned {
  readonly process: Deno.ChildProcess;
  readonly dir: string;
  readonly ownDir: TempDir | undefined;
}

/** In an environment that holds nothing but an empty home. */
async function spawn(args: readonly string[], { config, env, dir, through = [] }: Setup): Promise<Spawned> {
  const program = await findProgram();
  const ownDir = dir === undefined ? await makeTempDir() : undefined;
  const cwd = dir ?? ownDir!.path;
  await Deno.mkdir(`${cwd}/home`, { recursive: true });
  if (config !== undefined) await Deno.writeTextFile(`${cwd}/sparkngin.toml`, config);
  const [command = program.command, ...before] = [...through, program.command];
  const process = new Deno.Command(command, {
    args: [...before, ...program.args, ...args],
    cwd,
    clearEnv: true,
    env: { HOME: `${cwd}/home`, ...program.env, ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  return { process, dir: cwd, ownDir };
}
