/** `sparkngin log stat`: what a data directory holds, in numbers. */
import { type Stat, stat, verdicts } from "../log/mod.ts";
import { inColumns } from "./columns.ts";
import { dataDirectory, type DirectoryRequest, useOf, withDirectory } from "./directory.ts";
import { type ExitCode, exitCodes } from "./exit.ts";
import { printable, printableJson } from "./printable.ts";
import { inBytes } from "./status.ts";
import type { Terminal } from "./terminal.ts";

export async function statLog(
  terminal: Terminal,
  named: string | undefined,
  request: DirectoryRequest,
): Promise<ExitCode> {
  const dir = await dataDirectory(terminal, named, request);
  const { files } = terminal.world("read");
  const found = await withDirectory(files, dir, () => stat(files, dir));
  terminal.out(request.json ? `${printableJson(JSON.stringify(found))}\n` : renderStat(found));
  return exitCodes.ok;
}

function renderStat(found: Stat): string {
  const { node, format, epoch, holder, start, end, durable, bytes, commits, messages, quarantine } = found;
  const lines = [
    `node ${node ?? "unknown"}, format ${format}, start ${epoch}, ${useOf(holder)}`,
    `log from ${start} to ${end}, ${durable === undefined ? "no durable mark" : `durable mark at ${durable}`}`,
    `${found.segments.length} segments, ${commits} commits, ${messages} messages, ${inBytes(bytes)} on disk`,
    ...found.dead.map(({ name, messages, bytes }) => `dead letters of ${name}: ${messages} records, ${inBytes(bytes)}`),
    ...(quarantine.files > 0 ? [`quarantine: ${quarantine.files} files, ${inBytes(quarantine.bytes)}`] : []),
    "",
    ...inColumns(segmentRows(found), 1),
    ...(found.destinations.length > 0 ? ["", ...cursorLines(found)] : []),
  ];
  return lines.map((line) => `${printable(line)}\n`).join("");
}

function segmentRows({ segments }: Stat): string[][] {
  const rows = segments.map(({ name, base, end, bytes, commits, messages, epoch, from, to }) => [
    name,
    ...[base, end, inBytes(bytes), commits, messages, epoch ?? "?", timeOf(from), timeOf(to)].map(String),
  ]);
  return [["SEGMENT", "FROM", "TO", "SIZE", "COMMITS", "MESSAGES", "EPOCH", "FIRST COMMIT", "LAST COMMIT"], ...rows];
}

function timeOf(ms: number | undefined): string {
  return ms === undefined ? "-" : new Date(ms).toISOString();
}

/** How far each destination is, as its cursor says. */
export function cursorLines({ destinations }: Stat): string[] {
  const rows = destinations.map((one) => {
    const state = !one.readable ? "unreadable" : one.paused ? "paused" : "-";
    const counts = verdicts.map((verdict) => one[verdict] ?? "-");
    return [
      one.name,
      state,
      ...[one.position ?? "-", one.pending ?? "-", one.generation ?? "-", ...counts].map(String),
    ];
  });
  const titles = ["DESTINATION", "STATE", "POSITION", "PENDING", "GENERATION", ...verdicts.map((v) => v.toUpperCase())];
  return inColumns([titles, ...rows], 2);
}
