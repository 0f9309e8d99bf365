/** `sparkngin log repair`: what can be mended in the directory of a node that does not run, and, when told to, mends it. */
import { lockDirectory, type Mending, mendings, verify } from "../log/mod.ts";
import { join } from "../os/world.ts";
import { loadConfiguration } from "./configuration.ts";
import { dataDirectory, type DirectoryRequest, withDirectory } from "./directory.ts";
import { CommandError, type ExitCode, exitCodes } from "./exit.ts";
import { printable, printableJson } from "./printable.ts";
import type { Terminal } from "./terminal.ts";

export interface RepairRequest extends DirectoryRequest {
  /** Does it; otherwise it is only shown. */
  readonly yes?: boolean;
}

/** Files put in their places may show more; but not for ever. */
const roundsMax = 5;

export async function repairLog(
  terminal: Terminal,
  named: string | undefined,
  request: RepairRequest,
): Promise<ExitCode> {
  const dir = await dataDirectory(terminal, named, request);
  const names = named === undefined || request.config !== undefined ? await destinationNames(terminal, request) : [];
  const reading = terminal.world("read");
  return await withDirectory(reading.files, dir, () => {
    refuseInUse(reading.files.holder(join(dir, "LOCK")), dir);
    const done = request.yes ? mend(terminal, dir, names) : mendings(reading.files, dir, names);
    const { findings, lost } = verify(reading.files, dir, { known: { holder: undefined } });
    const left = findings.filter(({ severity }) => severity === "damage");
    terminal.out(
      request.json ? renderJson(done, { yes: request.yes === true, left: left.length, lost }) : render(done),
    );
    terminal.err(summary(done, { yes: request.yes === true, left: left.length, lost }));
    return left.length > 0 ? exitCodes.badData : exitCodes.ok;
  });
}

async function destinationNames(terminal: Terminal, { config: path }: RepairRequest): Promise<string[]> {
  const { config } = await loadConfiguration(terminal, { ...(path !== undefined && { path }), flags: {} });
  return config.destination.map(({ name }) => name);
}

function refuseInUse(holder: string | undefined, dir: string): void {
  if (holder === undefined) return;
  throw new CommandError(exitCodes.locked, printable(`Cannot repair "${dir}": ${holder} has it; stop that first`));
}

function mend(terminal: Terminal, dir: string, names: readonly string[]): Mending[] {
  const world = terminal.world("write");
  lockDirectory(world.files, dir, `${terminal.holder} (log repair)`);
  const done: Mending[] = [];
  for (let round = 0; round < roundsMax; round++) {
    const found = mendings(world.files, dir, names);
    for (const mending of found) mending.apply(world);
    done.push(...found);
    if (found.length === 0) break;
  }
  return done;
}

interface Outcome {
  readonly yes: boolean;
  /** Findings that stay. */
  readonly left: number;
  readonly lost: number;
}

function render(done: readonly Mending[]): string {
  return done.map(({ file, text }) => `${printable(`${file}: ${text}`)}\n`).join("");
}

function renderJson(done: readonly Mending[], { yes, left, lost }: Outcome): string {
  const mendings = done.map(({ file, text }) => ({ file, text }));
  return `${printableJson(JSON.stringify({ done: yes, mendings, damage_left: left, lost }))}\n`;
}

function summary(done: readonly Mending[], { yes, left, lost }: Outcome): string {
  const what = done.length === 0
    ? "Nothing to mend"
    : yes
    ? `${done.length} mended`
    : `${done.length} to mend; do it with --yes`;
  if (left === 0) return `${what}; the log is sound\n`;
  const unread = lost === 0 ? "" : `; messages that cannot be read and will be counted as damaged: ${lost}`;
  return `${what}; damage ${yes ? "that stays" : "now"}: ${left}, see sparkngin log verify${unread}\n`;
}
