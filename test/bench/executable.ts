/** Cases about the executable as a file and as a program that starts. Not pinned: nobody starts it so. */
import { query } from "./body.ts";
import type { Bench, Case, Result } from "./case.ts";
import { shown, shownSpread, spreadOf } from "./figures.ts";
import { freePort } from "./peer.ts";
import { pause, runToEnd } from "./process.ts";
import { type Runtime, Server, type Setup } from "./server.ts";

const starts = 10;

export const executableStart: Case = {
  name: "executable-start",
  summary:
    `from the start of the process to the first 204, without configuration, a fresh directory each of ${starts} times`,
  runtimes: "executable",
  async run(bench) {
    const toAnswer = await repeated((number) => firstAnswerMs(bench, number));
    const toVersion = await repeated(() => versionMs(bench));
    return [startResult("first-204", toAnswer), startResult("version", toVersion)];
  },
};

export const executableSize: Case = {
  name: "executable-size",
  summary: "bytes of the executable",
  runtimes: "executable",
  async run({ runtime }) {
    const { size } = await Deno.stat(runtime.command);
    return [{ figures: { bytes: size }, row: { result: `${shown(size / 2 ** 20)} MiB` } }];
  },
};

function startResult(part: string, ms: readonly number[]): Result {
  const spread = spreadOf(ms);
  return { part, figures: { starts, ms: spread }, row: { result: `${shownSpread(spread)} ms` } };
}

async function repeated(measure: (number: number) => Promise<number>): Promise<number[]> {
  const found: number[] = [];
  for (let number = 0; number < starts; number++) found.push(await measure(number));
  return found;
}

async function firstAnswerMs({ runtime, dir }: Bench, number: number): Promise<number> {
  const begin = performance.now();
  await using launched = await launch(runtime, { dir: `${dir}/start-${number}` });
  await untilAccepted(launched);
  return performance.now() - begin;
}

/** A server that was told where to listen, and may not do so yet. */
export interface Launched extends AsyncDisposable {
  readonly server: Server;
  readonly address: string;
}

export async function launch(runtime: Runtime, setup: Omit<Setup, "http">): Promise<Launched> {
  const address = `127.0.0.1:${freePort()}`;
  const server = await Server.launch(runtime, { ...setup, http: address });
  return { server, address, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

/** Resolves with its first 204. */
export async function untilAccepted({ server, address }: Launched): Promise<void> {
  while (!await isAccepted(address)) {
    if (server.child.ended) throw new Error(`The server did not start: ${server.child.stderr.slice(-1000)}`);
    await pause(1);
  }
}

/** Over a connection of its own, said by hand: a client that starts up itself would be part of the figure. */
async function isAccepted(address: string): Promise<boolean> {
  const [hostname, port] = address.split(":");
  try {
    using connection = await Deno.connect({ hostname: hostname!, port: Number(port) });
    await connection.write(new TextEncoder().encode(`GET ${query} HTTP/1.1\r\nHost: ${address}\r\n\r\n`));
    const answer = new Uint8Array(1024);
    const count = await connection.read(answer) ?? 0;
    return new TextDecoder().decode(answer.subarray(0, count)).startsWith("HTTP/1.1 204 ");
  } catch (problem) {
    if (problem instanceof Deno.errors.ConnectionRefused) return false;
    throw problem;
  }
}

async function versionMs({ runtime, dir }: Bench): Promise<number> {
  const begin = performance.now();
  const { code, stderr } = await runToEnd({ command: runtime.command, args: [...runtime.args, "--version"], cwd: dir });
  if (code !== 0) throw new Error(`--version ended with ${code}: ${stderr}`);
  return performance.now() - begin;
}
