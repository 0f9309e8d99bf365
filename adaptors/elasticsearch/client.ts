/** Requests to the nodes of a cluster, in turn; one that does not answer is left out for a while. No more of an answer is read than is of use. */
import type { Clock } from "../../src/os/world.ts";
import { inWords } from "../reason.ts";
import type { Answer } from "./answer.ts";

export interface Access {
  /** Origins, with a path where there is one. */
  readonly nodes: readonly URL[];
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: string };
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly random: () => number;
}
export interface Asked {
  readonly method: "GET" | "POST";
  /** With its query; made by us. */
  readonly path: string;
  readonly body?: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  readonly answerBytesMax: number;
}

/** A node that does not answer is asked again after that, or when no other is left. */
const deadMs = 30_000;

export class Nodes {
  readonly #access: Access;
  readonly #client: Deno.HttpClient;
  readonly #deadUntil: number[];
  #next: number;
  #closed = false;

  constructor(access: Access) {
    this.#access = access;
    const { ca, cert, key } = access.tls;
    this.#client = Deno.createHttpClient({
      ...(ca !== undefined && { caCerts: [ca] }),
      ...(cert !== undefined && key !== undefined && { cert, key }),
    });
    this.#deadUntil = access.nodes.map(() => -Infinity);
    this.#next = Math.floor(access.random() * access.nodes.length);
  }

  /** Rejects when no node answers: what was sent may have arrived or not. */
  async ask(asked: Asked, signal: AbortSignal): Promise<Answer & { readonly origin: string }> {
    const problems: string[] = [];
    for (const number of this.#order()) {
      if (this.#closed) throw new Error("Cannot send: the connection is closed");
      signal.throwIfAborted();
      const url = this.#access.nodes[number]!;
      try {
        const answer = await this.#askOne(url, asked, signal);
        // Nobody behind a balancer, or a node that is going down: another one may do.
        if (![502, 503, 504].includes(answer.status) || this.#access.nodes.length === 1) {
          this.#deadUntil[number] = -Infinity;
          this.#next = (number + 1) % this.#access.nodes.length;
          return { ...answer, origin: url.origin };
        }
        problems.push(`${url.origin} answers ${answer.status}`);
      } catch (problem) {
        if (signal.aborted) throw new Error("Cannot send: told to stop");
        problems.push(`${url.origin}: ${reasonOf(problem)}`);
      }
      this.#deadUntil[number] = this.#access.clock.elapsed() + deadMs;
    }
    throw new Error(`Cannot send to any node: ${problems.join("; ")}`);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#client.close();
  }

  /** Those that live in turn, then the others. */
  #order(): number[] {
    const { nodes, clock } = this.#access;
    const all = nodes.map((_, at) => (this.#next + at) % nodes.length);
    const isDead = (number: number) => this.#deadUntil[number]! > clock.elapsed();
    return [...all.filter((number) => !isDead(number)), ...all.filter(isDead)];
  }

  async #askOne(url: URL, asked: Asked, signal: AbortSignal): Promise<Answer> {
    const { clock, timeoutMs, headers } = this.#access;
    const limit = new AbortController();
    const done = new AbortController();
    const stopped = () => limit.abort(new Error("told to stop"));
    signal.addEventListener("abort", stopped, { once: true });
    void clock.sleep(timeoutMs, done.signal).then(() => {
      if (!done.signal.aborted) limit.abort(new Error(`no answer within ${timeoutMs} ms`));
    });
    try {
      const answer = await fetch(`${url.origin}${url.pathname.replace(/\/+$/, "")}${asked.path}`, {
        method: asked.method,
        headers: { ...headers, ...asked.headers },
        body: asked.body as BodyInit | undefined ?? null,
        redirect: "manual",
        signal: limit.signal,
        client: this.#client,
      });
      const text = await readText(answer, asked.answerBytesMax);
      return { status: answer.status, retryAfter: answer.headers.get("retry-after") ?? undefined, text };
    } finally {
      done.abort();
      signal.removeEventListener("abort", stopped);
    }
  }
}

async function readText({ body }: Response, bytesMax: number): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const piece of body ?? []) {
    bytes += piece.length;
    // Leaving the loop ends the answer.
    if (bytes > bytesMax) throw new Error(`its answer is longer than ${bytesMax} bytes`);
    text += decoder.decode(piece, { stream: true });
  }
  return text + decoder.decode();
}

/** What the system says, without what an answer may have brought into it. */
function reasonOf(problem: unknown): string {
  const cause = problem instanceof Error && problem.cause instanceof Error ? problem.cause : problem;
  const said = cause instanceof Error ? cause.message : String(cause);
  // What was asked comes first there, and is long.
  const text = inWords(said.replace(/^error sending request .*?: (?=client error)/, ""));
  return text.replace(/[^\x20-\x7e]/g, "?").slice(0, 300) || "the connection broke";
}
