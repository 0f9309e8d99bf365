/**
 * Named pipes as ways in: a line is a message. Nobody at the other end hears an answer, and a writer that finds the pipe full
 * stands still; so what the log does not take is dropped and counted, unless the writer is to wait. What came in one read is one
 * entry of the log.
 */
import type { PipeSettings } from "../config/keys.ts";
import { entryBytesMax, LogExhausted, LogFull } from "../log/mod.ts";
import { tagOf } from "../message/wire.ts";
import type { Table } from "../observe/table.ts";
import type { Clock } from "../os/world.ts";
import type { Fifo } from "./fifo.ts";
import { type Intake, problemOf } from "./intake.ts";
import { parseJson } from "./json.ts";
import { Lines } from "./lines.ts";
import type { Problem } from "./problem.ts";
import { type Rules, tooLong } from "./rules.ts";
import type { Ways } from "./zeromq.ts";

export interface PipeParts {
  readonly clock: Clock;
  readonly intake: Pick<Intake, "keep">;
  ways(): Ways;
  readonly table: Table;
  /** Throws when there is no such pipe. */
  open(path: string): Fifo;
  /** Something an operator must know. */
  report(text: string): void;
}
export interface PipeReader {
  /** Reads what is there, and no more; resolves once that is safe. */
  shutdown(): Promise<void>;
}

/** Throws when one of the pipes is not there. */
export function readPipes(pipes: readonly PipeSettings[], parts: PipeParts): PipeReader {
  const opened = pipes.map((settings) => ({ settings, fifo: parts.open(settings.path) }));
  const readers = opened.map(({ settings, fifo }) => new Reader(settings, fifo, parts));
  const done = readers.map((reader) => reader.run());
  return {
    shutdown: async () => {
      for (const reader of readers) reader.stop();
      await Promise.all(done);
    },
  };
}

/** What a pipe holds on Linux: one read empties it. */
const chunkBytes = 65_536;
/** With what else one read brings it has to fit into an entry of the log. */
const lineBytesMax = entryBytesMax / 2;
const reportEveryMs = 10_000;
const fullPauseMs = 250;
const lookEveryMs = 5000;
const brace = 0x7b;
const tags = { topic: tagOf("topic"), env: tagOf("env"), type: tagOf("type"), level: tagOf("level") };

/** One `[[pipe]]`. */
class Reader {
  readonly #settings: PipeSettings;
  readonly #parts: PipeParts;
  readonly #lines: Lines;
  readonly #stopping = new AbortController();
  #fifo: Fifo;
  /** What has its name by now. */
  #next: Fifo | undefined;
  #storing: Promise<void> = Promise.resolve();
  #reportedAt = -Infinity;
  #refused = 0;

  constructor(settings: PipeSettings, fifo: Fifo, parts: PipeParts) {
    this.#settings = settings;
    this.#fifo = fifo;
    this.#parts = parts;
    const lineMax = Math.min(parts.ways().http.message_max, lineBytesMax);
    this.#lines = new Lines(lineMax, () => this.#refuse(tooLong(lineMax)));
  }

  /** Until `stop`. Never rejects. */
  async run(): Promise<void> {
    void this.#watch();
    const chunk = new Uint8Array(chunkBytes);
    try {
      for (let isLast = false; !isLast;) {
        // What is there is read before the end; that it has one, this line sees to.
        isLast = this.#stopping.signal.aborted;
        if (isLast) this.#fifo.wake();
        const count = await this.#fifo.read(chunk);
        await this.#take((each) => this.#lines.add(chunk.subarray(0, count), each));
        if (this.#next !== undefined) await this.#turn(this.#next);
      }
      await this.#take((each) => this.#lines.finish(each));
      await this.#storing;
    } catch (problem) {
      this.#say(`it cannot be read any more: ${problem instanceof Error ? problem.message : problem}`);
    } finally {
      this.#stopping.abort();
      this.#fifo.close();
    }
  }

  stop(): void {
    if (this.#stopping.signal.aborted) return;
    this.#stopping.abort();
    this.#fifo.wake();
  }

  /** The old pipe was emptied; whoever still writes into it talks to nobody. */
  async #turn(next: Fifo): Promise<void> {
    await this.#take((each) => this.#lines.finish(each));
    this.#fifo.close();
    this.#fifo = next;
    this.#next = undefined;
  }

  /** A pipe that was made anew has the same name and is another one. */
  async #watch(): Promise<void> {
    const { signal } = this.#stopping;
    for (let told = false;;) {
      await this.#parts.clock.sleep(lookEveryMs, signal);
      if (signal.aborted) return;
      if (this.#next !== undefined || !this.#fifo.isGone()) continue;
      try {
        this.#next = this.#parts.open(this.#settings.path);
        this.#fifo.wake();
        told = false;
      } catch (problem) {
        if (!told) this.#say((problem as Error).message);
        told = true;
      }
    }
  }

  /** Into the log with the lines that `give` gives; waits for those before them. */
  async #take(give: (each: (line: Uint8Array) => void) => void): Promise<void> {
    await this.#storing;
    const ways = this.#parts.ways();
    const { entry, http, topics } = ways;
    const { topic, env, type, level } = this.#settings;
    const rules: Rules = {
      messageMax: http.message_max,
      messagesMax: chunkBytes,
      depthMax: http.depth_max,
      topic,
      admit: (topic) => topics.admit(topic),
    };
    entry.begin({ timestamp: this.#parts.clock.now() });
    entry.text(tags.topic, topic);
    for (const [tag, value] of [[tags.env, env], [tags.type, type], [tags.level, level]] as const) {
      if (value !== "") entry.text(tag, value);
    }
    give((line) => this.#put(line, ways, rules));
    if (entry.count === 0) return;
    this.#storing = this.#store(entry.bytes().slice(), entry.count);
    // What goes wrong there is said when somebody waits for it, which may be later than now.
    this.#storing.catch(() => {});
  }

  #put(line: Uint8Array, { entry, topics }: Ways, rules: Rules): void {
    const { format } = this.#settings;
    const isJson = format === "json" || (format === "auto" && line[0] === brace);
    entry.hold();
    topics.begin();
    let problem = isJson ? parseJson(line, "lines", rules, entry) : undefined;
    // Who sends anything may send what begins like JSON and is none: that is text, too.
    const isText = !isJson || (problem !== undefined && format === "auto");
    if (problem !== undefined) {
      entry.rewind();
      topics.begin();
    }
    if (isText) {
      problem = rules.admit(rules.topic);
      if (problem === undefined) {
        entry.open();
        entry.data(line, 0, line.length, false);
        entry.shut();
      }
    }
    if (problem === undefined) topics.keep();
    else this.#refuse({ ...problem, line: undefined });
  }

  async #store(bytes: Uint8Array, count: number): Promise<void> {
    const { intake, table, clock } = this.#parts;
    const { signal } = this.#stopping;
    for (;;) {
      try {
        await intake.keep(bytes, count).durable;
        table.add("pipeAccepted", count);
        return;
      } catch (problem) {
        const mayPass = problem instanceof LogFull || problem instanceof LogExhausted;
        if (!mayPass || this.#settings.when_full === "drop" || signal.aborted) {
          table.add("pipeDropped", count);
          this.#sayNowAndThen(`${count} messages were dropped: ${problemOf(problem).detail}`);
          return;
        }
        await clock.sleep(fullPauseMs, signal);
      }
    }
  }

  #refuse({ detail }: Problem): void {
    this.#refused++;
    this.#parts.table.add("pipeRefused", 1);
    this.#sayNowAndThen(`a line was refused: ${detail} (${this.#refused} since the start)`);
  }

  #sayNowAndThen(text: string): void {
    const now = this.#parts.clock.elapsed();
    if (now - this.#reportedAt < reportEveryMs) return;
    this.#reportedAt = now;
    this.#say(text);
  }
  #say(text: string): void {
    this.#parts.report(`pipe "${this.#settings.path}": ${text}`);
  }
}
