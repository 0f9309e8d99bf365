/** The server under test: what it runs on, and one running with a directory and a configuration of its own. */
import { fileURLToPath } from "node:url";
import type { Status } from "../../src/observe/status.ts";
import { Skipped } from "./case.ts";
import type { RuntimeKind } from "./options.ts";
import { Child, pause, until } from "./process.ts";

export const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

export interface Runtime {
  /** "deno 2.9.6 source". */
  readonly name: string;
  readonly command: string;
  /** Before those of the program. */
  readonly args: readonly string[];
}

/** Throws `Skipped` when there is no executable. */
export function findRuntime(kind: RuntimeKind): Promise<Runtime> {
  return kind === "source" ? fromSource() : fromExecutable();
}

/** As `deno task start` does, from any directory, on the Deno that runs the benchmarks. */
async function fromSource(): Promise<Runtime> {
  const { tasks } = JSON.parse(await Deno.readTextFile(`${root}/deno.json`)) as { tasks: { start: string } };
  const flags = tasks.start.split(" ").filter((word) => word.startsWith("--"));
  return {
    name: `deno ${Deno.version.deno} source`,
    command: Deno.execPath(),
    args: ["run", "--quiet", "--config", `${root}/deno.json`, ...flags, `${root}/src/main.ts`],
  };
}

async function fromExecutable(): Promise<Runtime> {
  const given = Deno.env.get("SPARKNGIN_EXE") || `${root}/dist/sparkngin`;
  const command = await Deno.realPath(given).catch(() => undefined);
  if (command === undefined) throw new Skipped(`needs ${given}: deno task compile makes dist/sparkngin`);
  return { name: `deno ${await denoIn(command)} executable`, command, args: [] };
}

/** Which Deno an executable carries: nothing it says tells, but its bytes do. */
async function denoIn(path: string): Promise<string> {
  const decoder = new TextDecoder("latin1");
  using file = await Deno.open(path);
  let end = "";
  for await (const chunk of file.readable) {
    const text = end + decoder.decode(chunk);
    const version = /Deno\/(\d+\.\d+\.\d+)/.exec(text)?.[1];
    if (version !== undefined) return version;
    end = text.slice(-32);
  }
  return "of unknown version";
}

export interface Setup {
  /** Made if missing: where it works, with `data` in it. */
  readonly dir: string;
  /** What stands in `sparkngin.toml`; left out: there is none. */
  readonly config?: string;
  readonly core?: number;
  readonly http?: string;
}

export class Server implements AsyncDisposable {
  readonly child: Child;
  readonly dir: string;
  /** Where it listens, known once it is ready. */
  address = "";
  management = "";

  private constructor(child: Child, dir: string) {
    this.child = child;
    this.dir = dir;
  }

  /** Starts it and does not wait. */
  static async launch(runtime: Runtime, { dir, config, core, http = "127.0.0.1:0" }: Setup): Promise<Server> {
    await Deno.mkdir(dir, { recursive: true });
    if (config !== undefined) await Deno.writeTextFile(`${dir}/sparkngin.toml`, config);
    const child = new Child({
      command: runtime.command,
      args: [...runtime.args, "run", "--http-listen", http, "--management-listen", "127.0.0.1:0"],
      cwd: dir,
      env: environment(),
      ...(core !== undefined && { core }),
    });
    return new Server(child, dir);
  }

  /** One that takes messages. */
  static async start(runtime: Runtime, setup: Setup): Promise<Server> {
    const server = await Server.launch(runtime, setup);
    try {
      await until(server.child, "the start of the server", () => server.#hearReady());
      return server;
    } catch (problem) {
      await server[Symbol.asyncDispose]();
      throw problem;
    }
  }

  #hearReady(): boolean {
    const whole = this.child.stderr.split("\n").slice(0, -1).filter((line) => line.startsWith("{"));
    const ready = whole.map((line) => JSON.parse(line)).find(({ message }) => message === "ready");
    if (ready === undefined) return false;
    this.address = ready.http;
    this.management = ready.management;
    return true;
  }

  async status(): Promise<Status> {
    const answer = await fetch(`http://${this.management}/status`);
    return await answer.json();
  }

  /** How many messages it has accepted, once that number stands still. */
  async accepted(): Promise<number> {
    let before = -1;
    for (;;) {
      const { accepted } = await this.status();
      if (accepted === before) return accepted;
      before = accepted;
      await pause(100);
    }
  }

  /** A problem together with what the server said last, which mostly is its reason. */
  explained(problem: unknown): unknown {
    if (!(problem instanceof Error) || problem instanceof Skipped) return problem;
    const fate = this.child.ended ? "the server ended" : "the server runs on";
    const said = this.child.stderr.trim().slice(-500);
    return new Error(`${problem.message}; ${fate}, and said last: ${said}`, { cause: problem });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.child[Symbol.asyncDispose]();
  }
}

/** Ours, without what would configure the server. */
function environment(): Record<string, string> {
  const all = Object.entries(Deno.env.toObject());
  return Object.fromEntries(all.filter(([name]) => !name.startsWith("SPARKNGIN_")));
}
