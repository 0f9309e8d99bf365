/** [shell] What a command may touch: its two outputs, the environment, files, data directories, and a server it asks. */
import { realWorld } from "../os/deno.ts";
import { readOnly } from "../os/read_only.ts";
import type { World } from "../os/world.ts";
import type { Context } from "./context.ts";
import { keyToShow } from "./server.ts";

export interface Terminal {
  /** The server that was chosen by name: its key and its certificates are shown to whoever is asked. */
  context: Context | undefined;
  readonly env: Readonly<Record<string, string>>;
  /** Whether somebody looks at standard error: progress is shown only then. */
  readonly attended: boolean;
  /** The size of the terminal that data is printed on; nothing when it goes elsewhere. */
  readonly screen: Screen | undefined;
  /** What this process writes into the locks it takes. */
  readonly holder: string;
  /** Data: to standard output. */
  out(text: string | Uint8Array): void;
  /** Talk: to standard error. */
  err(text: string): void;
  /** Throws the system's error, with its `code`. */
  readFile(path: string): string;
  /** Names in the directory; throws as `readFile` does. */
  listDir(path: string): readonly string[];
  /** The outside of commands that work on a data directory: with "read" nothing can be changed. */
  world(to: "read" | "write"): World;
  /** Resolves when the head of the answer is there; rejects when nobody answers. */
  get(url: URL, signal?: AbortSignal): Promise<Answer>;
  /** Calls when the user or the system asks to stop; what it gives ends that. */
  onSignal(act: () => void): () => void;
  /** Standard input, in blocks. */
  stdin(): AsyncIterable<Uint8Array>;
  /** Posts messages, over connections that stay open; resolves with the whole answer. */
  send(url: URL, posting: Posting, signal?: AbortSignal): Promise<Posted>;
  /** The same, with a body of JSON. */
  post(url: URL, json: string, signal?: AbortSignal): Promise<Answer>;
}
export interface Screen {
  readonly columns: number;
  readonly rows: number;
}
export interface Posting {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}
export interface Posted {
  readonly status: number;
  /** By name in small letters. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly text: string;
}
export interface Answer {
  readonly status: number;
  readonly body: AsyncIterable<Uint8Array>;
}

export function realTerminal(): Terminal {
  const terminal: Terminal = {
    context: undefined,
    env: Deno.env.toObject(),
    get attended() {
      return Deno.stderr.isTerminal();
    },
    get screen() {
      return Deno.stdout.isTerminal() ? Deno.consoleSize() : undefined;
    },
    get holder() {
      return `process ${Deno.pid} on ${Deno.hostname()}`;
    },
    out: (text) => write(Deno.stdout, text),
    err: (text) => write(Deno.stderr, text),
    readFile: (path) => Deno.readTextFileSync(path),
    listDir: (path) => [...Deno.readDirSync(path)].map(({ name }) => name),
    world: (to) => to === "read" ? readOnly(realWorld()) : realWorld(),
    get: (url, signal) => ask(url, { method: "GET", signal }, terminal),
    onSignal: listenForStop,
    stdin: () => Deno.stdin.readable,
    send: openPosting(() => terminal.context),
    post: (url, json, signal) => ask(url, { method: "POST", body: json, signal }, terminal),
  };
  return terminal;
}

function write(to: { writeSync(bytes: Uint8Array): number }, text: string | Uint8Array): void {
  const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
  try {
    for (let at = 0; at < bytes.length;) at += to.writeSync(bytes.subarray(at));
  } catch (problem) {
    // Whoever reads us has seen enough: `sparkngin tail | head`.
    if (problem instanceof Deno.errors.BrokenPipe) Deno.exit(0);
    throw problem;
  }
}

interface Asking {
  readonly method: "GET" | "POST";
  readonly body?: string;
  readonly signal: AbortSignal | undefined;
}

/** Not by `fetch`: that one obeys HTTP_PROXY, and a proxy cannot reach our loopback. */
async function ask(url: URL, { method, body, signal }: Asking, terminal: Terminal): Promise<Answer> {
  const http = url.protocol === "https:" ? await import("node:https") : await import("node:http");
  const key = keyToShow(terminal);
  const headers = {
    ...(body !== undefined && { "content-type": "application/json" }),
    ...(key && { authorization: `Bearer ${key}` }),
  };
  return await new Promise((resolve, reject) => {
    const request = http.request(url, { method, headers, agent: false, signal, ...terminal.context?.tls }, (answer) => {
      resolve({ status: answer.statusCode ?? 0, body: answer });
    });
    request.on("error", reject);
    request.end(body);
  });
}

/** As `ask`, for many requests to one server. */
function openPosting(context: () => Context | undefined): Terminal["send"] {
  let agent: import("node:http").Agent | undefined;
  return async (url, { headers, body }, signal) => {
    const http = url.protocol === "https:" ? await import("node:https") : await import("node:http");
    agent ??= new http.Agent({ keepAlive: true, ...context()?.tls });
    return await new Promise((resolve, reject) => {
      const options = { method: "POST", headers: { ...headers, "content-length": body.length }, agent, signal };
      const request = http.request(url, options, (answer) => {
        const parts: Uint8Array[] = [];
        answer.on("data", (part) => parts.push(part));
        answer.on("error", reject);
        answer.on("end", () => {
          const text = parts.map((part) => new TextDecoder().decode(part)).join("");
          resolve({ status: answer.statusCode ?? 0, headers: answer.headers as Posted["headers"], text });
        });
      });
      request.on("error", reject);
      request.end(body);
    });
  };
}

function listenForStop(act: () => void): () => void {
  const signals = Deno.build.os === "windows" ? ["SIGINT" as const] : ["SIGINT" as const, "SIGTERM" as const];
  for (const signal of signals) Deno.addSignalListener(signal, act);
  return () => {
    for (const signal of signals) Deno.removeSignalListener(signal, act);
  };
}
