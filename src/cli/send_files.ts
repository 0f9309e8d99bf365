/** [shell] `sparkngin send`: lines of files or of standard input to a server, through a spool if there is one. */
import { randomBytes } from "node:crypto";
import { resolve } from "node:path";
import { bodyOf, type Chunk, gather, type Line, type LineKind, LineTooLong } from "../send/chunk.ts";
import { Checkpoint, Reached } from "../send/reached.ts";
import { Sender, SendingEnded } from "../send/sender.ts";
import { linesFrom, linesOf } from "../send/source.ts";
import { Spool, SpoolRefused } from "../send/spool.ts";
import { codeOf, isNoSpace, type World } from "../os/world.ts";
import { CommandError, type ExitCode, exitCodes } from "./exit.ts";
import { printable, printableJson } from "./printable.ts";
import { Progress } from "./progress.ts";
import { intakeUrl, keyToShow, sourceOfKey, whyNot } from "./server.ts";
import { inBytes } from "./status.ts";
import type { Terminal } from "./terminal.ts";
import { cannotWrite, reasonNotToWrite } from "./unwritable.ts";

export interface SendRequest {
  readonly url?: string;
  readonly keyFile?: string;
  readonly topic?: string;
  readonly env?: string;
  readonly type?: string;
  readonly level?: string;
  readonly field?: readonly string[];
  readonly format: "auto" | LineKind;
  readonly ack?: string;
  readonly onBad: "stop" | "skip";
  readonly inFlight: number;
  readonly batch: number;
  readonly batchBytes: number;
  readonly linger: number;
  readonly patience: number;
  readonly spool?: string;
  readonly spoolMax: number;
  readonly follow?: boolean;
  readonly checkpoint?: string;
  readonly json?: boolean;
}

export async function send(terminal: Terminal, files: readonly string[], request: SendRequest): Promise<ExitCode> {
  const shipment = new Shipment(terminal, files.length === 0 ? ["-"] : files, request);
  return await shipment.carry();
}

const requestMs = 120_000;
const checkpointAfterMs = 500;
const shownMax = 1000;

/** What was refused, for --json. */
interface Refused {
  readonly file: string;
  readonly line: number;
  readonly why: string;
}

class Shipment {
  readonly #terminal: Terminal;
  readonly #world: World;
  readonly #names: readonly string[];
  readonly #request: SendRequest;
  readonly #url: URL;
  readonly #key: string | undefined;
  readonly #query: string;
  readonly #stop = new AbortController();
  readonly #reached = new Reached();
  readonly #progress: Progress;
  readonly #refused: Refused[] = [];
  readonly #checkpoint: Checkpoint | undefined;
  readonly #spool: Spool | undefined;
  readonly #sender: Sender;
  #keeping: Promise<void> | undefined;
  #reading = true;
  /** Whether somebody asked to stop. */
  #told = false;
  #waiting: string | undefined;

  constructor(terminal: Terminal, names: readonly string[], request: SendRequest) {
    this.#terminal = terminal;
    this.#world = terminal.world("write");
    this.#names = names;
    this.#request = request;
    this.#url = intakeUrl(terminal, request.url);
    this.#query = queryOf(request);
    this.#key = keyOf(terminal, request.keyFile);
    this.#progress = new Progress(terminal, this.#world.clock);
    const { checkpoint, spool, spoolMax } = request;
    this.#checkpoint = checkpoint === undefined ? undefined : openedCheckpoint(this.#world, checkpoint);
    this.#spool = spool === undefined
      ? undefined
      : openedSpool(terminal, this.#world, { dir: spool, bytesMax: spoolMax });
    this.#sender = new Sender({
      clock: this.#world.clock,
      random: this.#world.random,
      inFlight: request.inFlight,
      post: (chunk, signal) => this.#post(chunk, signal),
      // Where what is not taken is kept, and more may come, there is no hurry.
      patienceMs: () => request.follow || (this.#spool && this.#reading) ? Infinity : request.patience,
      refuse: (line, why) => this.#refuse(line, why),
      wait: (why) => this.#wait(why),
    });
  }

  async carry(): Promise<ExitCode> {
    const unlisten = this.#listen();
    let failure: unknown;
    try {
      await (this.#spool ? this.#throughSpool(this.#spool) : this.#straight());
    } catch (problem) {
      failure = problem;
      this.#stop.abort();
    } finally {
      unlisten();
      this.#progress.end();
      this.#keep();
    }
    const spooled = this.#spool?.count ?? 0;
    const isKept = failure instanceof SendingEnded && failure.reason === "unreachable" && this.#spool !== undefined &&
      !this.#reading;
    const code = failure === undefined || isKept ? this.#ended() : this.#explain(failure);
    this.#tell(code, spooled, isKept ? (failure as Error).message : undefined);
    return code;
  }

  async #straight(): Promise<void> {
    for await (const lines of this.#gathered()) {
      const settled = this.#reached.begin(lines);
      await this.#sender.offer(this.#chunkOf(lines), () => this.#settle(settled));
      this.#show();
    }
    await this.#sender.finish();
  }

  async #throughSpool(spool: Spool): Promise<void> {
    let more = Promise.withResolvers<void>();
    const fill = async () => {
      try {
        for await (const lines of this.#gathered()) {
          const settled = this.#reached.begin(lines);
          await spool.add(this.#chunkOf(lines), this.#stop.signal);
          this.#settle(settled);
          more.resolve();
          this.#show();
        }
      } finally {
        this.#reading = false;
        more.resolve();
      }
    };
    const filling = fill();
    filling.catch(() => {});
    const offered = new Set<string>();
    for (;;) {
      const name = spool.names().find((one) => !offered.has(one));
      if (name === undefined) {
        if (!this.#reading) break;
        await more.promise;
        more = Promise.withResolvers<void>();
        continue;
      }
      offered.add(name);
      const chunk = spool.read(name);
      if (chunk === undefined) this.#notice(`A file in the spool was damaged and is put aside: ${name}.damaged`);
      else {
        await this.#sender.offer(chunk, () => {
          spool.remove(name);
          offered.delete(name);
        });
      }
      this.#show();
    }
    await this.#sender.finish();
    await filling;
  }

  async *#gathered(): AsyncGenerator<readonly Line[]> {
    const { batch, batchBytes, linger } = this.#request;
    const limit = { lines: batch, bytes: batchBytes, lingerMs: linger };
    // One after the other; files without an end at once. Each by itself, because a request holds lines of one kind only.
    const each = this.#names.map((name) => () => gather(this.#linesOf(name), limit, this.#world.clock));
    if (this.#request.follow) return yield* merged(each.map((open) => open()));
    for (const open of each) if (!this.#stop.signal.aborted) yield* open();
  }

  #linesOf(name: string): AsyncIterable<readonly Line[]> {
    if (name === "-") return linesFrom("standard input", this.#terminal.stdin(), this.#stop.signal);
    const path = resolve(name);
    return named(
      linesOf({
        name,
        path,
        from: this.#checkpoint?.placeOf(path),
        follow: this.#request.follow ?? false,
        signal: this.#stop.signal,
        notice: (text) => this.#notice(text),
      }),
      name,
    );
  }

  #chunkOf(lines: readonly Line[]): Chunk {
    const key = randomBytes(16).toString("hex");
    return { key, kind: kindOf(lines[0]!.source, this.#request.format), query: this.#query, lines };
  }

  async #post(chunk: Chunk, signal: AbortSignal) {
    const url = new URL(this.#url);
    url.search = chunk.query;
    const headers = {
      "content-type": chunk.kind === "ndjson" ? "application/x-ndjson" : "text/plain",
      "idempotency-key": chunk.key,
      ...(this.#key !== undefined && { authorization: `Bearer ${this.#key}` }),
    };
    const limit = AbortSignal.any([signal, AbortSignal.timeout(requestMs)]);
    try {
      const { status, headers: told, text } = await this.#terminal.send(url, { headers, body: bodyOf(chunk) }, limit);
      return { status, retryAfter: told["retry-after"], text };
    } catch (problem) {
      throw new Error(whyNot(problem), { cause: problem });
    }
  }

  #settle(settled: () => void): void {
    settled();
    if (this.#checkpoint !== undefined) this.#keeping ??= this.#keepSoon();
  }

  async #keepSoon(): Promise<void> {
    await this.#world.clock.sleep(checkpointAfterMs, this.#stop.signal);
    this.#keeping = undefined;
    try {
      this.#keep();
    } catch (problem) {
      const reason = reasonNotToWrite(this.#checkpoint!.path, problem) ?? (problem as Error).message;
      this.#notice(
        `Cannot write the checkpoint: ${reason}; what comes now is sent again by a later run`,
      );
    }
  }

  #keep(): void {
    if (this.#checkpoint === undefined) return;
    const places = [...this.#reached.places()].map(([name, place]) => [resolve(name), place] as const);
    if (places.length > 0) this.#checkpoint.keep(new Map(places));
  }

  #refuse({ source, number }: Line, why: string): void {
    this.#progress.end();
    this.#terminal.err(printable(`${source}:${number}: ${why}`) + "\n");
    if (this.#refused.length < shownMax) this.#refused.push({ file: source, line: number, why });
    if (this.#request.onBad === "stop") throw new SendingEnded("bad line", `${source}:${number}: ${why}`);
  }

  /** Once for each reason, not for each try. */
  #wait(why: string | undefined): void {
    if (why === this.#waiting) return;
    this.#waiting = why;
    if (why === undefined) this.#notice(`${this.#url.origin} takes messages again`);
    else this.#notice(`${this.#url.origin} takes no messages now (${why}); trying again`);
  }

  #notice(text: string): void {
    this.#progress.end();
    this.#terminal.err(`${printable(text)}\n`);
  }

  #show(): void {
    const { lines, bytes, refused } = this.#sender.sent;
    const waiting = this.#spool ? `, ${this.#spool.count} requests in the spool` : "";
    this.#progress.tell(() =>
      `${lines} lines taken (${
        inBytes(bytes)
      }), ${this.#sender.underWay} requests under way, ${refused} refused${waiting}`
    );
  }

  /** Ends reading at a signal: what was read is still sent. A second signal ends it at once. */
  #listen(): () => void {
    const { onSignal } = this.#terminal;
    return onSignal(() => {
      if (this.#told) return void this.#sender.abandon();
      this.#told = true;
      this.#stop.abort();
      void this.#world.clock.sleep(stopMs).then(() => this.#sender.abandon());
    });
  }

  /** Who follows files ends by being told to; who sends files should get to their end. */
  #ended(): ExitCode {
    if (!this.#told || this.#request.follow) return exitCodes.ok;
    this.#notice("Stopped before the end.");
    return exitCodes.unexpected;
  }

  #explain(problem: unknown): ExitCode {
    const said = this.#reached.said();
    const sofar = said.length > 0 ? ` Taken: ${said.join(", ")}.` : "";
    const say = (code: ExitCode, text: string) => {
      this.#notice(text + sofar);
      return code;
    };
    if (problem instanceof LineTooLong) return say(exitCodes.badData, problem.message);
    if (isNoSpace(problem)) {
      return say(exitCodes.diskFull, "Cannot go on: the disk of the spool or the checkpoint is full.");
    }
    if (!(problem instanceof SendingEnded)) throw problem;
    const { origin, pathname } = this.#url;
    if (problem.reason === "unreachable" && this.#told) return this.#ended();
    if (problem.reason === "unreachable") {
      return say(
        exitCodes.unreachable,
        `Cannot send to ${origin}: ${problem.message}; --patience waits longer, --spool keeps what is left.`,
      );
    }
    if (problem.reason === "bad line") {
      return say(exitCodes.badData, "Stopped at that line: mend it, or leave such lines out with --on-bad skip.");
    }
    if (problem.reason === "not allowed") {
      return say(
        exitCodes.permission,
        `Cannot send to ${origin}: ${problem.message}; ${this.#sourceOfKey()}.`,
      );
    }
    const advice = problem.reason === "not found"
      ? `; is ${pathname} on the intake's address, and not on that of the management`
      : "";
    const topic = problem.message.includes('"topic" is missing')
      ? "; --topic names it for all, and --format ndjson takes it from lines that are JSON objects"
      : "";
    return say(exitCodes.usage, `Cannot send to ${origin}: ${problem.message}${advice}${topic}.`);
  }

  #sourceOfKey(): string {
    const { keyFile } = this.#request;
    return keyFile === undefined
      ? `${sourceOfKey(this.#terminal)}; --key-file names another`
      : printable(`the key is that in ${keyFile}`);
  }

  #tell(code: ExitCode, spooled: number, why: string | undefined): void {
    const { lines, bytes, requests, refused } = this.#sender.sent;
    if (this.#request.json) {
      const found = { ok: code === 0 && refused === 0, lines, bytes, requests, refused, spooled, bad: this.#refused };
      this.#terminal.out(`${printableJson(JSON.stringify(found))}\n`);
    } else if (code === 0) this.#notice(`${lines} lines taken (${inBytes(bytes)}), ${refused} refused`);
    if (why !== undefined) {
      this.#notice(
        `${spooled} requests wait in "${this.#request.spool}", because ${this.#url.origin} cannot take them now (${why}): ` +
          "the next sparkngin send with this spool sends them",
      );
    }
  }
}

const stopMs = 5000;

function kindOf(name: string, format: SendRequest["format"]): LineKind {
  if (format !== "auto") return format;
  return /\.(ndjson|jsonl)(\.\d+)?$/.test(name) ? "ndjson" : "lines";
}

function queryOf(request: SendRequest): string {
  const query = new URLSearchParams();
  for (const name of ["topic", "env", "type", "level", "ack"] as const) {
    if (request[name] !== undefined) query.set(name, request[name]);
  }
  for (const field of request.field ?? []) {
    const middle = field.indexOf("=");
    if (middle <= 0) {
      throw new CommandError(exitCodes.usage, printable(`Cannot do that: --field is "${field}"; expected name=value`));
    }
    query.set(field.slice(0, middle), field.slice(middle + 1));
  }
  return query.toString();
}

/** The key to show. Never an argument: arguments are seen by everybody on the machine. */
export function keyOf(terminal: Terminal, keyFile: string | undefined): string | undefined {
  if (keyFile === undefined) return keyToShow(terminal);
  try {
    return terminal.readFile(keyFile).trim();
  } catch (problem) {
    throw cannotRead(keyFile, problem);
  }
}

function cannotRead(name: string, problem: unknown): CommandError {
  const code = codeOf(problem);
  if (code === "ENOENT") {
    return new CommandError(exitCodes.usage, printable(`Cannot read ${name}: there is no such file`));
  }
  const denied = code === "EACCES" || code === "EPERM";
  const reason = denied ? "permission denied" : (problem as Error).message;
  return new CommandError(denied ? exitCodes.permission : exitCodes.usage, printable(`Cannot read ${name}: ${reason}`));
}

async function* named(lines: AsyncIterable<readonly Line[]>, name: string): AsyncGenerator<readonly Line[]> {
  try {
    yield* lines;
  } catch (problem) {
    if (codeOf(problem) === "") throw problem;
    throw cannotRead(name, problem);
  }
}

function openedCheckpoint({ files }: World, path: string): Checkpoint {
  try {
    return new Checkpoint(files, path);
  } catch (problem) {
    const text = problem instanceof Error ? problem.message : String(problem);
    const reason = reasonNotToWrite(path, problem);
    throw new CommandError(exitCodes.usage, printable(reason === undefined ? text : `Cannot use ${path}: ${reason}`));
  }
}

function openedSpool(
  { holder }: Terminal,
  { files }: World,
  { dir, bytesMax }: { readonly dir: string; readonly bytesMax: number },
): Spool {
  try {
    return new Spool(files, dir.replace(/(?<=.)\/+$/, ""), { bytesMax, holder: `${holder} (send)` });
  } catch (problem) {
    if (problem instanceof SpoolRefused) throw new CommandError(exitCodes.locked, printable(problem.message));
    throw cannotWrite(dir, problem, "use the spool");
  }
}

/** Whatever comes first, of several files that are followed. */
async function* merged<T>(sources: readonly AsyncIterable<T>[]): AsyncGenerator<T> {
  const running = new Map(sources.map((source) => {
    const iterator = source[Symbol.asyncIterator]();
    return [iterator, iterator.next().then((result) => ({ iterator, result }))] as const;
  }));
  while (running.size > 0) {
    const { iterator, result } = await Promise.race(running.values());
    if (result.done) running.delete(iterator);
    else {
      running.set(iterator, iterator.next().then((result) => ({ iterator, result })));
      yield result.value;
    }
  }
}
