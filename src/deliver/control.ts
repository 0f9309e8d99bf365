/**
 * What an operator tells a destination: pause, resume, rewind, skip. The pump carries it out between batches, and breaks off for
 * it whatever it waits for; where nothing runs, the command line carries it out on the cursor itself.
 */
import {
  type Cursor,
  type LogReader,
  parsePoint,
  type Point,
  pointHelp,
  type Position,
  positionOf,
  type Timeline,
} from "../log/mod.ts";
import type { Clock } from "../os/world.ts";
import { type PassingMeans, passOver } from "./pass_over.ts";

export type Order =
  | { readonly do: "pause" | "resume" }
  /** `to`: see `pointHelp`. */
  | { readonly do: "rewind" | "skip"; readonly to: string };
export const orderNames = ["pause", "resume", "rewind", "skip"] as const;

/** How the destination stands afterwards. */
export interface Standing {
  readonly state: "paused" | "delivering";
  readonly position: Position;
  readonly pending: number;
  readonly generation: number;
  readonly start: Position;
  /** Messages skipped, or to be delivered once more. */
  readonly moved: number;
}
export interface Refusal {
  /** "bad": not understood; "impossible": not as things stand; "unavailable": nobody there to carry it out, try again. */
  readonly refused: "bad" | "impossible" | "unavailable";
  readonly why: string;
}
/** A standing is durable when it is told. */
export type Outcome = Standing | Refusal;

export interface Place {
  readonly cursor: Cursor;
  readonly timeline: Timeline;
  /** Wall time, for "2h" ago. */
  readonly now: number;
  /** A skip may have to read much of the log. */
  readonly means: PassingMeans;
}

/** Whole, or not at all: a skip, too, that is told to stop. */
export async function carryOut(order: Order, place: Place): Promise<Outcome> {
  if (!isMove(order)) return setPaused(order.do, place);
  const moved = await move(order, place);
  return typeof moved === "number" ? standing(place, moved) : moved;
}

function standing({ cursor, timeline }: Course, moved: number): Standing {
  const { position, generation, start, paused } = cursor;
  return {
    state: paused ? "paused" : "delivering",
    position,
    pending: Math.max(0, timeline.end - cursor.ahead) + cursor.waiting,
    generation,
    start,
    moved,
  };
}

function setPaused(wanted: "pause" | "resume", course: Course): Standing {
  const { cursor } = course;
  if (cursor.paused !== (wanted === "pause")) cursor.pause(wanted === "pause");
  return standing(course, 0);
}

type Move = Order & { readonly do: "rewind" | "skip" };

function isMove(order: Order): order is Move {
  return order.do === "rewind" || order.do === "skip";
}

/** How many messages are skipped, or delivered once more. */
async function move({ do: direction, to }: Move, { cursor, timeline, now, means }: Place): Promise<Refusal | number> {
  const point = parsePoint(to, now);
  if (point === undefined) return { refused: "bad", why: `Cannot understand "${to}": expected ${pointHelp}` };
  const at = positionOf(point, timeline);
  const why = direction === "rewind" ? whyNotBack(point, at, { cursor, timeline }) : whyNotOn(at, { cursor, timeline });
  if (why !== undefined) return { refused: "impossible", why };
  if (direction === "skip") {
    if (at === cursor.position) return 0;
    const passed = await passOver(cursor, { to: at, verdict: "skipped", ...means });
    if (passed === undefined) {
      return { refused: "unavailable", why: `Cannot skip to ${at}: told to stop before that; nothing is skipped` };
    }
    cursor.sync();
    return passed;
  }
  const again = cursor.ahead - at - cursor.waiting;
  cursor.restart(at);
  return again;
}

type Course = Pick<Place, "cursor" | "timeline">;

function whyNotBack(point: Point, at: Position, { cursor, timeline }: Course): string | undefined {
  const { oldest, oldestTime } = timeline;
  if (at > cursor.position) return `Cannot rewind to ${at}: it stands at ${cursor.position}; skip goes forward`;
  if (at < oldest) return `Cannot rewind to ${at}: the oldest message in the log is ${oldest}`;
  const time = typeof point === "object" && "time" in point ? point.time : undefined;
  if (time === undefined || oldest === 0 || oldestTime === undefined || time >= oldestTime) return undefined;
  return `Cannot rewind so far: the oldest message in the log, ${oldest}, is of ${new Date(oldestTime).toISOString()}`;
}

function whyNotOn(at: Position, { cursor, timeline }: Course): string | undefined {
  if (at < cursor.position) return `Cannot skip to ${at}: it stands at ${cursor.position}; rewind goes back`;
  return at > timeline.end ? `Cannot skip to ${at}: the log ends at ${timeline.end}` : undefined;
}

interface ObeyOptions extends Pick<PassingMeans, "signal" | "slice"> {
  /** The cursor was paused, or resumed, while a skip is under way. */
  readonly paused: () => void;
}

/** Orders on their way to a pump. */
export class Control {
  readonly #clock: Clock;
  readonly #timeline: () => Timeline;
  readonly #openReader: () => LogReader;
  #arrived = new AbortController();
  #waiting: { readonly order: Order; readonly settle: (outcome: Outcome) => void }[] = [];

  constructor(clock: Clock, timeline: () => Timeline, openReader: () => LogReader) {
    this.#clock = clock;
    this.#openReader = openReader;
    this.#timeline = timeline;
  }

  /** Resolves when it has been carried out, durably, or refused. */
  give(order: Order): Promise<Outcome> {
    return new Promise((settle) => {
      this.#waiting.push({ order, settle });
      this.#arrived.abort();
    });
  }

  /** Aborts as soon as there is an order. */
  get arrived(): AbortSignal {
    return this.#arrived.signal;
  }

  /** By the pump: carries out what has arrived, and what arrives meanwhile. */
  async obey(cursor: Cursor, { signal, slice, paused }: ObeyOptions): Promise<void> {
    const [clock, openReader] = [this.#clock, this.#openReader];
    const meanwhile = () => this.#pauseMeanwhile(cursor, paused);
    const means: PassingMeans = { clock, openReader, slice, meanwhile, signal };
    for (let given = this.#waiting.shift(); given; given = this.#waiting.shift()) {
      given.settle(await carryOut(given.order, { cursor, timeline: this.#timeline(), now: clock.now(), means }));
    }
    this.#arrived = new AbortController();
  }

  /** A skip takes its time: whoever pauses or resumes has the answer before that, unless it was given behind another move. */
  #pauseMeanwhile(cursor: Cursor, paused: () => void): void {
    for (let next = this.#waiting[0]; next && !isMove(next.order); next = this.#waiting[0]) {
      this.#waiting.shift();
      next.settle(setPaused(next.order.do, { cursor, timeline: this.#timeline() }));
      paused();
    }
  }
}
