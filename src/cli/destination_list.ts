/** `sparkngin destination ls`: of a running server, or from a data directory. */
import { stat } from "../log/mod.ts";
import { withDirectory } from "./directory.ts";
import { type ExitCode, exitCodes } from "./exit.ts";
import { cursorLines } from "./log_stat.ts";
import { printable, printableJson } from "./printable.ts";
import { askStatus, renderDestinations } from "./status.ts";
import type { Terminal } from "./terminal.ts";

export interface DestinationRequest {
  readonly url?: string;
  /** A data directory, instead of a server. */
  readonly data?: string;
  readonly json?: boolean;
}

export async function listDestinations(terminal: Terminal, request: DestinationRequest): Promise<ExitCode> {
  const { url, data, json } = request;
  if (data === undefined) {
    const { destinations } = await askStatus(terminal, url);
    terminal.out(json ? asJson(destinations) : renderDestinations(destinations));
    return exitCodes.ok;
  }
  const { files } = terminal.world("read");
  const found = await withDirectory(files, data, () => stat(files, data));
  terminal.out(json ? asJson(found.destinations) : cursorLines(found).map((line) => `${printable(line)}\n`).join(""));
  return exitCodes.ok;
}

function asJson(value: object): string {
  return `${printableJson(JSON.stringify(value))}\n`;
}
