/** [shell] `sparkngin bench`: load of a known kind on a server, and how long its answers take. */
import { BenchConnection } from "./bench_connection.ts";
import { CommandError, type ExitCode, exitCodes } from "./exit.ts";
import { Histogram } from "./histogram.ts";
import { printable, printableJson } from "./printable.ts";
import { Progress } from "./progress.ts";
import { keyOf } from "./send_files.ts";
import { intakeUrl, whyNot } from "./server.ts";
import type { Terminal } from "./terminal.ts";

export interface BenchRequest {
  readonly url?: string;
  readonly keyFile?: string;
  readonly topic: string;
  readonly connections: number;
  readonly duration: number;
  /** Requests a second; as fast as answers come if left out. */
  readonly rate?: number;
  readonly size: number;
  readonly batch: number;
  readonly ack?: string;
  readonly json?: boolean;
}

/** Requests that nobody takes are no measure of anything. */
const failuresMax = 100;
const percentiles = [0.5, 0.9, 0.99, 0.999, 1] as const;

export async function bench(terminal: Terminal, request: BenchRequest): Promise<ExitCode> {
  const run = new BenchRun(terminal, request);
  return await run.carry();
}

class BenchRun {
  readonly #terminal: Terminal;
  readonly #request: BenchRequest;
  readonly #url: URL;
  readonly #bytes: Uint8Array;
  readonly #times = new Histogram();
  readonly #progress: Progress;
  #refused = 0;
  #broken = 0;
  #why = "";
  #begin = 0;
  #next = 0;
  #told = false;

  constructor(terminal: Terminal, request: BenchRequest) {
    this.#terminal = terminal;
    this.#request = request;
    this.#url = intakeUrl(terminal, request.url);
    this.#bytes = requestBytes(this.#url, request, keyOf(terminal, request.keyFile));
    this.#progress = new Progress(terminal, terminal.world("read").clock);
  }

  async carry(): Promise<ExitCode> {
    const { connections, json } = this.#request;
    // One first: a server that is not there is said at once, and the others need not try.
    const first = await this.#open().catch((problem) => {
      const sentence = `Cannot reach ${this.#url.origin}: ${whyNot(problem)}`;
      throw new CommandError(exitCodes.unreachable, sentence, { cause: problem });
    });
    const unlisten = this.#terminal.onSignal(() => this.#told = true);
    this.#begin = performance.now();
    const loops = Array.from({ length: connections }, (_, i) => this.#loop(i === 0 ? first : undefined));
    await Promise.all(loops);
    unlisten();
    this.#progress.end();
    const seconds = (performance.now() - this.#begin) / 1000;
    const result = this.#resultAfter(seconds);
    this.#terminal.out(json ? `${printableJson(JSON.stringify(result))}\n` : rendered(result));
    if (this.#why !== "") this.#terminal.err(printable(`Not taken: ${this.#why}`) + "\n");
    return this.#times.count > 0 ? exitCodes.ok : this.#refused > 0 ? exitCodes.usage : exitCodes.unreachable;
  }

  async #loop(opened: BenchConnection | undefined): Promise<void> {
    let connection = opened;
    for (;;) {
      const from = await this.#turn();
      if (from === undefined) break;
      try {
        connection ??= await this.#open();
        // A timer may ring a little early.
        const begin = Math.min(from ?? Infinity, performance.now());
        const { status, text } = await connection.ask(this.#bytes);
        if (status >= 200 && status < 300) this.#times.add(performance.now() - begin);
        else this.#refuse(status, text);
      } catch (problem) {
        this.#broken++;
        this.#why ||= whyNot(problem);
        connection?.close();
        connection = undefined;
      }
      this.#progress.tell(() => `${this.#times.count} requests taken, ${this.#refused + this.#broken} not`);
    }
    connection?.close();
  }

  /**
   * Waits until a request is due. Times count from when it was due, whoever was late: a server that stands still for a second
   * makes all requests of that second late, not just those under way (coordinated omission). `null`: it is due when asked for.
   */
  async #turn(): Promise<number | null | undefined> {
    const { duration, rate } = this.#request;
    const isHopeless = this.#times.count === 0 && this.#refused + this.#broken >= failuresMax;
    if (this.#told || isHopeless) return undefined;
    if (rate === undefined) return performance.now() - this.#begin < duration ? null : undefined;
    const due = this.#next++ * 1000 / rate;
    if (due >= duration) return undefined;
    const wait = this.#begin + due - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    return this.#told ? undefined : this.#begin + due;
  }

  #open(): Promise<BenchConnection> {
    return BenchConnection.open(this.#url, this.#terminal.context?.tls);
  }

  #resultAfter(seconds: number): Result {
    const { connections, rate, size, batch } = this.#request;
    const { count } = this.#times;
    const latency = Object.fromEntries(percentiles.map((share) => [named(share), this.#times.at(share)]));
    return {
      ...{ seconds, connections, rate: rate ?? null, message_bytes: size, messages_per_request: batch },
      ...{ requests: count, refused: this.#refused, broken: this.#broken, messages: count * batch },
      ...{ requests_per_s: count / seconds, messages_per_s: count * batch / seconds },
      latency_ms: { mean: this.#times.mean, ...latency },
      histogram: this.#times.doublings(),
    };
  }

  #refuse(status: number, text: string): void {
    this.#refused++;
    if (this.#why !== "") return;
    const detail = /"detail":"((?:[^"\\]|\\.)*)"/.exec(text)?.[1];
    this.#why = `it answered ${status}${detail === undefined ? "" : ` ${detail}`}`;
  }
}

interface Result {
  readonly seconds: number;
  readonly connections: number;
  readonly rate: number | null;
  readonly message_bytes: number;
  readonly messages_per_request: number;
  readonly requests: number;
  readonly refused: number;
  readonly broken: number;
  readonly messages: number;
  readonly requests_per_s: number;
  readonly messages_per_s: number;
  readonly latency_ms: Readonly<Record<string, number>>;
  readonly histogram: ReturnType<Histogram["doublings"]>;
}

function rendered(result: Result): string {
  const { seconds, connections, rate, message_bytes, messages_per_request, latency_ms, histogram } = result;
  const times = Object.entries(latency_ms).map(([name, ms]) => `${name} ${inMs(ms)}`).join("   ");
  const most = Math.max(1, ...histogram.map(({ count }) => count));
  const pace = rate === null
    ? "each asks again when it is answered"
    : `${rate} requests a second, times from when each was due`;
  return [
    `${seconds.toFixed(1)} s, ${connections} connections, ${pace}`,
    `${messages_per_request} messages of ${message_bytes} bytes a request`,
    "",
    `${Math.round(result.messages_per_s)} messages a second in ${Math.round(result.requests_per_s)} requests; ` +
    `${result.requests} taken, ${result.refused} refused, ${result.broken} broken`,
    `ms   ${times}`,
    "",
    ...histogram.map(({ upToMs, count }) =>
      `${`≤ ${upToMs < 1 ? upToMs.toFixed(3) : upToMs} ms`.padStart(12)} ${
        "█".repeat(Math.ceil(count / most * 50))
      } ${count}`
    ),
    "",
  ].join("\n");
}

function named(share: number): string {
  return share === 1 ? "max" : `p${Number((share * 100).toFixed(3))}`;
}

function inMs(ms: number): string {
  return ms < 10 ? ms.toFixed(2) : ms < 100 ? ms.toFixed(1) : String(Math.round(ms));
}

function requestBytes(url: URL, { topic, size, batch, ack }: BenchRequest, key: string | undefined): Uint8Array {
  const query = new URLSearchParams({ topic, ...(ack !== undefined && { ack }) });
  const line = `{"bench":"${"x".repeat(Math.max(0, size - 12))}"}`;
  const body = `{"data":${line}}\n`.repeat(batch);
  const head = [
    `POST ${url.pathname}?${query} HTTP/1.1`,
    `host: ${url.host}`,
    "content-type: application/x-ndjson",
    `content-length: ${body.length}`,
    ...(key === undefined ? [] : [`authorization: Bearer ${key}`]),
  ];
  return new TextEncoder().encode(`${head.join("\r\n")}\r\n\r\n${body}`);
}
