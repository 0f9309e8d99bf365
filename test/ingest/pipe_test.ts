import assert from "node:assert/strict";
import { pipeKeys, type PipeSettings, sections } from "../../src/config/keys.ts";
import { defaults } from "../../src/config/options.ts";
import type { Fifo } from "../../src/ingest/fifo.ts";
import { readPipes } from "../../src/ingest/pipe.ts";
import { Topics } from "../../src/ingest/topics.ts";
import { LogFull, type Position } from "../../src/log/mod.ts";
import { decodeEntry, EntryWriter } from "../../src/message/wire.ts";
import { Table } from "../../src/observe/table.ts";
import { arrival, bytesOf } from "./fakes.ts";

/** A pipe whose writer is the test. */
class FakeFifo implements Fifo {
  gone = false;
  closed = false;
  readonly #pieces: Uint8Array[] = [];
  #waiting: (() => void) | undefined;

  get empty(): boolean {
    return this.#pieces.length === 0;
  }
  write(text: string | Uint8Array): void {
    this.#pieces.push(typeof text === "string" ? bytesOf(text) : text);
    this.#waiting?.();
  }
  async read(into: Uint8Array): Promise<number> {
    while (this.#pieces.length === 0) await new Promise<void>((resolve) => this.#waiting = resolve);
    const piece = this.#pieces.shift()!;
    into.set(piece);
    return piece.length;
  }
  isGone(): boolean {
    return this.gone;
  }
  wake(): void {
    this.write("\n");
  }
  close(): void {
    this.closed = true;
  }
}

function opened(settings: Partial<PipeSettings> = {}, http: Partial<ReturnType<typeof limits>> = {}) {
  const pipe = { ...defaults(pipeKeys), path: "p", topic: "nginx", ...settings } as PipeSettings;
  const table = Table.allocate(0);
  const all = { ...limits(), ...http };
  const ways = { http: all, topics: new Topics(all), entry: new EntryWriter() };
  const entries: Uint8Array[] = [];
  const problems: Error[] = [];
  const said: string[] = [];
  const fifos: FakeFifo[] = [];
  let position = 0;
  /** Resolves for whoever sleeps. */
  const sleepers: (() => void)[] = [];
  const reader = readPipes([pipe], {
    clock: {
      now: () => arrival,
      elapsed: () => 0,
      sleep: (_ms, signal) =>
        new Promise((resolve) => {
          sleepers.push(resolve);
          signal?.addEventListener("abort", () => resolve());
        }),
      turn: (run) => run(),
    },
    intake: {
      keep(bytes, count) {
        const problem = problems.shift();
        if (problem !== undefined) throw problem;
        entries.push(bytes);
        position += count;
        return { first: position - count as Position, epoch: 1, count, durable: Promise.resolve() };
      },
    },
    ways: () => ways,
    table,
    open: () => {
      const fifo = new FakeFifo();
      fifos.push(fifo);
      return fifo;
    },
    report: (text) => void said.push(text),
  });
  const messages = () =>
    entries.flatMap((entry) => decodeEntry(entry)).map(({ topic, env, level, data, dataIsJson }) => [
      ...[topic, ...(env ? [env] : []), ...(level ? [level] : [])],
      `${dataIsJson ? "json " : ""}${new TextDecoder("latin1").decode(data)}`,
    ]);
  return {
    reader,
    fifos,
    table,
    said,
    problems,
    entries,
    messages,
    wake: () => sleepers.splice(0).forEach((one) => one()),
  };
}
const limits = () => defaults(sections.http);
/** Until all that is ready has run. */
const settled = () => new Promise<void>((resolve) => setTimeout(resolve, 0));

Deno.test("M6 a line of a pipe is a message, JSON or text, with the pipe's fields where it has none of its own", async () => {
  const pipe = opened({ env: "prod", level: "info" });
  pipe.fifos[0]!.write('text\n{"topic":"own","level":"error","data":[1]}\n{"bare":1}\n');
  await settled();
  pipe.fifos[0]!.write(Uint8Array.of(0xff, 0, 10));
  await pipe.reader.shutdown();
  assert.deepEqual(pipe.messages(), [
    ["nginx", "prod", "info", "text"],
    ["own", "prod", "error", "json [1]"],
    ["nginx", "prod", "info", 'json {"bare":1}'],
    ["nginx", "prod", "info", "\xff\0"],
  ]);
  assert.equal(pipe.entries.length, 2);
  assert.equal(pipe.table.get("pipeAccepted"), 4);
  assert.ok(pipe.fifos[0]!.closed);
});

Deno.test("M6 what begins like JSON and is none is text, unless lines are to be JSON: then it is refused and counted", async () => {
  const lines = '{"a\n{"topic":"a b","data":1}\nno json\n{"topic":"good","data":1}\n';
  const pipe = opened();
  pipe.fifos[0]!.write(lines);
  await pipe.reader.shutdown();
  assert.deepEqual(pipe.messages().map(([topic, data]) => [topic, data]), [
    ["nginx", '{"a'],
    ["nginx", '{"topic":"a b","data":1}'],
    ["nginx", "no json"],
    ["good", "json 1"],
  ]);
  const strict = opened({ format: "json" });
  strict.fifos[0]!.write(lines);
  await strict.reader.shutdown();
  assert.deepEqual(strict.messages(), [["good", "json 1"]]);
  assert.equal(strict.table.get("pipeRefused"), 3);
  assert.match(strict.said[0]!, /^pipe "p": a line was refused: The message breaks at byte 2/);
  assert.equal(strict.said.length, 1);
  const text = opened({ format: "text" });
  text.fifos[0]!.write('{"topic":"good"}\n');
  await text.reader.shutdown();
  assert.deepEqual(text.messages(), [["nginx", '{"topic":"good"}']]);
});

Deno.test("M6 a line without end takes no more room than a message, and the next line is taken", async () => {
  const pipe = opened({}, { message_max: 1024 });
  for (let i = 0; i < 100; i++) pipe.fifos[0]!.write("x".repeat(60_000));
  pipe.fifos[0]!.write("\nnext\n");
  while (!pipe.fifos[0]!.empty) await settled();
  await pipe.reader.shutdown();
  assert.deepEqual(pipe.messages(), [["nginx", "next"]]);
  assert.equal(pipe.table.get("pipeRefused"), 1);
});

Deno.test("M6 a line that a message may be, and that is too long for the log, is refused; what comes after it is taken", async () => {
  const pipe = opened({}, { message_max: 32 << 20 });
  for (let i = 0; i < 300; i++) pipe.fifos[0]!.write("x".repeat(60_000));
  pipe.fifos[0]!.write("\nnext\n");
  while (!pipe.fifos[0]!.empty) await settled();
  await pipe.reader.shutdown();
  assert.deepEqual(pipe.messages(), [["nginx", "next"]]);
  assert.equal(pipe.table.get("pipeRefused"), 1);
});

Deno.test("M6 a topic that is not taken is refused, and costs the other lines nothing", async () => {
  const pipe = opened({ format: "json", topic: "web" }, { topics_allow: ["web"] });
  pipe.fifos[0]!.write('{"topic":"other","data":1}\n{"data":2}\n');
  await pipe.reader.shutdown();
  assert.deepEqual(pipe.messages(), [["web", "json 2"]]);
  assert.equal(pipe.table.get("pipeRefused"), 1);
});

Deno.test("M6 while the log is full, lines are dropped and counted, or wait", async () => {
  const full = () => new LogFull("full");
  const pipe = opened();
  pipe.problems.push(full());
  pipe.fifos[0]!.write("lost\n");
  await settled();
  pipe.fifos[0]!.write("kept\n");
  await pipe.reader.shutdown();
  assert.deepEqual(pipe.messages(), [["nginx", "kept"]]);
  assert.equal(pipe.table.get("pipeDropped"), 1);
  assert.match(pipe.said[0]!, /1 messages were dropped: There is no room/);
  const patient = opened({ when_full: "wait" });
  patient.problems.push(full(), full());
  patient.fifos[0]!.write("first\n");
  await settled();
  patient.fifos[0]!.write("second\n");
  await settled();
  assert.deepEqual(patient.messages(), []);
  for (let i = 0; i < 5; i++) {
    patient.wake();
    await settled();
  }
  await patient.reader.shutdown();
  assert.deepEqual(patient.messages(), [["nginx", "first"], ["nginx", "second"]]);
  assert.equal(patient.table.get("pipeDropped"), 0);
});

Deno.test("M6 a stop takes what is there, and a line without its end", async () => {
  const pipe = opened();
  pipe.fifos[0]!.write("one\ntw");
  await settled();
  pipe.fifos[0]!.write("o");
  await pipe.reader.shutdown();
  assert.deepEqual(pipe.messages(), [["nginx", "one"], ["nginx", "two"]]);
});

Deno.test("M6 a pipe that was made anew is read in place of the old one", async () => {
  const pipe = opened();
  pipe.fifos[0]!.write("old\n");
  await settled();
  pipe.fifos[0]!.gone = true;
  pipe.wake();
  await settled();
  assert.equal(pipe.fifos.length, 2);
  assert.ok(pipe.fifos[0]!.closed);
  pipe.fifos[1]!.write("new\n");
  await pipe.reader.shutdown();
  assert.deepEqual(pipe.messages(), [["nginx", "old"], ["nginx", "new"]]);
});
