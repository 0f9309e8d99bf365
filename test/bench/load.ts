/** The load: wrk, with the script beside this. A request that was not accepted makes the measurement void. */
import { fileURLToPath } from "node:url";
import { Skipped } from "./case.ts";
import { findCommand, runToEnd } from "./process.ts";

export interface Load {
  /** Path and query. */
  readonly path: string;
  readonly connections: number;
  /** Over TLS, whatever the certificate is. */
  readonly isSecure?: boolean;
  /** Without one, GETs are sent. */
  readonly body?: { readonly file: string; readonly type: string; readonly encoding?: string };
}
export interface Timing {
  readonly seconds: number;
  /** The core that wrk runs on; left out: any. */
  readonly core?: number;
}
/** What wrk, or who loads in its place, saw: answers that came within the time. */
export interface Seen {
  readonly requests: number;
  readonly seconds: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
  readonly p99_9_ms: number;
  readonly max_ms: number;
  /** What the load itself took. */
  readonly cpu_s: number;
}
export interface Report extends Seen {
  readonly refused: number;
  readonly broken: number;
}

const script = fileURLToPath(new URL("load.lua", import.meta.url));
/** Longer than any stall of a disk that is still a figure. */
const patience = "60s";

export async function sendLoad(address: string, load: Load, { seconds, core }: Timing): Promise<Seen> {
  const command = await findCommand("wrk");
  if (command === undefined) throw new Skipped("needs wrk");
  const { path, connections, isSecure, body } = load;
  const url = `${isSecure ? "https" : "http"}://${address}${path}`;
  const args = ["-t1", `-c${connections}`, `-d${seconds}s`, "--timeout", patience, "-s", script];
  args.push(url, ...(body ? ["--", body.file, body.type, body.encoding ?? ""] : []));
  const { code, stdout, stderr } = await runToEnd({ command, args, ...(core !== undefined && { core }) });
  const line = stdout.split("\n").findLast((line) => line.startsWith("{"));
  if (code !== 0 || line === undefined) throw new Error(`wrk ended with ${code}: ${stderr}${stdout}`);
  return checked(JSON.parse(line), `${address}${path}`);
}

/** Throws when what a load reports is no measurement. */
export function checked<R extends Report>(report: R, url: string): R {
  const { refused, broken, requests } = report;
  if (refused > 0) throw new Error(`${refused} of ${requests} requests to ${url} got an answer that was not 2xx`);
  if (broken > 0) throw new Error(`${broken} connections to ${url} broke or stood still`);
  if (requests === 0) throw new Error(`no request to ${url} was answered`);
  return report;
}

/** The same of answers whose times are known one by one. */
export function seenOf(ms: Float64Array, { seconds, cpu_s }: Pick<Seen, "seconds" | "cpu_s">): Seen {
  const sorted = ms.toSorted();
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
  const requests = sorted.length;
  return { requests, seconds, p50_ms: at(0.5), p99_ms: at(0.99), p99_9_ms: at(0.999), max_ms: at(1), cpu_s };
}

export async function gzipped(text: string): Promise<Uint8Array> {
  const packed = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(packed).arrayBuffer());
}
