/** `sparkngin log verify`: whether everything that was accepted is still as it was. */
import { type Finding, type Verification, verify } from "../log/mod.ts";
import { decodeRecord } from "../deliver/letter.ts";
import { decodeEntry } from "../message/wire.ts";
import { dataDirectory, type DirectoryRequest, useOf, withDirectory } from "./directory.ts";
import { type ExitCode, exitCodes } from "./exit.ts";
import { printable, printableJson } from "./printable.ts";
import { Progress } from "./progress.ts";
import { inBytes } from "./status.ts";
import type { Terminal } from "./terminal.ts";

export interface VerifyRequest extends DirectoryRequest {
  /** Reads what the entries hold, too. */
  readonly deep?: boolean;
}

export async function verifyLog(
  terminal: Terminal,
  named: string | undefined,
  request: VerifyRequest,
): Promise<ExitCode> {
  const dir = await dataDirectory(terminal, named, request);
  const { files, clock } = terminal.world("read");
  const progress = new Progress(terminal, clock);
  let read = 0;
  const found = await withDirectory(files, dir, () =>
    verify(files, dir, {
      ...(request.deep && { flawOf, letterFlawOf }),
      progress(bytes) {
        read += bytes;
        progress.tell(() => `read ${inBytes(read)}`);
      },
    }));
  progress.end();
  const damaged = found.findings.some(({ severity }) => severity === "damage");
  terminal.out(
    request.json ? `${printableJson(JSON.stringify({ sound: !damaged, ...found }))}\n` : render(found, damaged),
  );
  return damaged ? exitCodes.badData : exitCodes.ok;
}

/** What is wrong with an entry whose checksum is right. */
export function flawOf(bytes: Uint8Array, count: number): string | undefined {
  try {
    const { length } = decodeEntry(bytes);
    return length === count ? undefined : `an entry of ${count} messages holds ${length}`;
  } catch (problem) {
    return problem instanceof Error ? problem.message : String(problem);
  }
}

function letterFlawOf(bytes: Uint8Array): string | undefined {
  try {
    decodeRecord(bytes);
    return undefined;
  } catch (problem) {
    return problem instanceof Error ? problem.message : String(problem);
  }
}

function render(found: Verification, damaged: boolean): string {
  const { node, holder, start, end, totals, dead, findings, lost } = found;
  const { segments, commits, entries, messages, bytes } = totals;
  const lines = [
    `node ${node ?? "unknown"}, log from ${start} to ${end}, ${useOf(holder)}`,
    `${segments} segments, ${commits} commits, ${entries} entries, ${messages} messages, ${inBytes(bytes)} read`,
    ...Object.entries(dead).map(([name, { messages }]) => `dead letters of ${name}: ${messages} records`),
    ...findings.map(renderFinding),
    damaged ? `DAMAGED: ${lost} messages cannot be read any more` : "sound: everything that was accepted can be read",
  ];
  return lines.map((line) => `${printable(line)}\n`).join("");
}

function renderFinding({ severity, file, offset, position, count, text }: Finding): string {
  const where = offset === undefined ? file : `${file} at byte ${offset}`;
  const cost = count === 0 ? "" : `; lost: ${count} messages from ${position}`;
  return `${severity === "damage" ? "DAMAGE" : "note  "} ${where}: ${text}${cost}`;
}
