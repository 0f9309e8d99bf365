/**
 * [shell] The thread of one destination: opens its cursor, its adaptor and its dead letters, and runs the pump until told to
 * stop. If it dies, the supervisor starts it again and nobody else notices.
 */
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { adaptors } from "../../adaptors/mod.ts";
import type { Destination } from "../config/keys.ts";
import { Budget, FollowingWatermark, openCursor, type Position, SegmentReader, Tail, Timeline } from "../log/mod.ts";
import { filterOf } from "../message/filter.ts";
import { formatter } from "../message/format.ts";
import { sampleOf } from "../message/sample.ts";
import { type DestinationCells, destinationStates, Table } from "../observe/table.ts";
import { realWorld } from "../os/deno.ts";
import type { World } from "../os/world.ts";
import type { AdaptorKind, Place } from "./adaptor.ts";
import { Control, type Order, type Outcome } from "./control.ts";
import { carryOutOnLetters, type LetterOrder, type LetterOutcome } from "./letter_order.ts";
import { Letterbox } from "./letterbox.ts";
import { Pump, type PumpParts, type PumpWatch } from "./pump.ts";
import { Excess } from "./excess.ts";
import { Rest } from "./rest.ts";

/** A read that fails may be a cable or a controller: what is not there after a minute is damaged. */
const readPatienceMs = 60_000;
const nobody = "nobody is there to take messages: they wait";
const nobodyYet = "nobody is there to take messages: the newest wait for somebody, the oldest are overwritten";

/** What the supervisor gives the thread. */
export interface DestinationJob {
  readonly destination: Destination;
  /** Its number in the table. */
  readonly number: number;
  readonly table: SharedArrayBuffer;
  readonly dir: string;
  /** Where an adaptor that writes files does so unless told otherwise. */
  readonly outDir: string;
  readonly node: string;
  /** The writer nudges here when the log has grown while we slept. */
  readonly nudges: MessagePort;
}
/** What the thread says to the supervisor. */
export type DestinationNews =
  | { readonly kind: "trouble"; readonly text: string; readonly tries: number }
  | { readonly kind: "well" }
  | { readonly kind: "info" | "notice" | "lost"; readonly text: string }
  /** That is as it may be. */
  | { readonly kind: "alone"; readonly text: string }
  /** What came of the order with this number. */
  | { readonly kind: "obeyed"; readonly number: number; readonly outcome: Outcome | LetterOutcome }
  | { readonly kind: "stopped" };
/** What the supervisor says to the thread. */
export type DestinationTold =
  | { readonly kind: "stop" }
  | { readonly kind: "order"; readonly number: number; readonly order: Order | LetterOrder };

await work(workerData as DestinationJob);

async function work(job: DestinationJob): Promise<void> {
  const world = realWorld();
  const { destination, dir, node } = job;
  const cells = new Table(job.table).destination(job.number);
  const mark = followed(job, cells);
  // The cursor exists: it was made before the first message was taken. Should it not be readable now, we were there at least.
  const last = cells.get("durable") as Position;
  const cursor = openCursor(world, dir, destination.name, node, { fresh: last, lost: last });
  show(cells, cursor);
  cells.set("atOnce", destination.batch);
  cells.set("capped", 0);
  if (cursor.paused) say({ kind: "notice", text: "it is paused by command until it is told to resume" });
  const deadLetters = new Letterbox({
    world,
    dir,
    destination: destination.name,
    cursor,
    node,
    bytesMax: destination.dead_max,
    report: (text) => say({ kind: "notice", text: `dead letters: ${text}` }),
  });
  const openReader = () => new SegmentReader(world, dir, node, cursor.position, mark, { patienceMs: readPatienceMs });
  const control = new Control(world.clock, () => new Timeline(world.files, dir, mark.position), openReader);
  const stop = listened((order) =>
    isForLetters(order) ? carryOutOnLetters(order, () => deadLetters.look(), world.clock) : control.give(order)
  );
  const kind = (await adaptors[destination.kind]!()).default;
  const pump = new Pump({
    world,
    reader: openReader(),
    openReader,
    cursor,
    mark,
    selector: {
      node,
      wants: filterOf(destination.filter ?? {}),
      samples: sampleOf(destination.sample),
      format: formatter(destination.format, destination.fields),
    },
    limit: { count: destination.batch, bytes: destination.batch_bytes },
    rate: { count: destination.rate_limit, bytes: destination.rate_limit_bytes },
    lingerMs: () => cells.get("waiters") > 0 ? 0 : destination.linger,
    deadlineMs: destination.deadline,
    open: opener(job, kind, { world, cursor }),
    listens: kind.listens?.(destination.options) ?? false,
    ...bufferOf(job, kind, { world, mark }),
    refusedMax: destination.refused_max,
    ...(!destination.required && { floor: floorOf(job, world) }),
    deadLetters,
    control,
    watch: watching(cells, {
      ...{ cursor, deadLetters, waiting: job.nudges },
      required: destination.required,
      buffered: kind.buffer?.(destination.options) !== undefined,
      rest: new Rest({ clock: world.clock, collect }),
      excess: new Excess({
        batchBytes: destination.batch_bytes,
        kept: () => Deno.memoryUsage().external,
        collect,
        end,
      }),
    }),
  });
  await pump.run(stop);
  await deadLetters.close();
  setState(cells, "stopped");
  say({ kind: "stopped" });
}

/** Passes on what the supervisor says; aborts when it says stop. */
function listened(give: (order: Order | LetterOrder) => Promise<Outcome | LetterOutcome>): AbortSignal {
  const stop = new AbortController();
  parentPort!.on("message", (told: DestinationTold) => {
    if (told.kind === "stop") return stop.abort();
    const { number, order } = told;
    const unable = (problem: unknown): Outcome => ({ refused: "unavailable", why: textOf(problem) });
    void give(order).catch(unable).then((outcome) => say({ kind: "obeyed", number, outcome }));
  });
  return stop.signal;
}

function isForLetters(order: Order | LetterOrder): order is LetterOrder {
  return order.do === "list" || order.do === "replay" || order.do === "purge";
}

function textOf(problem: unknown): string {
  return problem instanceof Error ? problem.message : String(problem);
}

function followed({ table, nudges }: DestinationJob, cells: DestinationCells): FollowingWatermark {
  const whole = new Table(table);
  const shared = { position: () => whole.get("durable") as Position, segment: () => whole.get("segment"), raise() {} };
  const sleeper = { sleep: () => cells.set("asleep", 1), wake: () => cells.exchange("asleep", 0) === 1 };
  const mark = new FollowingWatermark(shared, sleeper);
  nudges.on("message", () => mark.nudge());
  return mark;
}

/** Where what waits for it would begin, were it as much as is allowed. */
function floorOf({ destination, dir }: DestinationJob, world: World): () => Position {
  const budget = new Budget(world.files, dir, destination.backlog_max);
  return () => budget.floor();
}

/** What waits while nobody is there to take it, where an adaptor says how much that may be. */
function bufferOf(
  { destination, dir, node }: DestinationJob,
  kind: AdaptorKind,
  { world, mark }: { readonly world: World; readonly mark: FollowingWatermark },
): Pick<PumpParts, "buffered"> {
  const bytes = kind.buffer?.(destination.options);
  if (bytes === undefined) return {};
  const reader = new SegmentReader(world, dir, node, 0 as Position, mark, {
    patienceMs: readPatienceMs,
    byCommit: true,
  });
  const tail = new Tail(new Budget(world.files, dir, bytes), reader, bytes);
  return { buffered: (from) => tail.floor(from) };
}

function opener(
  { destination, outDir }: DestinationJob,
  kind: AdaptorKind,
  { world, cursor }: { readonly world: World; readonly cursor: Shown },
) {
  return async (signal: AbortSignal) => {
    const place: Place = {
      destination: destination.name,
      dir: outDir,
      world,
      position: cursor.position,
      generation: cursor.generation,
      format: destination.format,
      notice: (text, level) => say({ kind: level === "info" ? "info" : "notice", text }),
    };
    return await kind.open(destination.options, place, signal);
  };
}

/** The runtime has it where it was started with `--expose-gc`, as the executable is. */
function collect(): void {
  const { gc } = globalThis as { gc?: (how: { readonly type: "major"; readonly flavor: "last-resort" }) => void };
  gc?.({ type: "major", flavor: "last-resort" });
}

/** Out of the pump, which leaves its cursor durable on the way: nothing is under way, so nothing comes again. The supervisor goes on. */
function end(why: string): never {
  throw new Error(why);
}

type Shown = ReturnType<typeof openCursor>;

/** What is told to intake while requests wait for this destination: in order, so what is dead is known before it is passed. */
type Told =
  | { readonly kind: "reached"; readonly position: Position }
  | { readonly kind: "dead"; readonly position: Position; readonly reason: string }
  /** It waits, and others are delivered before it. */
  | { readonly kind: "left"; readonly position: Position }
  | { readonly kind: "skipped"; readonly from: Position; readonly to: Position; readonly reason: string };

interface Watched {
  readonly cursor: Shown;
  readonly deadLetters: Letterbox;
  readonly waiting: MessagePort;
  readonly required: boolean;
  /** What waits while nobody is there is overwritten in the end, as was agreed. */
  readonly buffered: boolean;
  readonly rest: Rest;
  readonly excess: Excess;
}

function watching(cells: DestinationCells, watched: Watched): PumpWatch {
  const { cursor, deadLetters, waiting, required, buffered, rest, excess } = watched;
  const tell = (told: Told) => {
    if (cells.get("waiters") > 0) waiting.postMessage(told);
  };
  tell({ kind: "reached", position: cursor.ahead });
  let lastText = "";
  let stalledText = "";
  let stalledTopics = "";
  return {
    trouble(text, tries) {
      cells.set("tries", tries);
      setState(cells, tries === 0 ? "delivering" : "waiting");
      if (tries > 0) cells.set("alone", 0);
      if (text === undefined) {
        if (lastText !== "" && stalledTopics !== "") say({ kind: "trouble", text: stalledText, tries: 1 });
        else if (lastText !== "") say({ kind: "well" });
      } else if (text !== lastText || (required && tries % 10 === 1)) say({ kind: "trouble", text, tries });
      lastText = text ?? "";
    },
    begun({ since, bytes }) {
      rest.after(bytes);
      excess.after(bytes);
      cells.set("since", since);
      cells.set("alone", 0);
      cells.set("held", 0);
    },
    dead(refused) {
      for (const { delivery, reason } of refused) tell({ kind: "dead", position: delivery.position, reason });
    },
    stalled(topics, text, left) {
      for (const { position } of left) tell({ kind: "left", position });
      const before = stalledTopics;
      stalledTopics = topics.join(", ");
      cells.set("stalled", topics.length);
      show(cells, cursor);
      if (stalledTopics === "") {
        if (before !== "" && lastText === "") say({ kind: "well" });
      } else if (text !== undefined) {
        stalledText = `messages of ${stalledTopics} wait, others are delivered: ${text}`;
        if (stalledTopics !== before) say({ kind: "trouble", text: stalledText, tries: 1 });
      }
    },
    retaken: (count) => {
      if (count > 0) show(cells, cursor);
      cells.set("deadBytes", deadLetters.found()?.bytes ?? 0);
    },
    held: (count) => cells.set("held", count),
    capped(ms) {
      cells.set("capped", ms > 0 ? 1 : 0);
      if (ms > 0) cells.add("cappedMicros", Math.round(ms * 1000));
    },
    paced(atOnce, throttled) {
      cells.set("atOnce", atOnce);
      if (throttled) cells.add("throttles", 1);
    },
    alone() {
      setState(cells, buffered ? "unattended" : "waiting");
      cells.set("alone", buffered ? 1 : 0);
      if (buffered && lastText !== nobodyYet) say({ kind: "alone", text: nobodyYet });
      if (!buffered && lastText !== nobody) say({ kind: "trouble", text: nobody, tries: 0 });
      lastText = buffered ? nobodyYet : nobody;
    },
    overwritten(from, to) {
      tell({ kind: "skipped", from, to, reason: "overwritten: nobody was there to take it" });
      show(cells, cursor);
      setState(cells, cells.get("alone") === 1 ? "unattended" : "waiting");
    },
    expired(from, to) {
      say({ kind: "lost", text: `messages ${from} to ${to - 1} expired: more than backlog_max waits` });
      tell({ kind: "skipped", from, to, reason: "expired: more than backlog_max waits" });
      show(cells, cursor);
    },
    advanced({ bytes, ms }) {
      tell({ kind: "reached", position: cursor.ahead });
      show(cells, cursor);
      cells.set("deadBytes", deadLetters.found()?.bytes ?? 0);
      cells.add("batches", 1);
      cells.add("bytes", bytes);
      cells.add("sendMicros", Math.round(ms * 1000));
    },
    synced: () => cells.set("durable", cursor.durable),
    obeyed(from) {
      if (cursor.position > from) tell({ kind: "skipped", from, to: cursor.position, reason: "skipped by command" });
      cells.set("tries", 0);
      cells.set("held", 0);
      lastText = "";
      show(cells, cursor);
    },
    lost: (text) => say({ kind: "lost", text }),
  };
}

function show(cells: DestinationCells, cursor: Shown): void {
  for (const [verdict, count] of Object.entries(cursor.counts)) cells.set(verdict as keyof Shown["counts"], count);
  cells.set("generation", cursor.generation);
  cells.set("generationStart", cursor.start);
  cells.set("durable", cursor.durable);
  cells.set("position", cursor.position);
  cells.set("ahead", cursor.ahead);
  cells.set("waiting", cursor.waiting);
  setState(cells, cursor.paused ? "paused" : "delivering");
}

function setState(cells: DestinationCells, state: (typeof destinationStates)[number]): void {
  cells.set("state", destinationStates.indexOf(state));
}

function say(news: DestinationNews): void {
  parentPort!.postMessage(news);
}
