/** `sparkngin dead ls | show | export`: what destinations have refused for good, and why. */
import { inColumns } from "./columns.ts";
import { checkedFilter, type DeadRequest, type DeadSource, sourceOf } from "./dead_source.ts";
import { CommandError, type ExitCode, exitCodes } from "./exit.ts";
import { printable, printableJson } from "./printable.ts";
import { readLines } from "./server.ts";
import { openSink } from "./sink.ts";
import { renderMessage } from "./tail.ts";
import type { Terminal } from "./terminal.ts";

/** As the management writes it. */
interface Letter {
  readonly position: number;
  readonly id: string;
  readonly topic: string;
  readonly reason: string;
  readonly tries: number;
  readonly time: number;
  readonly again: boolean;
}
interface Row extends Letter {
  readonly destination: string;
}

/** So many rows have columns of the same widths. */
const rowsAtOnce = 1000;

export async function listDead(terminal: Terminal, name: string | undefined, request: DeadRequest): Promise<ExitCode> {
  checkedFilter(request);
  const source = sourceOf(terminal, request);
  const printer = request.json ? new JsonPrinter(terminal) : new TablePrinter(terminal);
  for (const destination of name === undefined ? await source.names() : [name]) {
    for await (const line of linesOf(source, destination)) printer.add({ destination, ...JSON.parse(line) });
  }
  printer.end();
  return exitCodes.ok;
}

function linesOf(source: DeadSource, name: string): AsyncIterable<string> {
  return readLines({ status: 200, body: source.lines(name, "heads") });
}

class JsonPrinter {
  readonly #terminal: Terminal;
  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }
  add(row: Row): void {
    this.#terminal.out(`${printableJson(JSON.stringify(row))}\n`);
  }
  end(): void {}
}

class TablePrinter {
  readonly #terminal: Terminal;
  #rows: string[][] = [["DESTINATION", "POSITION", "SET ASIDE", "TRIES", "TOPIC", "REASON"]];
  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }
  add({ destination, position, time, tries, topic, reason, again }: Row): void {
    const why = again ? `(being sent again) ${reason}` : reason;
    this.#rows.push([destination, String(position), timeOf(time), String(tries), topic, why].map(printable));
    if (this.#rows.length >= rowsAtOnce) this.end();
  }
  end(): void {
    for (const line of inColumns(this.#rows, 6)) this.#terminal.out(`${line}\n`);
    this.#rows = [];
  }
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}

export async function showDead(terminal: Terminal, name: string, request: DeadRequest): Promise<ExitCode> {
  checkedFilter(request);
  for await (const line of readLines({ status: 200, body: sourceOf(terminal, request).lines(name, "letters") })) {
    terminal.out(request.json ? `${printableJson(line)}\n` : shown(name, line));
    return exitCodes.ok;
  }
  const sentence = `There is no dead letter with position ${request.position} of "${name}": see sparkngin dead ls`;
  throw new CommandError(exitCodes.usage, printable(sentence));
}

function shown(name: string, line: string): string {
  const { position, id, reason, tries, time, again } = JSON.parse(line) as Letter;
  // As it was sent, with its 64-bit numbers: not by way of our own.
  const message = line.slice(line.indexOf(',"message":') + ',"message":'.length, -1);
  const facts = {
    destination: name,
    position,
    id,
    reason,
    tries,
    "set aside": timeOf(time),
    ...(again && { "being sent again": "yes" }),
    message: renderMessage(message),
  };
  return Object.entries(facts).map(([label, value]) => `${`${label}:`.padEnd(13)}${printable(String(value))}\n`).join(
    "",
  );
}

export interface DeadExportRequest extends DeadRequest {
  readonly format?: "json" | "raw";
  readonly output?: string;
}

export async function exportDead(terminal: Terminal, name: string, request: DeadExportRequest): Promise<ExitCode> {
  checkedFilter(request);
  const source = sourceOf(terminal, request);
  const sink = openSink(terminal, request.output);
  let bytes = 0;
  for await (const chunk of source.lines(name, request.format ?? "json")) {
    sink.write(chunk);
    bytes += chunk.length;
  }
  sink.end();
  if (request.output !== undefined) terminal.err(request.json ? `${JSON.stringify({ bytes })}\n` : `${bytes} bytes\n`);
  return exitCodes.ok;
}
