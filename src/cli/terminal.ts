/** [shell] What a command may touch: its two outputs, the environment, files it reads, and a server it asks. */

export interface Terminal {
  readonly env: Readonly<Record<string, string>>;
  /** Data: to standard output. */
  out(text: string): void;
  /** Talk: to standard error. */
  err(text: string): void;
  /** Throws the system's error, with its `code`. */
  readFile(path: string): string;
  /** Resolves when the head of the answer is there; rejects when nobody answers. */
  get(url: URL, signal?: AbortSignal): Promise<Answer>;
}
export interface Answer {
  readonly status: number;
  readonly body: AsyncIterable<Uint8Array>;
}

export function realTerminal(): Terminal {
  return {
    env: Deno.env.toObject(),
    out: (text) => write(Deno.stdout, text),
    err: (text) => write(Deno.stderr, text),
    readFile: (path) => Deno.readTextFileSync(path),
    get,
  };
}

function write(to: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = new TextEncoder().encode(text);
  try {
    for (let at = 0; at < bytes.length;) at += to.writeSync(bytes.subarray(at));
  } catch (problem) {
    // Whoever reads us has seen enough: `sparkngin tail | head`.
    if (problem instanceof Deno.errors.BrokenPipe) Deno.exit(0);
    throw problem;
  }
}

/** Not by `fetch`: that one obeys HTTP_PROXY, and a proxy cannot reach our loopback. */
async function get(url: URL, signal?: AbortSignal): Promise<Answer> {
  const http = url.protocol === "https:" ? await import("node:https") : await import("node:http");
  return await new Promise((resolve, reject) => {
    const request = http.get(url, { agent: false, signal }, (answer) => {
      resolve({ status: answer.statusCode ?? 0, body: answer });
    });
    request.on("error", reject);
  });
}
