/** Where the commands find dead letters: at a running server, or in the directory of a stopped one. */
import { type LetterFilter, letterFilterNames, lettersThat } from "../deliver/letter_filter.ts";
import { LetterIndex, lettersAmong, records } from "../deliver/letter_index.ts";
import { type LetterForm, pageOf } from "../deliver/letter_order.ts";
import { cursorsIn, deadLettersIn, type Position, readerOf, type Survey, survey } from "../log/mod.ts";
import { join, type World } from "../os/world.ts";
import { withDirectory } from "./directory.ts";
import { CommandError, exitCodes } from "./exit.ts";
import { printable } from "./printable.ts";
import { ask, serverUrl } from "./server.ts";
import { askStatus } from "./status.ts";
import type { Terminal } from "./terminal.ts";

export interface DeadRequest extends LetterFilter {
  readonly url?: string;
  /** A data directory, instead of a server. */
  readonly data?: string;
  readonly json?: boolean;
}
export interface DeadSource {
  /** The destinations that may have some. */
  names(): Promise<string[]>;
  /** Their lines, in pieces that may end in the middle of one. */
  lines(name: string, form: LetterForm): AsyncIterable<Uint8Array>;
}

export function filterIn(request: DeadRequest): LetterFilter {
  const given = letterFilterNames.map((name) => [name, request[name]] as const);
  return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}

/** What of it cannot be understood is told before anything is looked at: the time does not matter for that. */
export function checkedFilter(request: DeadRequest, now = 0): ReturnType<typeof lettersThat> {
  try {
    return lettersThat(filterIn(request), now);
  } catch (problem) {
    if (!(problem instanceof TypeError)) throw problem;
    throw new CommandError(exitCodes.usage, printable(problem.message));
  }
}

export function sourceOf(terminal: Terminal, request: DeadRequest): DeadSource {
  return request.data === undefined
    ? serverSource(terminal, request)
    : directorySource(terminal, request, request.data);
}

function serverSource(terminal: Terminal, request: DeadRequest): DeadSource {
  return {
    async names() {
      const { destinations } = await askStatus(terminal, request.url);
      return destinations.map(({ name }) => name);
    },
    async *lines(name, form) {
      const where = serverUrl(terminal, request.url, `destinations/${encodeURIComponent(name)}/dead`);
      where.searchParams.set("form", form);
      for (const [key, value] of Object.entries(filterIn(request))) where.searchParams.set(key, value!);
      yield* (await ask(terminal, where)).body;
    },
  };
}

function directorySource(terminal: Terminal, request: DeadRequest, data: string): DeadSource {
  const dir = directoryOf(data);
  const world = terminal.world("read");
  return {
    names: () => withDirectory(world.files, dir, () => deadLettersIn(world.files, dir)),
    async *lines(name, form) {
      const wanted = checkedFilter(request, world.clock.now());
      const letters = await withDirectory(world.files, dir, () => lettersIn(terminal, dir, name));
      for (let from: number | undefined = 0; from !== undefined;) {
        const page = pageOf(letters(from), { wanted, form });
        if (page.lines.length > 0) yield page.lines;
        from = page.next;
      }
    },
  };
}

export function directoryOf(data: string): string {
  return data.replace(/(?<=.)\/+$/, "");
}

/** The letters of a destination from some number on. */
function lettersIn(terminal: Terminal, dir: string, name: string) {
  const world = terminal.world("read");
  if (!deadLettersIn(world.files, dir).includes(name)) {
    throwIfUnknown(world, dir, name);
    return () => [];
  }
  const { node, holder } = survey(world.files, dir);
  const seen = survey(world.files, join(dir, "dead", name), { node, holder });
  const index = new LetterIndex();
  const lose = ({ position, count }: { position: number; count: number }, why: string) =>
    terminal.err(`${printable(`${count} records from number ${position} on cannot be read: ${why}`)}\n`);
  for (const { record, number, bytes } of read(world, seen, { from: 0, lose })) index.see(record, number, bytes);
  return (from: number) => lettersAmong(read(world, seen, { from, lose() {} }), index);
}

function* read(
  world: World,
  seen: Survey,
  { from, lose }: { readonly from: number; readonly lose: Parameters<typeof records>[1] },
): ReturnType<typeof records> {
  const oldest = seen.segments[0]?.base ?? seen.end;
  const reader = readerOf(world, seen, { from: Math.max(from, oldest) as Position, to: seen.end });
  try {
    yield* records(reader, lose);
  } finally {
    reader.close();
  }
}

export function throwIfUnknown({ files }: World, dir: string, name: string): void {
  const cursors = cursorsIn(files, dir);
  if (cursors.has(name)) return;
  const known = [...cursors.keys()].map((one) => `"${one}"`).join(", ") || "none";
  throw new CommandError(exitCodes.usage, printable(`There is no destination "${name}"; there is: ${known}`));
}
