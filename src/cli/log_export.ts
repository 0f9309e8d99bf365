/** `sparkngin log export`: the messages of a part of the log, to standard output or into a file. */
import { type Entry, type Gap, type Position, readerOf, type Survey, survey } from "../log/mod.ts";
import { filterOf } from "../message/filter.ts";
import { type Formatter, formatter } from "../message/format.ts";
import type { Message } from "../message/message.ts";
import { decodeEntry } from "../message/wire.ts";
import type { World } from "../os/world.ts";
import { dataDirectory, type DirectoryRequest, withDirectory } from "./directory.ts";
import { CommandError, type ExitCode, exitCodes } from "./exit.ts";
import { printable } from "./printable.ts";
import { Progress } from "./progress.ts";
import { type Range, rangeOf, type RangeRequest } from "./range.ts";
import { openSink } from "./sink.ts";
import type { Terminal } from "./terminal.ts";

export interface ExportRequest extends DirectoryRequest, RangeRequest {
  /** A pattern such as "web.*". */
  readonly topic?: string;
  readonly format?: string;
  readonly fields?: string;
  /** A file that does not exist yet. */
  readonly output?: string;
}

const readLimit = { count: 10_000, bytes: 1 << 20 };
const chunkBytes = 1 << 16;

/** Ends with "bad data" when messages of that part cannot be read. */
export async function exportLog(
  terminal: Terminal,
  named: string | undefined,
  request: ExportRequest,
): Promise<ExitCode> {
  const format = formatOf(request);
  const dir = await dataDirectory(terminal, named, request);
  const world = terminal.world("read");
  const wants = filterOf(request.topic === undefined ? {} : { topic: request.topic });
  return await withDirectory(world.files, dir, () => {
    const seen = survey(world.files, dir);
    const range = rangeOf(request, seen, world.clock);
    const sink = openSink(terminal, request.output);
    const exporting = new Export({ terminal, world, seen, range, wants, format });
    exporting.run(sink.write);
    sink.end();
    return exporting.tell(request.json === true);
  });
}

function formatOf({ format = "json", fields = "" }: ExportRequest): Formatter {
  try {
    return formatter(format, fields);
  } catch (problem) {
    if (!(problem instanceof TypeError)) throw problem;
    const asked = printable(`--format ${JSON.stringify(format)}${fields && ` --fields ${JSON.stringify(fields)}`}`);
    throw new CommandError(exitCodes.usage, `Cannot do that: ${asked}; expected ${problem.message}`);
  }
}

interface ExportParts {
  readonly terminal: Terminal;
  readonly world: World;
  readonly seen: Survey;
  readonly range: Range;
  readonly wants: (message: Message) => boolean;
  readonly format: Formatter;
}

class Export {
  readonly #parts: ExportParts;
  readonly #progress: Progress;
  readonly #from: Position;
  #written = 0;
  #lost = 0;

  constructor(parts: ExportParts) {
    const { terminal, world, seen, range } = parts;
    this.#parts = parts;
    this.#progress = new Progress(terminal, world.clock);
    const oldest = seen.segments[0]?.base ?? seen.end;
    this.#from = Math.max(range.from, oldest) as Position;
    if (range.from < oldest) {
      terminal.err(`${span(range.from, oldest)}: not in the log any more; beginning at ${oldest}\n`);
    }
  }

  run(write: (bytes: Uint8Array) => void): void {
    const { world, seen, range } = this.#parts;
    const lines = new Lines(write);
    const reader = readerOf(world, seen, { from: this.#from, to: range.to });
    try {
      for (let items = reader.next(readLimit); items.length > 0; items = reader.next(readLimit)) {
        for (const item of items) this.#item(item, lines);
        this.#progress.tell(() => `${this.#written} messages, at ${items.at(-1)!.position} of ${range.to}`);
      }
    } finally {
      reader.close();
      lines.flush();
      this.#progress.end();
    }
  }

  #item(item: Entry | Gap, lines: Lines): void {
    if ("why" in item) return this.#lose(item, item.why);
    const { seen, range, wants, format } = this.#parts;
    let messages: Message[];
    try {
      messages = decodeEntry(item.bytes);
    } catch (problem) {
      return this.#lose(item, problem instanceof Error ? problem.message : String(problem));
    }
    const end = Math.min(messages.length, range.to - item.position);
    for (let i = Math.max(0, this.#from - item.position); i < end; i++) {
      const message = messages[i]!;
      if (!wants(message)) continue;
      lines.add(format(message, message.id ?? `${seen.node}-${item.epoch}-${item.position + i}`));
      this.#written++;
    }
  }

  #lose({ position, count }: Pick<Gap, "position" | "count">, why: string): void {
    const first = Math.max(position, this.#from);
    const end = Math.min(position + count, this.#parts.range.to);
    if (end <= first) return;
    this.#lost += end - first;
    this.#progress.end();
    this.#parts.terminal.err(`${printable(`${span(first, end)}: cannot be read (${why})`)}\n`);
  }

  tell(json: boolean): ExitCode {
    const { terminal, range } = this.#parts;
    const facts = { messages: this.#written, lost: this.#lost, from: this.#from, to: range.to };
    const text = `${this.#written} messages exported, from ${this.#from} to ${range.to}`;
    terminal.err(
      json ? `${JSON.stringify(facts)}\n` : `${text}${this.#lost > 0 ? `; ${this.#lost} CANNOT BE READ` : ""}\n`,
    );
    return this.#lost > 0 ? exitCodes.badData : exitCodes.ok;
  }
}

function span(first: number, end: number): string {
  return end - first === 1 ? `message ${first}` : `messages ${first} to ${end - 1}`;
}

/** Lines gathered, so that not every one costs a call. */
class Lines {
  readonly #write: (bytes: Uint8Array) => void;
  readonly #bytes = new Uint8Array(chunkBytes);
  #at = 0;

  constructor(write: (bytes: Uint8Array) => void) {
    this.#write = write;
  }
  add(line: Uint8Array): void {
    if (this.#at + line.length + 1 > chunkBytes) this.flush();
    if (line.length + 1 > chunkBytes) {
      this.#write(line);
    } else {
      this.#bytes.set(line, this.#at);
      this.#at += line.length;
    }
    this.#bytes[this.#at++] = 10;
  }
  flush(): void {
    if (this.#at > 0) this.#write(this.#bytes.subarray(0, this.#at));
    this.#at = 0;
  }
}
