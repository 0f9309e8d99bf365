/**
 * What opening does before anything is written: the directory is ours alone, what an earlier run left is finished, and the
 * ledger says where we are.
 *
 * Why a ledger, and why nothing comes twice: a send writes its lines, syncs the files, then puts position and lengths into the
 * ledger, syncs that, and only then resolves. The pump moves its cursor after that, and syncs it up to a second later. So:
 *
 * | crash | files | ledger | cursor | what happens at opening |
 * |---|---|---|---|---|
 * | before the ledger is durable | longer than it says, perhaps torn | as before the send | as before | cut back to its lengths; the batch comes again |
 * | after it, before the cursor is durable | as it says | ahead of the cursor | behind | the batch comes again and is known: nothing is written |
 * | after that | as it says | as the cursor or behind (what was filtered) | | |
 *
 * A file's name is in the ledger, with length 0, before the file exists: so only our own files are ever cut or removed. A file
 * is finished (renamed) after the step that made it whole, so a name the ledger still has may be finished already: then there is
 * no `.open` of that name any more, and nothing to do. All of this can be interrupted and done again.
 */
import type { Place } from "../../src/deliver/adaptor.ts";
import { codeOf, type Files, join, type World } from "../../src/os/world.ts";
import { finishLeft, finishUnknown, freeName } from "./finish.ts";
import { Ledger, readLedger } from "./ledger.ts";
import type { Packing } from "./member.ts";
import { openName, type Template } from "./path.ts";
import { namesBelow } from "./retention.ts";
import { ledgerName, type LedgerState, lockName } from "./wire.ts";

/** How our files are called, and what is in them. */
export interface Names {
  readonly matcher: RegExp;
  readonly template: Template;
  readonly packing: Packing;
}

/**
 * What we wrote into the locks of our directories: locks end with the process, so a directory stays ours when the adaptor is closed
 * and opened again.
 */
const ours = new WeakMap<World, Map<string, string>>();

export function openLedger(dir: string, place: Place, names: Names): Ledger {
  const { files } = place.world;
  makeDurable(files, dir);
  own(dir, place);
  const found = readLedger(files, dir);
  if (typeof found === "string") adoptUnknown(dir, place, names, found);
  else assertOwner(dir, found, place);
  // Before anything is finished: what was read may be only in the cache, if its sync had failed.
  const ledger = new Ledger(files, dir, beginning(place, found));
  try {
    settleLeft(ledger, dir, place);
  } catch (problem) {
    ledger.close();
    throw problem;
  }
  return ledger;
}

/** Cuts and finishes what the ledger says was being written. */
function settleLeft(ledger: Ledger, dir: string, { world, notice }: Place): void {
  const { position, time, files: left } = ledger.state;
  if (left.size === 0) return;
  finishLeft(world.files, dir, left, notice);
  ledger.put({ position, time, files: [], finished: [...left.keys()] });
}

/** Where we are: as the ledger says, unless the cursor was moved by command since. */
function beginning(place: Place, found: LedgerState | string): LedgerState {
  const { destination, position, generation } = place;
  const here = { destination, generation };
  if (typeof found === "string") return { ...here, position, time: 0, files: new Map() };
  return found.generation === generation ? found : { ...here, position, time: 0, files: found.files };
}

function own(dir: string, { world, destination }: Place): void {
  const { files } = world;
  const mine = ours.get(world) ?? new Map<string, string>();
  ours.set(world, mine);
  const path = join(dir, lockName);
  const written = mine.get(dir);
  // The directory may have been removed since, and what is there now may be another's.
  if (written !== undefined && files.exists(path) && files.holder(path) === written) return;
  // As often as a lock is made anew, it is told from the one before.
  const run = Math.floor(world.random() * 2 ** 32).toString(16).padStart(8, "0");
  const holder = `destination "${destination}", run ${run}`;
  const lock = files.lock(path, holder);
  if (!lock.held) throw new Error(`Cannot write files in "${dir}": another process does (${lock.holder})`);
  mine.set(dir, holder);
}

function assertOwner(dir: string, found: LedgerState, { destination }: Place): void {
  if (found.destination === destination) return;
  throw new Error(
    `Cannot write files in "${dir}": it belongs to destination "${found.destination}". Give "${destination}" a dir of its own, ` +
      `or remove "${join(dir, ledgerName)}" if that destination is gone`,
  );
}

function adoptUnknown(
  dir: string,
  { world, notice }: Place,
  { matcher, template, packing }: Names,
  found: "none" | "damaged",
): void {
  const { files } = world;
  const unfinished = namesBelow(files, dir, template.depth)
    .filter((path) => path.endsWith(openName("")))
    .map((path) => path.slice(0, -openName("").length))
    .filter((name) => matcher.test(name));
  finishUnknown(files, dir, unfinished, packing.wholeOf);
  const path = join(dir, ledgerName);
  if (found === "damaged") files.rename(path, freeName(`${path}.damaged`, (name) => files.exists(name)));
  if (found === "none" && unfinished.length === 0) return;
  notice(`"${path}" is ${found === "none" ? "missing" : "damaged"}: messages around here may be in the files twice`);
}

/** Makes `dir`, and its name and those above it durable, even if they are there: an earlier try may have failed before its sync. */
function makeDurable(files: Files, dir: string): void {
  files.makeDir(dir);
  for (let path = dir; path !== "." && path !== "/";) {
    path = parentOf(path);
    try {
      files.syncDir(path);
    } catch (problem) {
      // A directory that we may not even read is none that we made.
      if (!["EACCES", "EPERM"].includes(codeOf(problem))) throw problem;
    }
  }
}

function parentOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "." : slash === 0 ? "/" : path.slice(0, slash);
}
