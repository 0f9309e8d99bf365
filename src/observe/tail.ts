/**
 * The live tail: what comes in, a line a message, for whoever watches. It never holds anything up: a reader that is too slow
 * loses lines, and a line `{"lost":n}` stands where they would have been.
 */
import type { filterNames } from "../message/filter.ts";
import type { Clock } from "../os/world.ts";

/** Which messages somebody wants to see: a field has to be like a pattern such as "web.*". */
export type TailFilter = Readonly<Partial<Record<typeof filterNames[number], string>>>;
/** "lines": NDJSON. "events": server-sent events (HTML Standard 9.2), for a browser's `EventSource`. */
export type TailForm = "lines" | "events";
/** Messages as they become durable, from now on, each the bytes of one JSON object; ends when `signal` aborts. */
export type TailSource = (signal: AbortSignal, filter: TailFilter) => AsyncIterable<Uint8Array>;

export interface TailLimits {
  /** What may wait for a slow reader. */
  readonly bytesMax: number;
  readonly linesMax: number;
  /** After so long without a line an empty one is sent, so that both ends notice when the other is gone. */
  readonly quietMs: number;
}
export const tailLimits: TailLimits = { bytesMax: 1 << 20, linesMax: 10_000, quietMs: 15_000 };

/** Lines with their line ends, or events. Ends when the source does; cancelling it, or `signal`, ends the source. */
export function tailStream(
  source: (signal: AbortSignal) => AsyncIterable<Uint8Array>,
  { clock, limits, signal, form = "lines" }: { clock: Clock; limits: TailLimits; signal: AbortSignal; form?: TailForm },
): ReadableStream<Uint8Array> {
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const buffer = new LineBuffer(limits);
  return new ReadableStream<Uint8Array>({
    start: () => void fill(buffer, source(either), { clock, signal: either }),
    async pull(controller) {
      const lines = await nextLines(buffer, { clock, quietMs: limits.quietMs });
      if (lines === undefined) controller.close();
      else controller.enqueue(form === "lines" ? lines : asEvents(lines));
    },
    cancel: () => stop.abort(),
  }, { highWaterMark: 0 });
}

const emptyLine = new Uint8Array([10]);
const lineEnd = 10;
const encoder = new TextEncoder();
const [eventStart, eventEnd] = [encoder.encode("data: "), encoder.encode("\n\n")];
const lostStart = encoder.encode("event: lost\ndata: ");
const lostLine = encoder.encode('{"lost":');
const comment = encoder.encode(":\n\n");

/** A line is an event, the one about lost lines of the type "lost", and an empty one a comment. */
function asEvents(lines: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let start = 0; start < lines.length;) {
    const end = lines.indexOf(lineEnd, start);
    const line = lines.subarray(start, end);
    if (line.length === 0) parts.push(comment);
    else parts.push(startsWith(line, lostLine) ? lostStart : eventStart, line, eventEnd);
    start = end + 1;
  }
  return joined(parts, parts.reduce((bytes, part) => bytes + part.length, 0));
}

function startsWith(bytes: Uint8Array, start: Uint8Array): boolean {
  return start.every((byte, at) => bytes[at] === byte);
}

async function nextLines(
  buffer: LineBuffer,
  { clock, quietMs }: { clock: Clock; quietMs: number },
): Promise<Uint8Array | undefined> {
  if (buffer.hasNews) return buffer.take();
  const awake = new AbortController();
  await Promise.race([buffer.arrival(), clock.sleep(quietMs, awake.signal)]);
  awake.abort();
  return buffer.hasNews ? buffer.take() : emptyLine;
}

/** Lets others run now and then: a source that never has to wait would hold the whole thread. */
const linesPerTurn = 256;

async function fill(
  buffer: LineBuffer,
  source: AsyncIterable<Uint8Array>,
  { clock, signal }: { clock: Clock; signal: AbortSignal },
): Promise<void> {
  let count = 0;
  try {
    for await (const line of source) {
      if (signal.aborted) break;
      buffer.put(line);
      if (++count % linesPerTurn === 0) await new Promise<void>((resolve) => clock.turn(resolve));
    }
    buffer.end();
  } catch (problem) {
    buffer.end(problem);
  }
}

/** What waits for one reader: bounded, in order, with its losses written where they happened. */
export class LineBuffer {
  readonly #limits: Pick<TailLimits, "bytesMax" | "linesMax">;
  #lines: Uint8Array[] = [];
  #bytes = 0;
  #lost = 0;
  #ended = false;
  #problem: unknown;
  #wake = () => {};

  constructor(limits: Pick<TailLimits, "bytesMax" | "linesMax">) {
    this.#limits = limits;
  }

  /** A line without its end. Dropped and counted when there is no room. */
  put(line: Uint8Array): void {
    const { bytesMax, linesMax } = this.#limits;
    const { length } = this.#lines;
    // An empty buffer takes any line: otherwise one larger than the limit could never be seen.
    if (length > 0 && (length >= linesMax || this.#bytes + line.length > bytesMax)) this.#lost++;
    else this.#push(oneLine(line));
  }

  /** No more lines will come, because of `problem` if there is one. */
  end(problem?: unknown): void {
    this.#ended = true;
    this.#problem = problem;
    this.#wake();
  }

  /** Whether `take` has something to say: lines, or that there will be no more. */
  get hasNews(): boolean {
    return this.#ended || this.#lines.length > 0;
  }

  /** Resolves when there are news; for one reader at a time. */
  arrival(): Promise<void> {
    return this.hasNews ? Promise.resolve() : new Promise((resolve) => this.#wake = resolve);
  }

  /** All lines that wait, with their ends; nothing after the last one. Throws the problem the source ended with. */
  take(): Uint8Array | undefined {
    // Lines are lost only while others wait, and those are all taken at once: so this is where the lost ones were.
    if (this.#lost > 0) this.#push(new TextEncoder().encode(`{"lost":${this.#lost}}\n`));
    const lines = this.#lines.length > 0 ? joined(this.#lines, this.#bytes) : undefined;
    [this.#lines, this.#bytes, this.#lost] = [[], 0, 0];
    if (lines === undefined && this.#problem !== undefined) throw this.#problem;
    return lines;
  }

  #push(line: Uint8Array): void {
    this.#lines.push(line);
    this.#bytes += line.length;
    this.#wake();
  }
}

function joined(parts: readonly Uint8Array[], bytes: number): Uint8Array {
  const out = new Uint8Array(bytes);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** With its end, and no other: payloads are kept verbatim, and JSON may hold line ends between its tokens. */
function oneLine(line: Uint8Array): Uint8Array {
  const out = new Uint8Array(line.length + 1);
  out.set(line);
  for (let at = 0; at < line.length; at++) {
    if (out[at] === 10 || out[at] === 13) out[at] = 32;
  }
  out[line.length] = 10;
  return out;
}
