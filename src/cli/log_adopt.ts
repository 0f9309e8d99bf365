/** `sparkngin log adopt`: takes over the messages that another node, which is no more, still owed to its destinations. */
import type { Config, Destination } from "../config/keys.ts";
import { makeCursors } from "../deliver/cursors.ts";
import {
  adopt,
  type Adopted,
  adoptedMark,
  claimDirectory,
  cursorsIn,
  destinationKey,
  entryBytesMax,
  LocalWatermark,
  lockDirectory,
  peekCursors,
  peekMark,
  type Position,
  SegmentWriter,
  type Survey,
  survey,
} from "../log/mod.ts";
import { adoptEntry } from "../message/adoption.ts";
import { join, readWhole, type World } from "../os/world.ts";
import { inColumns } from "./columns.ts";
import { loadConfiguration } from "./configuration.ts";
import { explained, withDirectory } from "./directory.ts";
import { CommandError, type ExitCode, exitCodes } from "./exit.ts";
import { printable, printableJson } from "./printable.ts";
import { Progress } from "./progress.ts";
import type { Terminal } from "./terminal.ts";

export interface AdoptRequest {
  readonly config?: string;
  /** Ours, instead of the configured one. */
  readonly data?: string;
  /** Destinations of the other node, with commas between, whose messages are given up. */
  readonly without?: string;
  readonly json?: boolean;
}

/** Ends with "bad data" when some of the messages cannot be read. */
export async function adoptLog(terminal: Terminal, named: string, request: AdoptRequest): Promise<ExitCode> {
  const { config: path, data } = request;
  const flags: Record<string, string> = data === undefined ? {} : { data };
  const { config } = await loadConfiguration(terminal, { ...(path !== undefined && { path }), flags });
  const otherDir = named.replace(/(?<=.)\/+$/, "");
  const reading = terminal.world("read");
  return await withDirectory(reading.files, otherDir, async () => {
    const world = terminal.world("write");
    const holder = `${terminal.holder} (log adopt)`;
    const node = claimOurs(world, config.data, holder);
    lockDirectory(world.files, otherDir, holder);
    const seen = survey(reading.files, otherDir, { holder: undefined });
    const other = { ...seen, node: ownerOf(seen, { node, dir: otherDir }) };
    const debts = debtsOf(config, other, request);
    const adopted = await takeOver(terminal, { config, world, reading, node, other, debts });
    terminal.out(request.json ? renderJson(adopted, other, debts) : render(adopted, other, debts));
    terminal.err(summary(adopted, other.node));
    return adopted.lost > 0 ? exitCodes.badData : exitCodes.ok;
  });
}

function claimOurs(world: World, dir: string, holder: string): string {
  try {
    return claimDirectory(world, dir, holder);
  } catch (problem) {
    throw explained(problem, dir);
  }
}

/** Whose directory it is; refuses what is ours, nobody's, or another's by now. */
function ownerOf({ node, files }: Survey, ours: { node: string; dir: string }): string {
  const refuse = (why: string) => new CommandError(exitCodes.badData, printable(`Cannot adopt "${ours.dir}": ${why}`));
  if (node === undefined) throw refuse("nothing in it says which node it is; try sparkngin log repair");
  if (node === ours.node) throw refuse("it is of this very node");
  const path = join(ours.dir, adoptedMark);
  const by = files.exists(path) ? new TextDecoder().decode(readWhole(files, path)).trim() : undefined;
  if (by !== undefined && !by.startsWith(ours.node)) throw refuse(`node ${by}`);
  return node;
}

/** What the other node still owed to one destination. */
interface Debt {
  readonly name: string;
  readonly required: boolean;
  readonly position: Position;
  readonly pending: number;
}

/** Of the destinations that both know. Refuses to give up messages for one that is not configured here, unless told to. */
function debtsOf(config: Config, other: Survey & { readonly node: string }, { without = "" }: AdoptRequest): Debt[] {
  const given = without.split(",").map((name) => name.trim());
  const oldest = other.segments[0]?.base ?? other.end;
  const all = [...cursorsIn(other.files, other.dir)].map(([name, cursor]) => {
    const position = cursor?.position ?? other.mark?.destinations.get(destinationKey(name)) ?? oldest;
    const here = config.destination.find((destination: Destination) => destination.name === name);
    return { name, here, required: here?.required ?? false, position, pending: Math.max(0, other.end - position) };
  });
  const unknown = all.filter(({ name, here, pending }) => here === undefined && pending > 0 && !given.includes(name));
  const shared = all.filter(({ here }) => here !== undefined);
  if (shared.length === 0) {
    const text = `Cannot adopt "${other.dir}": none of its destinations is configured here`;
    throw new CommandError(exitCodes.usage, printable(text));
  }
  if (unknown.length === 0) return shared.map(({ here: _, ...debt }) => debt);
  throw new CommandError(
    exitCodes.usage,
    unknown.map(({ name, pending }) =>
      printable(
        `Cannot adopt "${other.dir}": ${pending} messages there are for destination "${name}", which is not configured ` +
          `here; configure it, or give them up with --without ${name}`,
      )
    ),
  );
}

/** From where all required destinations have what they need; of those that are not required, when there are no others. */
function beginningOf(debts: readonly Debt[], end: Position): Position {
  const required = debts.filter(({ required }) => required);
  const waited = required.length > 0 ? required : debts;
  return Math.min(end, ...waited.map(({ position }) => position)) as Position;
}

interface TakingOver {
  readonly config: Config;
  readonly world: World;
  readonly reading: World;
  readonly node: string;
  readonly other: Survey & { readonly node: string };
  readonly debts: readonly Debt[];
}

async function takeOver(terminal: Terminal, parts: TakingOver): Promise<Adopted> {
  const { config, world, reading, node, other, debts } = parts;
  const progress = new Progress(terminal, world.clock);
  const remembered = peekMark(world.files, config.data)?.destinations;
  const from = beginningOf(debts, other.end);
  const mark = new LocalWatermark();
  const writer = new SegmentWriter(world, config.data, node, mark, {
    segmentBytes: config.log.segment,
    reserveBytes: config.log.ballast,
    recycle: config.log.recycle,
    destinations: () => placesOf(world, config.data, node),
    report: (text) => terminal.err(`${printable(text)}\n`),
  });
  try {
    const start = writer.segments()[0]?.base ?? mark.position;
    await makeCursors(world, config.data, {
      node,
      destinations: config.destination,
      remembered,
      start,
      end: mark.position,
      report: (destination, text) => terminal.err(`${destination}: ${printable(text)}\n`),
    });
    return await adopt({
      world,
      dir: config.data,
      node,
      writer,
      reading,
      other,
      from,
      rewrite: (entry, skip) => rewrite(entry, skip, other.node),
      progress: (position) => progress.tell(() => `at ${position} of ${other.end}`),
    });
  } finally {
    progress.end();
    await writer.close();
  }
}

function placesOf(world: World, dir: string, node: string): Map<string, Position> {
  return new Map([...peekCursors(world.files, dir, node)].map(([name, at]) => [destinationKey(name), at]));
}

type Rewrite = Parameters<typeof adopt>[0]["rewrite"];

function rewrite({ bytes, epoch, position }: Parameters<Rewrite>[0], skip: number, node: string): ReturnType<Rewrite> {
  try {
    const idOf = (index: number) => `${node}-${epoch}-${position + index}`;
    return adoptEntry(bytes, { idOf, skip, bytesMax: entryBytesMax });
  } catch {
    return undefined;
  }
}

/** How many of the adopted messages a destination had already: it gets copies of these, with the same ids. */
function copiesFor({ position }: Debt, { from, to }: Adopted): number {
  return Math.max(0, Math.min(position, to) - from);
}

/** How many messages that it is still owed are not taken over, because no required destination is. */
function missedBy({ position }: Debt, beginning: Position): number {
  return Math.max(0, beginning - position);
}

function render(adopted: Adopted, { end }: Survey, debts: readonly Debt[]): string {
  const beginning = beginningOf(debts, end);
  const rows = debts.map((debt) => [
    debt.name,
    ...[debt.position, debt.pending, copiesFor(debt, adopted), missedBy(debt, beginning)].map(String),
  ]);
  const lines = inColumns([["DESTINATION", "POSITION THERE", "PENDING THERE", "COPIES", "NOT TAKEN OVER"], ...rows], 1);
  return lines.map((line) => `${printable(line)}\n`).join("");
}

function renderJson(adopted: Adopted, { node, end }: Survey, debts: readonly Debt[]): string {
  const beginning = beginningOf(debts, end);
  const destinations = debts.map((debt) => ({
    ...debt,
    copies: copiesFor(debt, adopted),
    not_taken_over: missedBy(debt, beginning),
  }));
  return `${printableJson(JSON.stringify({ node, ...adopted, destinations }))}\n`;
}

function summary({ from, to, taken, lost }: Adopted, node: string): string {
  if (taken + lost === 0) return `Nothing is left to adopt from node ${node}\n`;
  const unread = lost === 0 ? "" : `; ${lost} CANNOT BE READ`;
  return `Adopted ${taken} messages of node ${node}, ${from} to ${to - 1} there${unread}\n`;
}
