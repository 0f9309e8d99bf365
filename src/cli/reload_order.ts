/** `sparkngin reload`: tells a running server to read its configuration again, and says what came of it. */
import type { ReloadFacts } from "../observe/status.ts";
import { CommandError, type ExitCode, exitCodes } from "./exit.ts";
import { printable, printableJson } from "./printable.ts";
import { placeOf, serverUrl, tell } from "./server.ts";
import type { Terminal } from "./terminal.ts";

export interface ReloadRequest {
  readonly url?: string;
  readonly json?: boolean;
}
/** A destination that is changed may take a second to end, and there may be many. */
const patienceMs = 60_000;

export async function orderReload(terminal: Terminal, { url, json }: ReloadRequest): Promise<ExitCode> {
  const where = serverUrl(terminal, url, "reload");
  const answer = await tell(terminal, where, {}, AbortSignal.timeout(patienceMs));
  const { ok, text } = parsed(answer, where);
  if (json) terminal.out(`${printableJson(answer.trim())}\n`);
  else if (ok) terminal.out(`${printable(text)}\n`);
  if (ok) return exitCodes.ok;
  const problems = text.split("\n").map(printable);
  throw new CommandError(exitCodes.configuration, ["The configuration is kept as it was:", ...problems]);
}

function parsed(answer: string, where: URL): Pick<ReloadFacts, "ok" | "text"> {
  try {
    const { ok, text } = JSON.parse(answer);
    if (typeof ok === "boolean" && typeof text === "string") return { ok, text };
  } catch {
    // The same as JSON that is something else.
  }
  throw new CommandError(
    exitCodes.unreachable,
    `Cannot tell ${placeOf(where)}: the answer is not from the management of sparkngin`,
  );
}
