/** `sparkngin dead replay | purge`: through the running server, or on the directory of a stopped one. */
import { DeadLetters } from "../deliver/dead_letters.ts";
import type { LettersMoved } from "../deliver/letter_order.ts";
import { cursorsIn, deadLettersIn, DirectoryBusy, lockDirectory, openCursor, type Position } from "../log/mod.ts";
import { join } from "../os/world.ts";
import { checkedFilter, type DeadRequest, directoryOf, filterIn, sourceOf, throwIfUnknown } from "./dead_source.ts";
import { withDirectory } from "./directory.ts";
import { CommandError, type ExitCode, exitCodes } from "./exit.ts";
import { printable, printableJson } from "./printable.ts";
import { placeOf, readLines, serverUrl, tell } from "./server.ts";
import type { Terminal } from "./terminal.ts";

export interface DeadOrder {
  readonly name: string;
  readonly what: "replay" | "purge";
}
export interface DeadOrderRequest extends DeadRequest {
  /** Of a purge. */
  readonly yes?: boolean;
}

const patienceMs = 70_000;

export async function orderDead(terminal: Terminal, order: DeadOrder, request: DeadOrderRequest): Promise<ExitCode> {
  checkedFilter(request);
  const { name, what } = order;
  if (what === "purge" && !request.yes) return await refusePurge(terminal, name, request);
  const moved = request.data === undefined
    ? await orderRunning(terminal, order, request)
    : await orderStopped(terminal, order, { ...request, data: request.data });
  if (request.json) terminal.out(`${printableJson(JSON.stringify({ name, ...moved }))}\n`);
  else terminal.out(`${printable(`${name}: ${described(what, moved, request.data !== undefined)}`)}\n`);
  return exitCodes.ok;
}

async function refusePurge(terminal: Terminal, name: string, request: DeadRequest): Promise<never> {
  let count = 0;
  for await (const _ of readLines({ status: 200, body: sourceOf(terminal, request).lines(name, "heads") })) count++;
  const sentence =
    `Would throw away ${count} dead letters of "${name}", for ever: say --yes; sparkngin dead export keeps a copy`;
  throw new CommandError(exitCodes.usage, printable(sentence));
}

async function orderRunning(
  terminal: Terminal,
  { name, what }: DeadOrder,
  request: DeadRequest,
): Promise<LettersMoved> {
  const where = serverUrl(terminal, request.url, `destinations/${encodeURIComponent(name)}/dead/${what}`);
  const text = await tell(terminal, where, filterIn(request), AbortSignal.timeout(patienceMs));
  try {
    return JSON.parse(text);
  } catch {
    const sentence = `Cannot tell ${placeOf(where)}: the answer is not from the management of sparkngin`;
    throw new CommandError(exitCodes.unreachable, sentence);
  }
}

async function orderStopped(
  terminal: Terminal,
  { name, what }: DeadOrder,
  request: DeadRequest & { readonly data: string },
): Promise<LettersMoved> {
  const dir = directoryOf(request.data);
  const world = terminal.world("write");
  return await withDirectory(world.files, dir, async () => {
    lock(terminal, dir);
    const wanted = checkedFilter(request, world.clock.now());
    const letters = openLetters(terminal, dir, name);
    if (letters === undefined) return { letters: 0, left: 0 };
    try {
      const count = what === "replay" ? await letters.ask(wanted) : await letters.purge(wanted);
      return { letters: count, left: letters.count };
    } finally {
      await letters.close();
    }
  });
}

function lock(terminal: Terminal, dir: string): void {
  try {
    lockDirectory(terminal.world("write").files, dir, `${terminal.holder} (dead)`);
  } catch (problem) {
    if (!(problem instanceof DirectoryBusy)) throw problem;
    throw new DirectoryBusy(`${problem.message}; to tell a running server, leave --data out`, { cause: problem });
  }
}

/** Undefined when there are none. */
function openLetters(terminal: Terminal, dir: string, name: string): DeadLetters | undefined {
  const world = terminal.world("write");
  const state = cursorsIn(world.files, dir).get(name);
  if (!deadLettersIn(world.files, dir).includes(name)) {
    throwIfUnknown(world, dir, name);
    return undefined;
  }
  if (state === undefined) {
    const sentence = `Cannot read the cursor of destination "${name}": see sparkngin log verify and repair`;
    throw new CommandError(exitCodes.badData, printable(sentence));
  }
  const report = (text: string) => terminal.err(`${printable(text)}\n`);
  const options = { node: state.node, bytesMax: Number.MAX_SAFE_INTEGER, report };
  const letters = new DeadLetters(world, join(dir, "dead", name), options);
  const nowhere = 0 as Position; // the cursor exists
  const cursor = openCursor(world, dir, name, state.node, { fresh: nowhere, lost: nowhere });
  letters.settle(cursor);
  cursor.close();
  return letters;
}

function described(what: DeadOrder["what"], { letters, left }: LettersMoved, stopped: boolean): string {
  const count = `${letters} dead ${letters === 1 ? "letter" : "letters"}`;
  if (what === "purge") return `${count} thrown away, ${left} left`;
  return `${count} will be sent again${stopped ? " when the server runs" : ""}`;
}
