/** `sparkngin status`: how a running node and its destinations are. */
import type { DestinationStatus, Status } from "../observe/status.ts";
import { inColumns } from "./columns.ts";
import { CommandError, type ExitCode, exitCodes } from "./exit.ts";
import { printable, printableJson } from "./printable.ts";
import { ask, placeOf, readAll, serverUrl } from "./server.ts";
import type { Terminal } from "./terminal.ts";

export interface StatusRequest {
  readonly url?: string;
  readonly json?: boolean;
}
const patienceMs = 10_000;

export async function showStatus(terminal: Terminal, { url, json }: StatusRequest): Promise<ExitCode> {
  const status = await askStatus(terminal, url);
  terminal.out(json ? `${printableJson(JSON.stringify(status))}\n` : renderStatus(status));
  return exitCodes.ok;
}

export async function askStatus(terminal: Terminal, url: string | undefined, limitMs = patienceMs): Promise<Status> {
  const where = serverUrl(terminal, url, "status");
  const text = await readAll(await ask(terminal, where, AbortSignal.timeout(limitMs)));
  return parseStatus(text, where);
}

function parseStatus(text: string, where: URL): Status {
  try {
    const status = JSON.parse(text) as Status;
    if (Array.isArray(status.destinations) && typeof status.log === "object") return status;
  } catch {
    // The same as JSON that is something else.
  }
  throw new CommandError(
    exitCodes.unreachable,
    `Cannot ask ${placeOf(where)}: the answer is not from the management of sparkngin`,
  );
}

export function renderStatus(status: Status): string {
  const { version, node, epoch, uptime_s, ready, accepted, log, destinations } = status;
  const head = [
    `sparkngin ${version}, node ${node}, start ${epoch}, up ${inTime(uptime_s)}`,
    `${ready ? "ready" : "NOT READY"}, ${accepted} messages accepted`,
    `log from ${log.start} to ${log.durable}, ${inBytes(log.bytes)} on disk, ${inBytes(log.free_bytes)} free`,
  ];
  return [...head, ""].map((line) => `${printable(line)}\n`).join("") + renderDestinations(destinations);
}

export function renderDestinations(destinations: readonly DestinationStatus[]): string {
  const lines = [...inColumns([titles, ...destinations.map(cells)], 3), ...destinations.flatMap(troubles)];
  return lines.map((line) => `${printable(line)}\n`).join("");
}

const titles = ["DESTINATION", "KIND", "STATE", "POSITION", "PENDING", "LAG", "TAKEN", "FILTERED", "DEAD"];

function cells(destination: DestinationStatus): string[] {
  const { name, kind, state, position, pending, lag_s, taken, filtered, dead } = destination;
  return [name, kind, state, position, pending, inTime(lag_s), taken, filtered, dead].map(String);
}

/** What the operator should know beyond the table. */
function troubles(destination: DestinationStatus): string[] {
  const { name, tries, last_error, conserved, start, position } = destination;
  const lines: string[] = [];
  if (last_error) lines.push(`${name}: ${last_error}${tries > 0 ? ` (tried ${tries} times)` : ""}`);
  // An older server says none.
  if (destination.remark) lines.push(`${name}: ${destination.remark}`);
  const { rate_limited, throttled, at_once, stalled_messages } = destination;
  if (rate_limited) lines.push(`${name}: goes as fast as its rate_limit allows`);
  if (throttled > 0) {
    lines.push(`${name}: said ${throttled} times that it is too much; gets ${at_once} messages at once now`);
  }
  if (stalled_messages > 0) {
    lines.push(`${name}: ${stalled_messages} messages wait, others are delivered ahead of them`);
  }
  if (destination.sampled > 0) lines.push(`${name}: ${destination.sampled} messages left out by sample`);
  for (const verdict of ["skipped", "expired", "overwritten", "damaged"] as const) {
    if (destination[verdict] > 0) lines.push(`${name}: ${destination[verdict]} messages ${verdict}`);
  }
  if (!conserved) lines.push(`${name}: COUNTS DO NOT ADD UP from ${start} to ${position}; please report this`);
  return lines;
}

/** "2 d 3 h", "4 min 5 s", "0.2 s". */
export function inTime(seconds: number): string {
  const whole = Math.floor(seconds);
  if (seconds < 10 && seconds !== whole) return `${seconds.toFixed(1)} s`;
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${Math.floor(whole % 3600 / 60)} min`;
  return `${Math.floor(whole / 86_400)} d ${Math.floor(whole % 86_400 / 3600)} h`;
}

export function inBytes(bytes: number): string {
  const steps = Math.min(4, Math.max(0, Math.floor(Math.log2(Math.max(1, bytes)) / 10)));
  const unit = ["B", "KiB", "MiB", "GiB", "TiB"][steps]!;
  return steps === 0 ? `${bytes} B` : `${(bytes / 1024 ** steps).toFixed(1)} ${unit}`;
}
