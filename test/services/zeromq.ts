/** Peers that talk ZeroMQ by libzmq: one in Python, one in C, one under Node. Only processes started here are ended here. */
import { missing as missingCommands } from "../crash/needs.ts";
import { within } from "../e2e/waiting.ts";

const here = new URL("./", import.meta.url).pathname;

export const names = ["pyzmq", "C", "Node"] as const;
export interface Make {
  readonly name: typeof names[number];
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}
export type PeerType = "push" | "pull" | "pub" | "sub" | "dealer" | "req";
export interface PeerOptions {
  readonly count: number;
  /** Of what fills a message up. Of takers -1: they print nothing. */
  readonly size?: number;
  /** Of senders: so often, each time with a new socket. */
  readonly runs?: number;
  readonly pauseMs?: number;
}

/** " (needs …)", or "" when these can be had. */
export function missing(...wanted: readonly Make["name"][]): string {
  const absent = wanted.flatMap((name) => {
    if (name === "pyzmq") return python() === undefined ? ["python3-zmq"] : [];
    if (name === "Node") return ["node", "npm"].filter((command) => !isThere(command));
    return [...missingCommands(["gcc"]) === "" ? [] : ["gcc"], ...hasHeader() ? [] : ["libzmq3-dev"]];
  });
  return absent.length === 0 ? "" : ` (needs ${absent.join(", ")})`;
}

/** A peer, made or fetched if need be. */
export async function makeOf(name: Make["name"]): Promise<Make> {
  if (name === "pyzmq") return { name, command: python()!, args: [`${here}zeromq_peer.py`] };
  if (name === "C") return { name, command: await compiled(), args: [] };
  return { name, command: "node", args: [`${here}zeromq_peer.mjs`], env: { ZEROMQ_JS: await fetchedPackage() } };
}

/** A peer under way. Its lines are what it prints behind the first, which says where it is. */
export class Peer implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #address = Promise.withResolvers<string>();
  readonly #done: Promise<Deno.CommandStatus>;
  readonly #read: Promise<void>;
  readonly lines: string[] = [];

  constructor(
    make: Make,
    type: PeerType,
    where: readonly [way: "bind" | "connect", address: string],
    options: PeerOptions,
  ) {
    const { count, size = 0, runs = 1, pauseMs = 0 } = options;
    const args = [...make.args, type, ...where, ...[count, size, runs, pauseMs].map(String)];
    const { command, env = {} } = make;
    this.#process = new Deno.Command(command, { args, env, stdout: "piped", stderr: "inherit" }).spawn();
    this.#read = this.#follow();
    this.#done = this.#process.status;
    this.#address.promise.catch(() => {});
  }

  /** Known once it listens or connects. */
  get address(): Promise<string> {
    return within("a peer's address", this.#address.promise);
  }

  /** Its lines, once it has ended by itself. */
  async end(): Promise<readonly string[]> {
    const { success } = await within("the end of a peer", this.#done, () => `${this.lines.length} lines`, 120_000);
    await this.#read;
    if (!success) throw new Error("the peer failed");
    return this.lines;
  }

  freeze(): void {
    this.#process.kill("SIGSTOP");
  }
  thaw(): void {
    this.#process.kill("SIGCONT");
  }
  async kill(): Promise<void> {
    try {
      this.#process.kill("SIGKILL");
    } catch (problem) {
      if (!(problem instanceof TypeError)) throw problem;
    }
    await this.#done;
    await this.#read;
  }
  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }

  async #follow(): Promise<void> {
    let rest = "";
    let isFirst = true;
    const text = new TextDecoder();
    for await (const chunk of this.#process.stdout) {
      const parts = (rest + text.decode(chunk, { stream: true })).split("\n");
      rest = parts.pop()!;
      if (isFirst && parts.length > 0) {
        this.#address.resolve(parts.shift()!);
        isFirst = false;
      }
      for (const part of parts) this.lines.push(part);
    }
    this.#address.reject(new Error("the peer ended before it said where it is"));
  }
}

/** What the senders send: run, number, and what fills it up. */
export function bodyOf(run: number, i: number, size = 0): string {
  return `{"topic":"t","data":"${run}-${i}-${"x".repeat(size)}"}`;
}

let found: string | undefined | null = null;

/** A Python that knows pyzmq: the system's own has Debian's package, whichever comes first in the path. */
function python(): string | undefined {
  if (found !== null) return found;
  return found = ["/usr/bin/python3", "python3"].find((command) => {
    try {
      return new Deno.Command(command, { args: ["-c", "import zmq"], stderr: "null" }).outputSync().success;
    } catch {
      return false;
    }
  });
}

function hasHeader(): boolean {
  const args = ["-fsyntax-only", "-include", "zmq.h", "-x", "c", "/dev/null"];
  try {
    return new Deno.Command("gcc", { args, stderr: "null" }).outputSync().success;
  } catch {
    return false;
  }
}

function isThere(command: string): boolean {
  return new Deno.Command("sh", { args: ["-c", `command -v ${command}`], stdout: "null" }).outputSync().success;
}

const packageVersion = "6.5.0";
let fetched: Promise<string> | undefined;

/** The directory that npm:zeromq is installed in: the tests' alone, so that nothing of it comes near the program. */
function fetchedPackage(): Promise<string> {
  return fetched ??= fetchPackage();
}

async function fetchPackage(): Promise<string> {
  const cache = `${Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME")}/.cache`}/sparkngin-test`;
  const home = `${cache}/zeromq-${packageVersion}`;
  await Deno.mkdir(cache, { recursive: true });
  using guard = await Deno.open(`${home}.lock`, { create: true, write: true });
  await guard.lock(true);
  if (await Deno.stat(home).catch(() => undefined)) return home;
  const making = `${home}.making`;
  await Deno.remove(making, { recursive: true }).catch(() => {});
  await Deno.mkdir(making);
  for (let tries = 1; !(await install(making)); tries++) {
    if (tries === 3) throw new Error(`Cannot fetch npm:zeromq@${packageVersion} into ${making}`);
    await new Promise((resolve) => setTimeout(resolve, tries * 5000));
  }
  await Deno.rename(making, home);
  return home;
}

/** It brings what was built for this machine: no script has to run. */
async function install(cwd: string): Promise<boolean> {
  const args = ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", ".", `zeromq@${packageVersion}`];
  const { success } = await new Deno.Command("npm", { args, cwd, stdin: "null", stdout: "null" }).output();
  return success;
}

let made: Promise<string> | undefined;

function compiled(): Promise<string> {
  return made ??= compile();
}

async function compile(): Promise<string> {
  const path = `${await Deno.makeTempDir({ prefix: "sparkngin-test-zeromq-" })}/peer`;
  globalThis.addEventListener("unload", () => Deno.removeSync(path.slice(0, -"/peer".length), { recursive: true }));
  const args = ["-O2", "-o", path, `${here}zeromq_peer.c`, "-lzmq"];
  const { success, stderr } = await new Deno.Command("gcc", { args, stderr: "piped" }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return path;
}
