/** The node of an examination: it keeps its directory when it ends and starts again. */
import assert from "node:assert/strict";
import { type Node, runCommand, type Setup, startNode } from "./node.ts";
import { eventually } from "./waiting.ts";

/** Of a destination in `/status`. */
export interface Shown {
  readonly name: string;
  readonly state: string;
  readonly last_error: string;
  readonly taken: number;
  readonly dead: number;
  readonly pending: number;
  readonly conserved: boolean;
}

export class Host implements AsyncDisposable {
  readonly #setup: Setup;
  readonly dir: string;
  node: Node;

  private constructor(setup: Setup, dir: string, node: Node) {
    this.#setup = setup;
    this.dir = dir;
    this.node = node;
  }
  static async start(dir: string, setup: Setup): Promise<Host> {
    await Deno.mkdir(dir);
    const whole = { ...setup, dir };
    return new Host(whole, dir, await startNode(whole));
  }
  async end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    if (signal === "SIGTERM") assert.equal(await this.node.stop(), 0, this.node.stderr());
    this.node.kill(signal);
    await this.node.exited;
  }
  async startAgain(): Promise<void> {
    this.node = await startNode(this.#setup);
  }
  /** All destinations are changed, so each of them is closed and opened. */
  async reload(): Promise<void> {
    const changed = this.#setup.config!.replaceAll("[[destination]]", '[[destination]]\nlinger = "3ms"');
    await Deno.writeTextFile(`${this.dir}/sparkngin.toml`, changed);
    const { code, stderr } = await runCommand(["reload", "--url", `http://${this.node.management}`]);
    assert.equal(code, 0, stderr);
  }
  async destinations(): Promise<readonly Shown[]> {
    return (await (await fetch(`http://${this.node.management}/status`)).json()).destinations;
  }
  /** Resolves once a destination is shown so. */
  async shows(name: string, isSo: (shown: Shown) => boolean): Promise<void> {
    await eventually(`the right state of ${name}`, async () => {
      const shown = (await this.destinations()).find((one) => one.name === name);
      return shown !== undefined && isSo(shown);
    });
  }
  get handles(): number {
    return [...Deno.readDirSync(`/proc/${this.node.pid}/fd`)].length;
  }
  [Symbol.asyncDispose](): Promise<void> {
    return this.node[Symbol.asyncDispose]();
  }
}
