/** Carries the log to one destination: in order, at least once, for ever. Retry, pauses, cursors and dead letters are here, once. */
import { type Cursor, DiskFails, type LogReader, type Position, type Verdict, type Watermark } from "../log/mod.ts";
import { isTransient, type World } from "../os/world.ts";
import type { Adaptor, Delivery, Result } from "./adaptor.ts";
import { pauseAfter } from "./backoff.ts";
import type { Control } from "./control.ts";
import { type Deadline, deadlineAfter } from "./deadline.ts";
import type { Letterbox } from "./letterbox.ts";
import { Refusals } from "./refusals.ts";
import { Replay } from "./replay.ts";
import { select, type Selection, type Selector } from "./select.ts";
import { Sides } from "./sides.ts";

export interface PumpParts {
  readonly world: World;
  readonly reader: LogReader;
  /** Another one on the same log, for topics that have to be left behind. */
  readonly openReader: () => LogReader;
  readonly cursor: Cursor;
  readonly mark: Watermark;
  readonly selector: Selector;
  readonly limit: { readonly count: number; readonly bytes: number };
  /** How long to gather after a batch that was not full; nothing while somebody waits for the delivery. */
  readonly lingerMs: () => number;
  readonly deadlineMs: number;
  /** Opens the adaptor; rejects when the destination is not there. */
  readonly open: (signal: AbortSignal) => Promise<Adaptor>;
  readonly deadLetters: Letterbox;
  /** How many of a hundred in a row may be refused before that is the destination's own trouble. */
  readonly refusedMax: number;
  /** What is before it has waited too long for a destination that is not required. */
  readonly floor?: () => Position;
  /** Others come to it: it is opened before there is a message. */
  readonly listens?: boolean;
  /** While nobody is there to send to, what is before this is overwritten; asked with the cursor's position. */
  readonly buffered?: (from: Position) => Position;
  /** What the operator tells it. */
  readonly control: Control;
  readonly watch: PumpWatch;
}
/** What the pump tells of itself. */
export interface PumpWatch {
  /** It goes well, with `tries` 0, or the `tries`-th try in a row has failed. */
  trouble(text: string | undefined, tries: number): void;
  /** A batch is about to be sent. */
  begun(selection: Selection): void;
  /** The cursor has moved; `sent` went to the destination in `ms`. */
  advanced(selection: Selection, sent: { readonly bytes: number; readonly ms: number }): void;
  synced(): void;
  /** An order was carried out or refused: the cursor may stand elsewhere than `from`, or be paused. */
  obeyed(from: Position): void;
  /** These were refused for good, and are kept as dead letters. */
  dead(refused: Result["refused"]): void;
  /** So many dead letters were sent again by command, and taken. */
  retaken(count: number): void;
  /** These topics wait while others go on; `left`: messages of theirs that are passed by now. */
  stalled(topics: readonly string[], text: string | undefined, left: readonly Delivery[]): void;
  /** So many are refused and wait, because too many are. */
  held(count: number): void;
  /** These were given up, all or some of them, because too much waits. */
  expired(from: Position, to: Position): void;
  /** There are messages, and nobody is there to send them to. */
  alone(): void;
  /** These were given up because the buffer is full, and nobody is there. */
  overwritten(from: Position, to: Position): void;
  lost(text: string): void;
}

const waitText = "the destination asks to wait";
const syncEveryMs = 1000;
const idleEveryMs = 1000;
/** So often a topic is tried before the others go on without it: about a second. */
const stallTries = 4;
const floorEveryMs = 1000;
/** A destination that asks for more is asked after that. */
const askedMostMs = 300_000;

export class Pump {
  readonly #parts: PumpParts;
  #adaptor: Adaptor | undefined;
  #syncedAt: number;
  readonly #refusals: Refusals;
  #sides: Sides;
  #floor = 0 as Position;
  /** Monotonic; long ago at first. */
  #floorAt = -Infinity;

  constructor(parts: PumpParts) {
    this.#parts = parts;
    this.#refusals = new Refusals(parts.refusedMax);
    this.#syncedAt = parts.world.clock.elapsed();
    this.#sides = this.#newSides(new AbortController().signal);
  }

  /** Until `signal` aborts. Rejects only when our own files fail. */
  async run(signal: AbortSignal): Promise<void> {
    const { cursor, control } = this.#parts;
    try {
      await this.#openLetters(signal);
      while (!signal.aborted) {
        // Not one signal of both: Deno 2.7.14 forgets one that nothing but a listener waits for.
        if (cursor.paused) await Promise.race([aborted(signal), aborted(control.arrived)]);
        else await this.#carry(AbortSignal.any([signal, control.arrived]));
        if (control.arrived.aborted && !signal.aborted) await this.#obey();
      }
    } finally {
      this.#sides.close();
      await this.#letGo();
      cursor.sync();
      this.#parts.watch.synced();
    }
  }

  /** Some may be waiting to be sent again, and a crash may have come between them and the counts. */
  async #openLetters(signal: AbortSignal): Promise<void> {
    const { deadLetters, watch } = this.#parts;
    try {
      await this.#patiently(() => deadLetters.look(), signal);
    } catch (problem) {
      watch.trouble(`Cannot open the dead letters: ${reasonOf(problem)}`, 1);
    }
  }

  /** Delivers from where the cursor stands until `signal` aborts. */
  async #carry(signal: AbortSignal): Promise<void> {
    const { reader, cursor } = this.#parts;
    reader.seek(cursor.ahead);
    const replay = this.#replayUntil(signal);
    this.#sides.close();
    this.#sides = this.#newSides(signal);
    while (!signal.aborted) {
      if (replay.isDue) await this.#sendAgain(replay);
      if (this.#sidesAreDue()) await this.#workSides();
      if (signal.aborted) return;
      await this.#attend(signal);
      const items = await this.#patiently(() => this.#next(), signal);
      if (items === undefined) return;
      if (items.length === 0) {
        if (!replay.isDue) await this.#rest(signal);
        continue;
      }
      const selection = this.#select(items);
      await this.#deliver(selection, signal);
      await this.#gather(selection, signal);
    }
  }

  /** Of topics that wait nothing overtakes what waits. */
  #select(items: ReturnType<LogReader["next"]>): Selection {
    const { cursor, selector } = this.#parts;
    const selection = select(items, { from: cursor.ahead }, selector);
    if (cursor.sides.size === 0) return selection;
    return { ...selection, batch: selection.batch.filter(({ message }) => !this.#sides.has(message.topic)) };
  }

  #newSides(signal: AbortSignal): Sides {
    const { deadLetters, cursor, watch } = this.#parts;
    const tell = (text: string) => watch.stalled([...cursor.sides.keys()], text, []);
    return new Sides({
      ...this.#parts,
      isDead: (position) => deadLetters.found()?.has(position) ?? false,
      send: (batch, tries) => this.#trySend(batch, tries, { signal, tell }),
    });
  }

  #sidesAreDue(): boolean {
    return this.#sides.dueAt <= this.#parts.world.clock.elapsed();
  }

  async #workSides(): Promise<void> {
    const { cursor, watch, control, world } = this.#parts;
    try {
      await this.#sides.step();
      watch.stalled([...cursor.sides.keys()], undefined, []);
    } catch (problem) {
      if (!isTransient(problem) && !(problem instanceof DiskFails)) throw problem;
      watch.trouble(reasonOf(problem), 1);
      await this.#pause(1, control.arrived);
    }
    if (world.clock.elapsed() - this.#syncedAt >= syncEveryMs) this.#sync();
  }

  #replayUntil(signal: AbortSignal): Replay {
    const { deadLetters } = this.#parts;
    const send = async (batch: readonly Delivery[], tries: number) => {
      const tell = (text: string) => this.#parts.watch.trouble(text, tries + 1);
      const result = await this.#ask(batch, { signal, tell });
      if (result?.again.length === 0) this.#parts.watch.trouble(undefined, 0);
      else if (result) this.#parts.watch.trouble(result.trouble ?? waitText, tries + 1);
      return result;
    };
    return new Replay({ ...this.#parts, letters: () => deadLetters.found(), send });
  }

  /** The cursor first: what it would forget in a crash comes again anyway. */
  async #sendAgain(replay: Replay): Promise<void> {
    const { cursor, watch } = this.#parts;
    if (!cursor.synced) this.#sync();
    try {
      if (cursor.synced) watch.retaken(await replay.step());
    } catch (problem) {
      watch.trouble(reasonOf(problem), 1);
      await this.#pause(1, this.#parts.control.arrived);
    }
  }

  /** Where others come to us: opens early, and waits until somebody is there when there is something to send. */
  async #attend(signal: AbortSignal): Promise<void> {
    const { world, watch, listens, cursor, mark } = this.#parts;
    let [tries, alone] = [0, false];
    while (listens && !signal.aborted) {
      const moment = deadlineAfter(world.clock, floorEveryMs, signal);
      try {
        this.#adaptor ??= await this.#parts.open(signal);
        const waits = mark.position > cursor.position;
        if (tries > 0 && !alone) watch.trouble(undefined, 0);
        tries = 0;
        if (!waits || this.#adaptor.ready === undefined) return;
        await this.#adaptor.ready(moment.signal);
        if (!moment.signal.aborted || signal.aborted) return;
        watch.alone();
        alone = true;
      } catch (problem) {
        await this.#letGo();
        if (!signal.aborted) watch.trouble(reasonOf(problem), tries + 1);
        await world.clock.sleep(pauseAfter(tries++, world.random), signal);
      } finally {
        moment.clear();
      }
      await this.#patiently(() => this.#overwrite(), signal);
      if (world.clock.elapsed() - this.#syncedAt >= syncEveryMs) this.#sync();
    }
  }

  /** Nobody is there: what does not fit into the buffer, or waits for too long, is given up, the oldest first. */
  #overwrite(): true {
    this.#expire();
    const { buffered, cursor, mark, reader, watch } = this.#parts;
    const from = cursor.position;
    const to = buffered === undefined ? from : Math.min(buffered(from), mark.position) as Position;
    if (from >= to) return true;
    cursor.advance(to, { overwritten: to - from });
    reader.seek(cursor.ahead);
    watch.overwritten(from, to);
    return true;
  }

  #next(): ReturnType<LogReader["next"]> {
    this.#expire();
    return this.#parts.reader.next(this.#parts.limit);
  }

  #expire(): void {
    const { reader, cursor, watch } = this.#parts;
    const [from, to] = [cursor.position, this.#floorNow()];
    if (from >= to) return;
    cursor.advance(to, { expired: to - from });
    this.#sides.forget();
    reader.seek(cursor.ahead);
    watch.expired(from, to);
  }

  /** What is before it expires. Looked for now and then only. */
  #floorNow(): Position {
    const { floor, mark, world } = this.#parts;
    const now = world.clock.elapsed();
    if (floor === undefined || now - this.#floorAt < floorEveryMs) return this.#floor;
    this.#floorAt = now;
    return this.#floor = Math.min(floor(), mark.position) as Position;
  }

  /** What our own files give. Where the system lacks handles or memory it is asked again; undefined when told to stop meanwhile. */
  async #patiently<T>(ask: () => T, signal: AbortSignal): Promise<T | undefined> {
    const { world, watch } = this.#parts;
    for (let tries = 0; !signal.aborted; tries++) {
      try {
        const given = ask();
        if (tries > 0) watch.trouble(undefined, 0);
        return given;
      } catch (problem) {
        if (!isTransient(problem) && !(problem instanceof DiskFails)) throw problem;
        watch.trouble(reasonOf(problem), tries + 1);
        await world.clock.sleep(pauseAfter(tries, world.random), signal);
      }
    }
    return undefined;
  }

  /** The adaptor goes first: what it knows of our position may be true no more. */
  async #obey(): Promise<void> {
    const { cursor, control, watch } = this.#parts;
    await this.#letGo();
    const from = cursor.position;
    control.obey(cursor);
    watch.stalled([...cursor.sides.keys()], undefined, []);
    watch.obeyed(from);
  }

  /** A destination that keeps up gets larger batches less often: many small ones would take the disk and the cores from intake. */
  async #gather(selection: Selection, signal: AbortSignal): Promise<void> {
    const { world, limit, lingerMs } = this.#parts;
    const full = selection.count >= limit.count / 2 || selection.bytes >= limit.bytes / 2;
    if (!full) return await world.clock.sleep(lingerMs(), signal);
    // An adaptor that never has to wait would keep the thread from hearing that it should stop.
    await new Promise<void>((resolve) => world.clock.turn(resolve));
  }

  async #deliver(selection: Selection, signal: AbortSignal): Promise<void> {
    const { cursor, watch, world } = this.#parts;
    const begin = world.clock.elapsed();
    watch.begun(selection);
    for (const text of selection.lost) watch.lost(text);
    const settled = await this.#sendAll(selection, signal);
    if (settled === undefined) return;
    const { dead, expired, behind } = settled;
    if (expired > 0) watch.expired(cursor.position, selection.end);
    const verdicts: Partial<Record<Verdict, number>> = {
      ...selection.verdicts,
      taken: selection.batch.length - dead - expired,
      dead,
      expired: selection.verdicts.expired + expired,
    };
    // Who is ahead of a topic is counted when that one is past it, too.
    if (behind.size === 0 && cursor.ahead === cursor.position) cursor.advance(selection.end, verdicts);
    else cursor.goAhead(selection.end, new Map([...cursor.sides, ...behind]));
    watch.advanced(selection, { bytes: selection.bodyBytes, ms: world.clock.elapsed() - begin });
    if (world.clock.elapsed() - this.#syncedAt >= syncEveryMs) this.#sync();
  }

  /** Sends until every message has a verdict; how many were not taken, or undefined when we were told to stop. */
  async #sendAll({ batch, end }: Selection, signal: AbortSignal): Promise<Settled | undefined> {
    const { watch } = this.#parts;
    const behind = new Map<string, Position>();
    let left = batch;
    let dead = 0;
    for (let tries = 0; left.length > 0;) {
      const result = await this.#trySend(left, tries, { signal, tell: (text) => watch.trouble(text, tries + 1) });
      if (signal.aborted && (result === undefined || result.again.length > 0)) return undefined;
      if (result !== undefined) {
        dead += result.refused.length;
        // Progress: what is asked for again starts with short pauses again.
        if (result.again.length < left.length) tries = 0;
        left = tries < stallTries ? result.again : this.#leaveBehind(result, behind);
        if (left.length === 0) break;
      }
      await this.#pause(tries++, signal, result?.waitMs);
      if (signal.aborted) return undefined;
      if (await this.#patiently(() => this.#floorNow() >= end, signal)) {
        return { dead, expired: left.length, behind };
      }
    }
    watch.trouble(undefined, 0);
    return { dead, expired: 0, behind };
  }

  /** What cannot go on waits beside the others, if there is room; what is left of the batch. */
  #leaveBehind({ again, stalled = [], trouble }: Result, behind: Map<string, Position>): readonly Delivery[] {
    const { cursor, watch } = this.#parts;
    const topics = new Set(behind.keys());
    for (const topic of stalled) if (this.#sides.holds([...topics, topic])) topics.add(topic);
    if (topics.size === behind.size) return again;
    const waits = again.filter(({ message }) => topics.has(message.topic));
    for (const { message, position } of waits) if (!behind.has(message.topic)) behind.set(message.topic, position);
    watch.stalled([...cursor.sides.keys(), ...topics], trouble, waits);
    return again.filter(({ message }) => !topics.has(message.topic));
  }

  /** One try; undefined when nothing is certain. */
  async #trySend(batch: readonly Delivery[], tries: number, { signal, tell }: Trying): Promise<Result | undefined> {
    const { cursor, deadLetters, watch } = this.#parts;
    const answer = await this.#ask(batch, { signal, tell });
    if (answer === undefined) return undefined;
    try {
      const result = this.#judged(batch, answer);
      if (result.refused.length > 0) {
        await deadLetters.open().keep(result.refused, tries + 1, cursor.generation);
        watch.dead(result.refused);
      }
      await this.#forgetLetters(batch, result);
      if (result.again.length > 0) tell(result.trouble ?? waitText);
      return result;
    } catch (problem) {
      await this.#letGo();
      if (!signal.aborted) tell(reasonOf(problem));
      return undefined;
    }
  }

  /** What the destination says to a batch; undefined when nothing is certain. */
  async #ask(batch: readonly Delivery[], { signal, tell }: Trying): Promise<Result | undefined> {
    const { world, deadlineMs } = this.#parts;
    const deadline = deadlineAfter(world.clock, deadlineMs, signal);
    try {
      const adaptor = await this.#opened(deadline);
      return await adaptor.send(batch, deadline.signal);
    } catch (problem) {
      await this.#letGo();
      if (!signal.aborted) tell(reasonOf(problem));
      return undefined;
    } finally {
      deadline.clear();
    }
  }

  /** A message is taken of which there is a letter: set aside before a crash or a rewind, when the destination was of another mind. */
  async #forgetLetters(batch: readonly Delivery[], { refused, again }: Result): Promise<void> {
    const letters = this.#parts.deadLetters.found();
    if (letters === undefined || letters.count === 0) return;
    const there = batch.filter(({ position }) => letters.has(position));
    if (there.length === 0) return;
    const others = new Set([...again, ...refused.map(({ delivery }) => delivery)]);
    await letters.forget(there.filter((delivery) => !others.has(delivery)).map(({ position }) => position));
  }

  /** Refusals are about the messages as long as they are few; else they are trouble, and nothing becomes a dead letter. */
  #judged(batch: readonly Delivery[], result: Result): Result {
    const { watch, refusedMax } = this.#parts;
    const again = new Set(result.again);
    if (result.refused.length === 0) {
      this.#refusals.pass(batch.length - again.size);
      watch.held(0);
      return result;
    }
    const refused = new Set(result.refused.map(({ delivery }) => delivery));
    const decided = batch.filter((delivery) => !again.has(delivery));
    const few = this.#refusals.take(decided.map((delivery) => refused.has(delivery)));
    watch.held(few ? 0 : refused.size);
    if (few) return result;
    const reason = result.refused[0]!.reason;
    return {
      refused: [],
      again: batch.filter((delivery) => refused.has(delivery) || again.has(delivery)),
      trouble: `it refuses more than ${refusedMax} of 100 messages, so they wait (refused_max, skip): ${reason}`,
    };
  }

  async #opened(deadline: Deadline): Promise<Adaptor> {
    this.#adaptor ??= await this.#parts.open(deadline.signal);
    await this.#adaptor.ready?.(deadline.signal);
    return this.#adaptor;
  }

  async #letGo(): Promise<void> {
    const adaptor = this.#adaptor;
    this.#adaptor = undefined;
    await adaptor?.close().catch(() => {});
  }

  #pause(tries: number, signal: AbortSignal, askedMs = 0): Promise<void> {
    const { world } = this.#parts;
    if (!this.#parts.cursor.synced) this.#sync();
    const ms = Math.max(pauseAfter(tries, world.random), Math.min(askedMs, askedMostMs));
    return world.clock.sleep(ms, signal);
  }

  /** Caught up: waits for more, and meanwhile makes the cursor durable and lets the adaptor do what falls due. */
  async #rest(signal: AbortSignal): Promise<void> {
    const { mark, cursor, world } = this.#parts;
    const needsSync = !cursor.synced;
    const dueMs = this.#sides.dueAt - world.clock.elapsed();
    // Where there are letters somebody may ask for them.
    const looks = this.#adaptor?.idle !== undefined || this.#parts.deadLetters.found() !== undefined;
    if (!needsSync && !looks && dueMs === Infinity) return await mark.above(cursor.ahead, signal);
    const deadline = deadlineAfter(world.clock, Math.max(0, Math.min(idleEveryMs, dueMs)), signal);
    await mark.above(cursor.ahead, deadline.signal);
    const timeIsUp = deadline.signal.aborted;
    deadline.clear();
    if (!timeIsUp || signal.aborted) return;
    if (needsSync) this.#sync();
    await this.#adaptor?.idle?.().catch((problem) => this.#parts.watch.trouble(reasonOf(problem), 1));
  }

  /** Now, or when the system can again: until then a crash would bring copies. */
  #sync(): void {
    const { cursor, world, watch } = this.#parts;
    this.#syncedAt = world.clock.elapsed();
    try {
      cursor.sync();
      watch.synced();
    } catch (problem) {
      if (!isTransient(problem)) throw problem;
      watch.trouble(reasonOf(problem), 1);
    }
  }
}

/** What became of a batch whose other messages were taken. */
interface Settled {
  readonly dead: number;
  readonly expired: number;
  /** Topics that have to wait, and where they begin to. */
  readonly behind: ReadonlyMap<string, Position>;
}
interface Trying {
  readonly signal: AbortSignal;
  /** What went wrong. */
  readonly tell: (text: string) => void;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function reasonOf(problem: unknown): string {
  return problem instanceof Error ? problem.message : String(problem);
}
