/** `sparkngin top`: rates, lag, destinations and disk, renewed while somebody looks; once where nobody does. */
import type { Clock } from "../os/world.ts";
import type { DestinationStatus, Status } from "../observe/status.ts";
import { inColumns } from "./columns.ts";
import { CommandError, type ExitCode, exitCodes } from "./exit.ts";
import { printable, printableJson } from "./printable.ts";
import { askStatus, inBytes, inTime } from "./status.ts";
import type { Terminal } from "./terminal.ts";

export interface TopRequest {
  readonly url?: string;
  readonly json?: boolean;
  readonly once?: boolean;
  /** How long a rate is measured, in ms. */
  readonly every?: number;
}

/** What two looks at a server tell. */
export interface Rates {
  readonly status: Status;
  /** Between the looks. */
  readonly seconds: number;
  readonly accepted_per_s: number;
  /** Of each destination, in the order of the status; what left it with any verdict. */
  readonly passed_per_s: readonly number[];
  /** Until a destination has caught up at this pace; nothing when it never does. */
  readonly caught_up_s: readonly (number | undefined)[];
  /** Until the disk is full at this pace; nothing when it does not fill. */
  readonly full_s: number | undefined;
}

export async function top(terminal: Terminal, request: TopRequest): Promise<ExitCode> {
  const { url, json, every = 1000 } = request;
  const { clock } = terminal.world("read");
  const { screen } = terminal;
  const isOnce = request.once === true || json === true || screen === undefined;
  let before = await look(terminal, clock, url);
  const stop = new AbortController();
  const unlisten = terminal.onSignal(() => stop.abort());
  try {
    for (;;) {
      await clock.sleep(every, stop.signal);
      if (stop.signal.aborted) return exitCodes.ok;
      const now = isOnce ? await look(terminal, clock, url) : await lookAgain(terminal, clock, url);
      if (now === undefined) continue;
      const rates = ratesOf(before, now);
      if (json) terminal.out(`${printableJson(JSON.stringify(rates))}\n`);
      else if (isOnce) terminal.out(lines(rates).join("\n") + "\n");
      else terminal.out(painted(lines(rates), terminal));
      if (isOnce) return exitCodes.ok;
      before = now;
    }
  } finally {
    unlisten();
  }
}

export interface Look {
  readonly status: Status;
  /** Monotonic, ms. */
  readonly at: number;
}

async function look(terminal: Terminal, clock: Clock, url: string | undefined): Promise<Look> {
  return { status: await askStatus(terminal, url), at: clock.elapsed() };
}

/** A server that restarts is no reason to go away. */
async function lookAgain(terminal: Terminal, clock: Clock, url: string | undefined): Promise<Look | undefined> {
  try {
    return await look(terminal, clock, url);
  } catch (problem) {
    if (!(problem instanceof CommandError) || problem.code !== exitCodes.unreachable) throw problem;
    terminal.out(painted([printable(problem.message), "trying again"], terminal));
    return undefined;
  }
}

export function ratesOf(before: Look, now: Look): Rates {
  const seconds = Math.max(0.001, (now.at - before.at) / 1000);
  const { status } = now;
  const rate = (from: number, to: number) => Math.max(0, (to - from) / seconds);
  const accepted_per_s = rate(before.status.accepted, status.accepted);
  const earlier = new Map(before.status.destinations.map((destination) => [destination.name, destination]));
  // One that was rewound stands before where it stood.
  const passed_per_s = status.destinations.map(({ name, position }) =>
    rate(earlier.get(name)?.position ?? position, position)
  );
  const grows = rate(before.status.log.bytes, status.log.bytes);
  return {
    status,
    seconds,
    accepted_per_s,
    passed_per_s,
    caught_up_s: status.destinations.map(({ pending }, i) => {
      const gain = passed_per_s[i]! - accepted_per_s;
      return pending === 0 ? 0 : gain > 0 ? pending / gain : undefined;
    }),
    full_s: grows > 0 ? status.log.free_bytes / grows : undefined,
  };
}

const titles = ["DESTINATION", "KIND", "STATE", "PER SECOND", "PENDING", "LAG", "CAUGHT UP IN", "DEAD"];

export function lines(rates: Rates): string[] {
  const { status, accepted_per_s, full_s } = rates;
  const { version, node, ready, uptime_s, log, accepted } = status;
  const head = [
    `sparkngin ${version}, node ${node}, up ${inTime(uptime_s)}, ${ready ? "ready" : "NOT READY"}`,
    `in    ${rounded(accepted_per_s)} messages a second, ${accepted} since the start`,
    `disk  ${inBytes(log.bytes)} of log, ${inBytes(log.free_bytes)} free${
      full_s === undefined ? "" : `, full in ${inTime(Math.floor(full_s))} if it goes on so`
    }`,
    "",
  ];
  const rows = status.destinations.map((destination, i) => row(destination, rates, i));
  const troubles = status.destinations.flatMap(({ name, last_error, remark }) => {
    const told = last_error || remark;
    return told ? [`${name}: ${told}`] : [];
  });
  return [...head, ...inColumns([titles, ...rows], 3), ...troubles].map(printable);
}

function row({ name, kind, state, pending, lag_s, dead }: DestinationStatus, rates: Rates, i: number): string[] {
  const left = rates.caught_up_s[i];
  const until = pending === 0 ? "-" : left === undefined ? "never" : inTime(Math.ceil(left));
  return [name, kind, state, rounded(rates.passed_per_s[i]!), String(pending), inTime(lag_s), until, String(dead)];
}

function rounded(rate: number): string {
  return rate < 10 && rate % 1 !== 0 ? rate.toFixed(1) : String(Math.round(rate));
}

/** Over what was there, cut to the screen. */
function painted(lines: readonly string[], { screen, env }: Terminal): string {
  const { columns, rows } = screen!;
  const shown = lines.slice(0, rows - 1).map((line) => {
    const text = line.slice(0, columns);
    const isBold = !env.NO_COLOR && (text.startsWith("DESTINATION") || text.includes("NOT READY"));
    return `${isBold ? `\x1b[1m${text}\x1b[0m` : text}\x1b[K\n`;
  });
  return `\x1b[H${shown.join("")}\x1b[J`;
}
