/** `sparkngin destination pause | resume | rewind | skip`: through the running server, or on the directory of a stopped one. */
import { carryOut, type Order, type Standing } from "../deliver/control.ts";
import {
  cursorsIn,
  type CursorState,
  DirectoryBusy,
  lockDirectory,
  openCursor,
  type Position,
  readerOf,
  survey,
  Timeline,
} from "../log/mod.ts";
import type { World } from "../os/world.ts";
import type { DestinationRequest } from "./destination_list.ts";
import { withDirectory } from "./directory.ts";
import { CommandError, type ExitCode, exitCodes } from "./exit.ts";
import { printable, printableJson } from "./printable.ts";
import { placeOf, serverUrl, tell } from "./server.ts";
import type { Terminal } from "./terminal.ts";

export interface NamedOrder {
  readonly name: string;
  readonly order: Order;
}

const patienceMs = 15_000;

export async function giveOrder(
  terminal: Terminal,
  named: NamedOrder,
  request: DestinationRequest,
): Promise<ExitCode> {
  const standing = request.data === undefined
    ? await orderRunning(terminal, named, request.url)
    : await orderStopped(terminal, named, request.data);
  const { name, order } = named;
  if (request.json) terminal.out(`${printableJson(JSON.stringify({ name, ...standing }))}\n`);
  else terminal.out(`${printable(`${name}: ${described(order, standing)}`)}\n`);
  return exitCodes.ok;
}

async function orderRunning(
  terminal: Terminal,
  { name, order }: NamedOrder,
  url: string | undefined,
): Promise<Standing> {
  const where = serverUrl(terminal, url, `destinations/${encodeURIComponent(name)}/${order.do}`);
  const body = "to" in order ? { to: order.to } : {};
  const text = await tell(terminal, where, body, AbortSignal.timeout(patienceMs));
  try {
    return JSON.parse(text);
  } catch {
    const sentence = `Cannot tell ${placeOf(where)}: the answer is not from the management of sparkngin`;
    throw new CommandError(exitCodes.unreachable, sentence);
  }
}

async function orderStopped(terminal: Terminal, { name, order }: NamedOrder, data: string): Promise<Standing> {
  const dir = data.replace(/(?<=.)\/+$/, "");
  const world = terminal.world("write");
  return await withDirectory(world.files, dir, async () => {
    lock(terminal, world, dir);
    const cursors = cursorsIn(world.files, dir);
    const state = cursors.get(name);
    if (state === undefined) throw noCursor(name, cursors);
    const outcome = await carryOutOn(world, dir, { name, order, state });
    if ("refused" in outcome) throw new CommandError(exitCodes.usage, printable(outcome.why));
    return outcome;
  });
}

function lock(terminal: Terminal, world: World, dir: string): void {
  try {
    lockDirectory(world.files, dir, `${terminal.holder} (destination)`);
  } catch (problem) {
    if (!(problem instanceof DirectoryBusy)) throw problem;
    throw new DirectoryBusy(`${problem.message}; to tell a running server, leave --data out`, { cause: problem });
  }
}

function noCursor(name: string, cursors: ReadonlyMap<string, CursorState | undefined>): CommandError {
  if (cursors.has(name)) {
    const sentence = `Cannot read the cursor of destination "${name}": see sparkngin log verify and repair`;
    return new CommandError(exitCodes.badData, printable(sentence));
  }
  const known = [...cursors.keys()].map((one) => `"${one}"`).join(", ") || "none";
  return new CommandError(exitCodes.usage, printable(`There is no destination "${name}"; there is: ${known}`));
}

async function carryOutOn(
  world: World,
  dir: string,
  { name, order, state }: NamedOrder & { readonly state: CursorState },
): ReturnType<typeof carryOut> {
  const seen = survey(world.files, dir, { holder: undefined });
  const { end } = seen;
  const nowhere = 0 as Position; // the cursor exists
  const cursor = openCursor(world, dir, name, state.node, { fresh: nowhere, lost: nowhere });
  try {
    const openReader = () => readerOf(world, seen, { from: cursor.position, to: end });
    return await carryOut(order, {
      cursor,
      timeline: new Timeline(world.files, dir, end),
      now: world.clock.now(),
      means: { clock: world.clock, openReader },
    });
  } finally {
    cursor.close();
  }
}

function described({ do: what }: Order, { state, position, pending, generation, moved }: Standing): string {
  const wait = `${pending} messages wait`;
  const how = state === "paused" ? "paused" : "delivering";
  if (what === "rewind") return `back to ${position} by ${moved} messages, generation ${generation}; ${how}, ${wait}`;
  if (what === "skip") return `skipped ${moved} messages, stands at ${position}; ${how}, ${wait}`;
  return `${how} at ${position}, ${wait}`;
}
