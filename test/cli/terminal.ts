/** A terminal for tests: files and servers are tables, what is printed is kept. */
import { runProgram } from "../../src/cli/program.ts";
import type { Terminal } from "../../src/cli/terminal.ts";

export interface Given {
  readonly env?: Record<string, string>;
  /** An `Error` is thrown instead. */
  readonly files?: Record<string, string | Error>;
  /** What the server answers, by path and query; an `Error` means that it cannot be reached. */
  readonly answers?: Record<string, string | readonly string[] | number | Error>;
}
export interface Printed {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** What the server was asked for. */
  readonly asked: readonly string[];
}

/** What `sparkngin ARGS` prints, and its exit code. */
export async function sparkngin(args: readonly string[], given: Given = {}): Promise<Printed> {
  const printed: Output = { out: "", err: "", asked: [] };
  const code = await runProgram(args, fakeTerminal(given, printed));
  return { code, ...printed };
}

interface Output {
  out: string;
  err: string;
  readonly asked: string[];
}

function fakeTerminal({ env = {}, files = {}, answers = {} }: Given, printed: Output): Terminal {
  return {
    env,
    out: (text) => void (printed.out += text),
    err: (text) => void (printed.err += text),
    readFile(path) {
      const file = files[path] ?? withCode("ENOENT", "no such file");
      if (typeof file !== "string") throw file;
      return file;
    },
    async get(url) {
      printed.asked.push(url.href);
      const answer = answers[url.pathname + url.search] ?? 404;
      if (answer instanceof Error) throw answer;
      if (typeof answer === "number") return { status: answer, body: chunks([`why\x1b[31m`]) };
      return { status: 200, body: chunks(typeof answer === "string" ? [answer] : answer) };
    },
  };
}

export function withCode(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

async function* chunks(parts: readonly string[]): AsyncIterable<Uint8Array> {
  for (const part of parts) yield new TextEncoder().encode(part);
}
