/** Carries the log to one destination: in order, at least once, for ever. When to try what, and what is counted when, is here, once. */
import { type Cursor, DiskFails, type LogReader, type Position, type Verdict, type Watermark } from "../log/mod.ts";
import { isTransient, type World } from "../os/world.ts";
import type { Adaptor, Delivery, Result } from "./adaptor.ts";
import { Attendance, type AttendanceWatch } from "./attendance.ts";
import { pauseAfter } from "./backoff.ts";
import type { Control } from "./control.ts";
import { deadlineAfter } from "./deadline.ts";
import type { Letterbox } from "./letterbox.ts";
import { bytesOf, type Limit, Pace } from "./pace.ts";
import { passOver } from "./pass_over.ts";
import { Replay } from "./replay.ts";
import { select, type Selection, type Selector } from "./select.ts";
import { reasonOf, Sender, type SenderWatch, waitText } from "./sender.ts";
import { Sides } from "./sides.ts";
import { UnderWay } from "./under_way.ts";

export interface PumpParts {
  readonly world: World;
  readonly reader: LogReader;
  /** Another one on the same log, for topics that have to be left behind. */
  readonly openReader: () => LogReader;
  readonly cursor: Cursor;
  readonly mark: Watermark;
  readonly selector: Selector;
  /** Of one batch, and of a second: there 0 is no cap. */
  readonly limit: Limit;
  readonly rate: Limit;
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
  /** How much of the log is read at once to count what is passed over. */
  readonly slice?: Limit;
  /** What the operator tells it. */
  readonly control: Control;
  readonly watch: PumpWatch;
}
/** What the pump tells of itself. */
export interface PumpWatch extends SenderWatch, AttendanceWatch {
  /** Messages were read, and are about to be sent, unless this throws: then the pump ends. */
  begun(selection: Selection): void;
  /** The cursor has moved; `sent` went to the destination in `ms`. */
  advanced(sent: { readonly bytes: number; readonly ms: number }): void;
  synced(): void;
  /** An order was carried out or refused: the cursor may stand elsewhere than `from`, or be paused. */
  obeyed(from: Position): void;
  /** So many dead letters were sent again by command, and taken. */
  retaken(count: number): void;
  /** These topics wait while others go on; `left`: messages of theirs that are passed by now. */
  stalled(topics: readonly string[], text: string | undefined, left: readonly Delivery[]): void;
  /** These were given up, all or some of them, because too much waits. */
  expired(from: Position, to: Position): void;
  /** These were given up because the buffer is full, and nobody is there. */
  overwritten(from: Position, to: Position): void;
  lost(text: string): void;
}

const syncEveryMs = 1000;
const idleEveryMs = 1000;
/** So often a topic is tried before the others go on without it: about a second. */
const stallTries = 4;
const floorEveryMs = 1000;
/** A destination that asks for more is asked after that. */
const askedMostMs = 300_000;

export class Pump {
  readonly #parts: PumpParts;
  readonly #pace: Pace;
  readonly #sender: Sender;
  readonly #attendance: Attendance | undefined;
  #sides: Sides;
  /** What was read and is not delivered yet. */
  #underWay: UnderWay | undefined;
  #syncedAt: number;
  #floor = 0 as Position;
  /** Monotonic; long ago at first. */
  #floorAt = -Infinity;

  constructor(parts: PumpParts) {
    this.#parts = parts;
    this.#pace = new Pace({ ...parts, clock: parts.world.clock });
    const sender = this.#sender = new Sender({ ...parts, pace: this.#pace });
    const meanwhile = (signal: AbortSignal) => this.#aloneFor(signal);
    this.#attendance = parts.listens ? new Attendance({ ...parts, sender, meanwhile }) : undefined;
    this.#syncedAt = parts.world.clock.elapsed();
    this.#sides = this.#newSides(new AbortController().signal);
  }

  /** Until `signal` aborts. Rejects only when our own files fail, or with what `watch.begun` throws. */
  async run(signal: AbortSignal): Promise<void> {
    const { cursor, control, watch } = this.#parts;
    try {
      await this.#openLetters(signal);
      while (!signal.aborted) {
        // Not one signal of both: Deno 2.7.14 forgets one that nothing but a listener waits for.
        if (cursor.paused) await Promise.race([aborted(signal), aborted(control.arrived)]);
        else await this.#carry(AbortSignal.any([signal, control.arrived]));
        // An order that came just before the stop, too: who gave it waits for an answer.
        if (control.arrived.aborted) await this.#obey(signal);
      }
    } finally {
      this.#sides.close();
      await this.#sender.letGo();
      cursor.sync();
      watch.synced();
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
    this.#goOnFromCursor();
    const replay = this.#replayUntil(signal);
    this.#sides.close();
    this.#sides = this.#newSides(signal);
    while (!signal.aborted) {
      if (replay.isDue) await this.#sendAgain(replay);
      if (this.#sidesAreDue()) await this.#workSides();
      if (signal.aborted) return;
      await this.#attendance?.wait(signal);
      await this.#patiently(() => this.#expire(signal), signal);
      const next = await this.#patiently(() => this.#next(), signal);
      if (next === undefined) return;
      if (next === "nothing") {
        if (!replay.isDue) await this.#rest(signal);
        continue;
      }
      await this.#deliver(next, signal);
      if (this.#parts.cursor.ahead < next.selection.end) continue;
      this.#underWay = undefined;
      await this.#gather(next.selection, signal);
    }
  }

  /** What is under way, else what comes next in the log. */
  #next(): UnderWay | "nothing" {
    const { reader, cursor, selector, watch } = this.#parts;
    if (this.#underWay) return this.#underWay;
    const items = reader.next(this.#pace.limit);
    if (items.length === 0) return "nothing";
    const selection = select(items, { from: cursor.ahead }, selector);
    watch.begun(selection);
    for (const text of selection.lost) watch.lost(text);
    return this.#underWay = new UnderWay(selection);
  }

  /** What was read may not be next any more. */
  #goOnFromCursor(): void {
    const { reader, cursor } = this.#parts;
    this.#underWay = undefined;
    reader.seek(cursor.ahead);
  }

  #newSides(signal: AbortSignal): Sides {
    const { cursor, watch } = this.#parts;
    const tell = (text: string) => watch.stalled([...cursor.sides.keys()], text, []);
    return new Sides({
      ...this.#parts,
      pace: this.#pace,
      lost: (text) => watch.lost(text),
      send: (batch, tries) => this.#sender.send(batch, tries, { signal, tell }),
    });
  }

  #sidesAreDue(): boolean {
    return this.#sides.dueAt <= this.#parts.world.clock.elapsed();
  }

  async #workSides(): Promise<void> {
    const { cursor, watch, control } = this.#parts;
    try {
      await this.#sides.step();
      watch.stalled([...cursor.sides.keys()], undefined, []);
    } catch (problem) {
      if (!isTransient(problem) && !(problem instanceof DiskFails)) throw problem;
      watch.trouble(reasonOf(problem), 1);
      await this.#pause(1, control.arrived);
    }
    this.#syncNowAndThen();
  }

  #replayUntil(signal: AbortSignal): Replay {
    const { deadLetters, watch } = this.#parts;
    const send = async (batch: readonly Delivery[], tries: number) => {
      const tell = (text: string) => watch.trouble(text, tries + 1);
      const result = await this.#sender.ask(batch, { signal, tell });
      if (result?.again.length === 0) watch.trouble(undefined, 0);
      else if (result) watch.trouble(result.trouble ?? waitText, tries + 1);
      return result;
    };
    return new Replay({ ...this.#parts, pace: this.#pace, letters: () => deadLetters.found(), send });
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

  /** While nobody is there to send to: what does not fit into the buffer, or waits for too long, is given up. */
  async #aloneFor(signal: AbortSignal): Promise<void> {
    await this.#patiently(() => this.#expire(signal), signal);
    await this.#patiently(() => this.#giveUp("overwritten", this.#attendance!.overwrittenTo, signal), signal);
    this.#syncNowAndThen();
  }

  #expire(signal: AbortSignal): Promise<void> {
    return this.#giveUp("expired", this.#floorNow(), signal);
  }

  /** All of it, or nothing when `signal` aborts meanwhile: then it is begun anew, should it still have to be. */
  async #giveUp(verdict: "expired" | "overwritten", to: Position, signal: AbortSignal): Promise<void> {
    const { world: { clock }, cursor, openReader, slice, watch } = this.#parts;
    const from = cursor.position;
    if (from >= to) return;
    const passed = await passOver(cursor, { to, verdict, clock, openReader, slice, signal });
    if (passed === undefined) return;
    this.#sides.forget();
    this.#goOnFromCursor();
    watch[verdict](from, to);
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
  async #patiently<T>(ask: () => T | Promise<T>, signal: AbortSignal): Promise<T | undefined> {
    const { world, watch } = this.#parts;
    for (let tries = 0; !signal.aborted; tries++) {
      try {
        const given = await ask();
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
  async #obey(signal: AbortSignal): Promise<void> {
    const { cursor, control, slice, watch } = this.#parts;
    await this.#sender.letGo();
    const from = cursor.position;
    await control.obey(cursor, { signal, slice, paused: () => watch.obeyed(cursor.position) });
    watch.stalled([...cursor.sides.keys()], undefined, []);
    watch.obeyed(from);
  }

  /** A destination that keeps up gets larger batches less often: many small ones would take the disk and the cores from intake. */
  async #gather(selection: Selection, signal: AbortSignal): Promise<void> {
    const { world, lingerMs } = this.#parts;
    const { count, bytes } = this.#pace.limit;
    const full = selection.count >= count / 2 || selection.bytes >= bytes / 2;
    if (!full) return await world.clock.sleep(lingerMs(), signal);
    // An adaptor that never has to wait would keep the thread from hearing that it should stop.
    await new Promise<void>((resolve) => world.clock.turn(resolve));
  }

  /** As much of it as may go at once; then the cursor moves. */
  async #deliver(underWay: UnderWay, signal: AbortSignal): Promise<void> {
    const { cursor, watch, world } = this.#parts;
    const begin = world.clock.elapsed();
    const all = underWay.left(cursor.sides.size > 0 ? (topic) => cursor.sides.has(topic) : undefined);
    const part = this.#pace.cut(all);
    const next = all[part.length]?.position ?? underWay.selection.end;
    const fate = await this.#sendAll(part, next, signal);
    this.#settle(underWay, fate.left[0]?.position ?? next, fate);
    const { batch, bodyBytes } = underWay.selection;
    const bytes = part === batch ? bodyBytes : bytesOf(part);
    watch.advanced({ bytes, ms: world.clock.elapsed() - begin });
    this.#syncNowAndThen();
  }

  /** Everything before `to` is decided. Who is ahead of topics that wait is counted; they are not. */
  #settle(underWay: UnderWay, to: Position, { fates, behind }: Fate): void {
    const { cursor } = this.#parts;
    if (to <= cursor.ahead) return;
    const waits = (topic: string, position: Position) =>
      cursor.sides.has(topic) || position >= (behind.get(topic) ?? Infinity);
    const none = cursor.sides.size === 0 && behind.size === 0;
    const tally = underWay.tally({ to, waits: none ? undefined : waits, fates });
    const sides = new Map(cursor.sides);
    for (const [topic, side] of tally.waits) {
      const before = sides.get(topic);
      sides.set(topic, { from: before?.from ?? side.from, waits: (before?.waits ?? 0) + side.waits });
    }
    cursor.settle(to, sides, tally.counts);
  }

  /** Sends until every message up to `to` has a verdict, or until told to stop. */
  async #sendAll(part: readonly Delivery[], to: Position, signal: AbortSignal): Promise<Fate> {
    const { cursor, watch } = this.#parts;
    const behind = new Map<string, Position>();
    const fates = new Map<Delivery, Verdict>();
    let left = part;
    for (let tries = 0; left.length > 0;) {
      const now = this.#pace.cut(left);
      const tell = (text: string) => watch.trouble(text, tries + 1);
      const result = await this.#sender.send(now, tries, { signal, tell });
      if (result !== undefined) {
        for (const { delivery } of result.refused) fates.set(delivery, "dead");
        // Progress: what is asked for again starts with short pauses again.
        if (result.again.length < now.length) tries = 0;
        if (tries >= stallTries) this.#leaveBehind(result, behind);
        left = [...result.again, ...left.slice(now.length)];
        if (behind.size > 0) left = left.filter(({ message }) => !behind.has(message.topic));
        if (left.length === 0) break;
      }
      if (signal.aborted) return { left, fates, behind };
      if (result?.again.length === 0) continue;
      await this.#pause(tries++, signal, result?.waitMs);
      if (signal.aborted) return { left, fates, behind };
      if (!await this.#patiently(() => this.#floorNow() >= to, signal)) continue;
      for (const delivery of left) fates.set(delivery, "expired");
      watch.expired(cursor.position, to);
      return { left: [], fates, behind };
    }
    watch.trouble(undefined, 0);
    return { left: [], fates, behind };
  }

  /** What cannot go on waits beside the others, if there is room. */
  #leaveBehind({ again, stalled = [], trouble }: Result, behind: Map<string, Position>): void {
    const { cursor, watch } = this.#parts;
    const topics = new Set(behind.keys());
    for (const topic of stalled) if (this.#sides.holds([...topics, topic])) topics.add(topic);
    if (topics.size === behind.size) return;
    const waits = again.filter(({ message }) => topics.has(message.topic));
    for (const { message, position } of waits) if (!behind.has(message.topic)) behind.set(message.topic, position);
    watch.stalled([...cursor.sides.keys(), ...topics], trouble, waits);
  }

  #pause(tries: number, signal: AbortSignal, askedMs = 0): Promise<void> {
    const { world } = this.#parts;
    if (!this.#parts.cursor.synced) this.#sync();
    const ms = Math.max(pauseAfter(tries, world.random), Math.min(askedMs, askedMostMs));
    return world.clock.sleep(ms, signal);
  }

  /** Caught up: waits for more, and meanwhile makes the cursor durable and lets the adaptor do what falls due. */
  async #rest(signal: AbortSignal): Promise<void> {
    const { mark, cursor, world, watch, deadLetters } = this.#parts;
    watch.capped(0);
    const needsSync = !cursor.synced;
    const dueMs = this.#sides.dueAt - world.clock.elapsed();
    // Where there are letters somebody may ask for them.
    const looks = this.#sender.adaptor?.idle !== undefined || deadLetters.found() !== undefined;
    if (!needsSync && !looks && dueMs === Infinity) return await mark.above(cursor.ahead, signal);
    const deadline = deadlineAfter(world.clock, Math.max(0, Math.min(idleEveryMs, dueMs)), signal);
    await mark.above(cursor.ahead, deadline.signal);
    const timeIsUp = deadline.signal.aborted;
    deadline.clear();
    if (!timeIsUp || signal.aborted) return;
    if (needsSync) this.#sync();
    await this.#sender.adaptor?.idle?.().catch((problem) => watch.trouble(reasonOf(problem), 1));
  }

  #syncNowAndThen(): void {
    if (this.#parts.world.clock.elapsed() - this.#syncedAt >= syncEveryMs) this.#sync();
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

/** What became of messages that were sent. */
interface Fate {
  /** In order, when we were told to stop: nothing is certain of these. */
  readonly left: readonly Delivery[];
  /** Verdicts, other than taken. */
  readonly fates: ReadonlyMap<Delivery, Verdict>;
  /** Topics that have to wait, and where they begin to. */
  readonly behind: ReadonlyMap<string, Position>;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
