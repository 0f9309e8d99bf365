/** Load by the clock (paced.c): each request is timed from when it was due. */
import { query } from "./body.ts";
import type { Bench } from "./case.ts";
import { checked, type Report } from "./load.ts";
import { runToEnd } from "./process.ts";

export interface Pace {
  /** The program. */
  readonly paced: string;
  readonly connections: number;
  /** Requests due a second. */
  readonly rate: number;
  readonly bench: Bench;
}
/** Of the load itself. */
export interface Late {
  readonly late_p99_ms: number;
}

export async function sendPaced(address: string, seconds: number, pace: Pace): Promise<Report & Late> {
  const { paced, connections, rate, bench } = pace;
  const file = `${bench.dir}/request`;
  await Deno.writeTextFile(file, `GET ${query} HTTP/1.1\r\nHost: ${address}\r\n${fields}\r\n`);
  const port = address.slice(address.lastIndexOf(":") + 1);
  const args = [port, String(connections), String(rate), String(seconds), file];
  const { load } = bench.machine.pins;
  const { code, stdout, stderr } = await runToEnd({ command: paced, args, ...(load !== undefined && { core: load }) });
  if (code !== 0) throw new Error(`paced ended with ${code}: ${stderr}`);
  return checked(JSON.parse(stdout), address);
}

/** As load.lua sends them. */
const fields = [
  "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
  "Referer: http://www.example.com/some/page.html?x=1",
  "Cookie: sid=0123456789abcdef0123456789abcdef; v=2",
].map((field) => `${field}\r\n`).join("");
