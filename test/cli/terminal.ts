/** A terminal for tests: files and servers are tables, what is printed is kept. */
import { runProgram } from "../../src/cli/program.ts";
import type { Answer, Posted, Posting, Screen, Terminal } from "../../src/cli/terminal.ts";
import { readOnly } from "../../src/os/read_only.ts";
import type { World } from "../../src/os/world.ts";

export interface Given {
  readonly env?: Record<string, string>;
  /** An `Error` is thrown instead. */
  readonly files?: Record<string, string | Error>;
  /** For commands that work on a data directory. */
  readonly world?: World;
  readonly attended?: boolean;
  readonly screen?: Screen;
  readonly stdin?: readonly string[];
  /** What becomes of posted messages; by default nobody answers. */
  readonly take?: (url: URL, posting: Posting) => Posted | Promise<Posted>;
  /** What the server answers, by path and query; an `Error` means that it cannot be reached. */
  readonly answers?: Record<string, string | readonly string[] | number | Error | Refused>;
}
/** An answer that is no 200. */
export interface Refused {
  readonly status: number;
  readonly body: string;
}
export interface Printed {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** What the server was asked for; of a POST with its body. */
  readonly asked: readonly string[];
}

/** What `sparkngin ARGS` prints, and its exit code. */
export async function sparkngin(args: readonly string[], given: Given = {}): Promise<Printed> {
  const printed: Output = { out: "", err: "", asked: [] };
  const code = await runProgram(args, fakeTerminal(given, printed));
  return { code, ...printed };
}

/** What a part of a command works with. */
export function terminalOf(given: Given): Terminal {
  return fakeTerminal(given, { out: "", err: "", asked: [] });
}

interface Output {
  out: string;
  err: string;
  readonly asked: string[];
}

function fakeTerminal(given: Given, printed: Output): Terminal {
  const { env = {}, files = {}, answers = {}, attended = false, world } = given;
  const answer = async (url: URL): Promise<Answer> => {
    const found = answers[url.pathname + url.search] ?? 404;
    if (found instanceof Error) throw found;
    if (typeof found === "number") return { status: found, body: chunks([`why\x1b[31m`]) };
    if (typeof found === "object" && "status" in found) return { status: found.status, body: chunks([found.body]) };
    return { status: 200, body: chunks(typeof found === "string" ? [found] : found) };
  };
  return {
    context: undefined,
    env,
    attended,
    screen: given.screen,
    holder: "a test",
    out: (text) => void (printed.out += typeof text === "string" ? text : new TextDecoder().decode(text)),
    err: (text) => void (printed.err += text),
    readFile(path) {
      const file = files[path] ?? files[`./${path}`] ?? withCode("ENOENT", "no such file");
      if (typeof file !== "string") throw file;
      return file;
    },
    listDir(path) {
      const inside = Object.keys(files).filter((name) => name.startsWith(`${path}/`));
      if (inside.length === 0) throw withCode("ENOENT", "no such directory");
      return inside.map((name) => name.slice(path.length + 1));
    },
    world(to) {
      if (world === undefined) throw new Error("this test has no data directory");
      return to === "read" ? readOnly(world) : world;
    },
    get(url) {
      printed.asked.push(url.href);
      return answer(url);
    },
    onSignal: () => () => {},
    stdin: () => chunks(given.stdin ?? []),
    async send(url, posting) {
      if (given.take === undefined) throw withCode("ECONNREFUSED", "refused");
      return await given.take(url, posting);
    },
    post(url, json) {
      printed.asked.push(`POST ${url.href} ${json}`);
      return answer(url);
    },
  };
}

export function withCode(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

async function* chunks(parts: readonly string[]): AsyncIterable<Uint8Array> {
  for (const part of parts) yield new TextEncoder().encode(part);
}
