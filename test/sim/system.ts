/**
 * A whole node in a simulated world: clients that offer messages, the log, two destinations behind their pumps, retention; and
 * a model that knows what was promised. The real core code runs; only files, time, chance and the destinations are simulated.
 */
import {
  Budget,
  claimDirectory,
  destinationKey,
  freeBefore,
  keepSpares,
  LocalWatermark,
  LogFull,
  LogStopped,
  openCursor,
  peekMark,
  type Position,
  SegmentReader,
  SegmentWriter,
  Tail,
  Timeline,
} from "../../src/log/mod.ts";
import type { Adaptor, Delivery, Result } from "../../src/deliver/adaptor.ts";
import { Control, type Order } from "../../src/deliver/control.ts";
import { DeadLetters } from "../../src/deliver/dead_letters.ts";
import type { DeadLetter } from "../../src/deliver/letter.ts";
import { Letterbox } from "../../src/deliver/letterbox.ts";
import { Pump, type PumpParts } from "../../src/deliver/pump.ts";
import { sampleOf } from "../../src/message/sample.ts";
import type { Message } from "../../src/message/message.ts";
import { encodeEntry } from "../../src/message/wire.ts";
import type { World } from "../../src/os/world.ts";
import type { SimWorld } from "./world.ts";

export const dir = "data";

/** What the outside saw: the oracle's side of the story. Survives every crash. */
export class Model {
  readonly offered = new Map<string, string>();
  readonly accepted = new Set<string>();
  /** Their sender was told that nothing of them was kept. */
  readonly refused = new Set<string>();
  readonly destinations = new Map<string, Received>();
  /** Order in which each client's messages were accepted, by client. */
  readonly order = new Map<number, string[]>();
  violations: string[] = [];

  received(name: string): Received {
    if (!this.destinations.has(name)) this.destinations.set(name, new Received(name, this));
    return this.destinations.get(name)!;
  }
  violate(text: string): void {
    if (this.violations.length < 5) this.violations.push(text);
  }
}

/** One destination's store: what it took is safe with it. */
export class Received {
  readonly first: string[] = [];
  readonly seen = new Set<string>();
  copies = 0;
  /** Their dead letters an operator threw away. */
  readonly purged = new Set<string>();
  /** Refused at least once: who is of another mind later takes them after what is later. */
  readonly refused = new Set<string>();
  readonly #name: string;
  readonly #model: Model;
  #cap: number | undefined;
  #sent: { readonly at: number; readonly count: number }[] = [];
  readonly #ids = new Map<string, string>();
  readonly #positions = new Map<number, string>();
  #passed: { readonly from: number; readonly to: number }[] = [];

  constructor(name: string, model: Model) {
    this.#name = name;
    this.#model = model;
  }
  /** From now on, in a life that knows nothing of the one before. */
  limit(cap: number | undefined): void {
    this.#cap = cap;
    this.#sent = [];
  }
  /** So many were sent to it, taken or not. */
  note(count: number, now: number): void {
    if (this.#cap === undefined) return;
    this.#sent = [...this.#sent.filter(({ at }) => at > now - 1000), { at: now, count }];
    const sum = this.#sent.reduce((total, { count }) => total + count, 0);
    // What was not used lately, and the part that ends the second.
    if (sum > this.#cap * 1.25 + 1) this.#model.violate(`M4 ${this.#name} was sent ${sum} messages within a second`);
  }
  /** What waited too long was not sent; an operator who rewinds may still get it, after what is later. */
  pass(from: number, to: number): void {
    this.#passed.push({ from, to });
  }
  get passed(): ReadonlySet<string> {
    const isPassed = (position: number) => this.#passed.some(({ from, to }) => from <= position && position < to);
    return new Set([...this.#positions].filter(([position]) => isPassed(position)).map(([, key]) => key));
  }
  take({ id, position, message, body }: Delivery): void {
    const key = message.key!;
    if ((this.#ids.get(id) ?? key) !== key) this.#model.violate(`P7 ${this.#name} got two messages with id ${id}`);
    if ((this.#positions.get(position) ?? key) !== key) {
      this.#model.violate(
        `P5 ${this.#name} got ${key} at ${position}, where ${this.#positions.get(position)} had been`,
      );
    }
    this.#ids.set(id, key);
    this.#positions.set(position, key);
    const data = new TextDecoder().decode(body);
    if (this.#model.offered.get(key) !== data) {
      this.#model.violate(`P3 ${this.#name} got ${key} as ${data.slice(0, 40)}`);
    }
    if (this.#model.refused.has(key)) this.#model.violate(`P4 ${this.#name} got ${key}, which was refused`);
    if (this.seen.has(key)) this.copies++;
    else this.first.push(key);
    this.seen.add(key);
  }
}

/** How the destinations behave, by chance. */
export interface Weather {
  /** Chance that a send breaks off after part of the batch was taken. */
  readonly breaks: number;
  /** Chance that the destination asks to wait with part of the batch. */
  readonly waits: number;
  /** Every message whose key ends in this digit is refused for good; "" for none. */
  readonly poison: string;
  /** Chance that it takes a message now that it refused before. */
  readonly relents: number;
  /** Until then, monotonic, every message is refused for good: the destination itself is wrong. */
  readonly wrongUntil: number;
  /** Chance that a send is more than the destination bears: it takes nothing of it. */
  readonly throttles: number;
  /** Topics that the destination cannot take in these times, monotonic, while it takes others. */
  readonly stalls: readonly { readonly topic: string; readonly from: number; readonly to: number }[];
}
/** Times, monotonic, in which nobody is there to send to. */
export type Absences = readonly { readonly from: number; readonly to: number }[];

const lookMs = 50;

export class FakeDestination implements Adaptor {
  readonly #world: World;
  readonly #received: Received;
  readonly #weather: Weather;

  constructor(world: World, received: Received, weather: Weather) {
    this.#world = world;
    this.#received = received;
    this.#weather = weather;
  }
  async send(batch: readonly Delivery[], signal: AbortSignal): Promise<Result> {
    const { breaks, waits, poison, relents, wrongUntil, throttles } = this.#weather;
    this.#received.note(batch.length, this.#world.clock.elapsed());
    const stalled = new Set(this.#stalledNow());
    await this.#world.clock.sleep(this.#world.random() * 20, signal);
    if (signal.aborted) throw new Error("aborted");
    // Asked for nothing where there is no such chance: the stories of the other seeds stay what they were.
    if (throttles > 0 && this.#world.random() < throttles) return { refused: [], again: batch, throttled: true };
    const wrong = this.#world.clock.elapsed() < wrongUntil;
    const relenting = new Set(relents > 0 ? batch.filter(() => this.#world.random() < relents) : []);
    const bad = (delivery: Delivery) =>
      wrong || (poison !== "" && delivery.message.key!.endsWith(poison) && !relenting.has(delivery));
    if (relents > 0) { for (const { message } of batch.filter(bad)) this.#received.refused.add(message.key!); }
    const cut = Math.floor(this.#world.random() * batch.length);
    const whim = this.#world.random();
    const upTo = whim < breaks + waits ? cut : batch.length;
    const waiting = batch.slice(0, upTo).filter(({ message }) => stalled.has(message.topic));
    const decided = batch.slice(0, upTo).filter(({ message }) => !stalled.has(message.topic));
    for (const delivery of decided) if (!bad(delivery)) this.#received.take(delivery);
    if (whim < breaks) throw new Error("connection lost");
    const refused = decided.filter(bad).map((delivery) => ({ delivery, reason: "poison" }));
    const again = [...waiting, ...batch.slice(upTo)];
    return { refused, again, ...(waiting.length > 0 && { stalled: [...stalled] }) };
  }
  #stalledNow(): string[] {
    const now = this.#world.clock.elapsed();
    return this.#weather.stalls.filter(({ from, to }) => from <= now && now < to).map(({ topic }) => topic);
  }
  async close(): Promise<void> {}
}

/** One that others come to, or not. */
class AttendedDestination extends FakeDestination {
  readonly #clock: World["clock"];
  readonly #absences: Absences;

  constructor(world: World, received: Received, { weather, absences }: { weather: Weather; absences: Absences }) {
    super(world, received, weather);
    this.#clock = world.clock;
    this.#absences = absences;
  }
  async ready(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.#isAlone()) await this.#clock.sleep(lookMs, signal);
  }
  #isAlone(): boolean {
    const now = this.#clock.elapsed();
    return this.#absences.some(({ from, to }) => from <= now && now < to);
  }
}

export interface Setup {
  readonly sim: SimWorld;
  readonly world: World;
  readonly model: Model;
  readonly weather: Weather;
  readonly destinations: readonly string[];
  readonly reports: string[];
  /** The whims of an operator who pauses, resumes and rewinds; nothing when there is none. */
  readonly operator?: (() => number) | undefined;
  /** The whims of one who has dead letters sent again, and throws some away. */
  readonly undertaker?: (() => number) | undefined;
  readonly lives: number;
  /** One that is not required, and may have so much of the log before it. */
  readonly optional?: { readonly name: string; readonly bytes: number } | undefined;
  /** One that is sent so many messages a second at most. */
  readonly capped?: { readonly name: string; readonly count: number } | undefined;
  /** Messages whose key ends in this digit are wanted in some lives only, as if the filter was changed; "" for none. */
  readonly sometimes: string;
  /** In this one. */
  readonly wants?: (message: Message) => boolean;
  /** One that gets a share of the messages only. Each has its key for an id then. */
  readonly sampled?: { readonly name: string; readonly share: number } | undefined;
  /** The same, where nobody is there at times: so much is kept for who comes. */
  readonly attended?: { readonly name: string; readonly bytes: number; readonly absences: Absences } | undefined;
}

/** Whether a destination's sample takes a message, by its id. */
function samplesOf({ sampled }: Setup, name: string): ((id: string) => boolean) | undefined {
  return sampled?.name === name ? sampleOf(sampled.share) : undefined;
}

/** One life of the program, until the power goes or `stop` is called. */
export class Node {
  readonly writer: SegmentWriter;
  readonly mark = new LocalWatermark();
  readonly pumps: {
    name: string;
    done: Promise<void>;
    cursor: ReturnType<typeof openCursor>;
    control: Control;
    letters: Letterbox;
  }[] = [];
  readonly #setup: Setup;
  readonly #stop = new AbortController();

  constructor(setup: Setup) {
    this.#setup = setup;
    const { world, reports } = setup;
    const node = claimDirectory(world, dir, "simulated");
    this.writer = new SegmentWriter(world, dir, node, this.mark, {
      segmentBytes: 65_536,
      reserveBytes: 65_536,
      recycle: true,
      destinations: () => new Map(this.pumps.map(({ name, cursor }) => [destinationKey(name), cursor.position])),
      report: (text) => reports.push(text),
    });
    for (const name of setup.destinations) this.#start(name, node);
    void this.#retain();
    void keepSpares(world, dir, { segmentBytes: 65_536, ballastBytes: 65_536 }, this.#stop.signal).catch(() => {});
    if (setup.operator) void this.#operate(setup.operator);
    if (setup.undertaker) void this.#bury(setup.undertaker);
  }

  get position(): Position {
    return this.mark.position;
  }
  get caughtUp(): boolean {
    return this.pumps.every(({ cursor }) => cursor.position >= this.position);
  }

  #start(name: string, node: string): void {
    const { world, model, weather, reports, capped, wants = () => true } = this.#setup;
    const oldest = (this.writer.segments()[0]?.base ?? 0) as Position;
    const cursor = openCursor(world, dir, name, node, { fresh: oldest, lost: oldest });
    const received = model.received(name);
    received.limit(capped?.name === name ? capped.count : undefined);
    const deadLetters = new Letterbox({
      ...{ world, dir, destination: name, cursor, node, bytesMax: 1 << 30 },
      report: (text) => reports.push(text),
    });
    const openReader = () => new SegmentReader(world, dir, node, cursor.position, this.mark);
    const control = new Control(world.clock, () => new Timeline(world.files, dir, this.mark.position), openReader);
    const pump = new Pump({
      world,
      reader: openReader(),
      openReader,
      cursor,
      mark: this.mark,
      selector: { node, wants, samples: samplesOf(this.#setup, name), format: (message) => message.data },
      limit: { count: 20, bytes: 100_000 },
      slice: { count: 10, bytes: 20_000 },
      rate: { count: capped?.name === name ? capped.count : 0, bytes: 0 },
      lingerMs: () => 5,
      deadlineMs: 5000,
      refusedMax: 50,
      ...(this.#setup.optional?.name === name && { floor: floorOf(world, this.#setup.optional.bytes) }),
      open: () => Promise.resolve(new FakeDestination(world, received, weather)),
      ...(this.#setup.attended?.name === name && this.#attended(this.#setup.attended, node)),
      deadLetters,
      control,
      watch: {
        trouble() {},
        begun() {},
        dead() {},
        retaken() {},
        held() {},
        capped() {},
        paced() {},
        stalled() {},
        expired: (from, to) => received.pass(from, to),
        alone() {},
        overwritten: (from, to) => received.pass(from, to),
        advanced() {},
        synced() {},
        obeyed() {},
        lost: (text) => reports.push(text),
      },
    });
    this.pumps.push({ name, cursor, control, letters: deadLetters, done: pump.run(this.#stop.signal).catch(() => {}) });
  }

  #attended(
    { name, bytes, absences }: NonNullable<Setup["attended"]>,
    node: string,
  ): Pick<PumpParts, "listens" | "buffered" | "open"> {
    const { world, model, weather } = this.#setup;
    const reader = new SegmentReader(world, dir, node, 0 as Position, this.mark, { byCommit: true });
    const tail = new Tail(new Budget(world.files, dir, bytes), reader, bytes);
    return {
      listens: true,
      buffered: (from) => tail.floor(from),
      open: () => Promise.resolve(new AttendedDestination(world, model.received(name), { weather, absences })),
    };
  }

  pauseAll(): void {
    for (const { control } of this.pumps) void control.give({ do: "pause" });
  }
  /** What an operator left paused would never catch up. */
  resumeAll(): void {
    for (const { control } of this.pumps) void control.give({ do: "resume" });
  }

  async #operate(whim: () => number): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.#setup.world.clock.sleep(whim() * 1500, this.#stop.signal);
      const { control, cursor } = this.pumps[Math.floor(whim() * this.pumps.length)]!;
      // Into the middle of an entry, as often as not, or to what is no more, which is refused.
      const to = whim() < 0.3 ? "oldest" : String(Math.floor(cursor.position * (0.5 + whim() / 2)));
      const orders: readonly Order[] = [{ do: "pause" }, { do: "resume" }, { do: "resume" }, { do: "rewind", to }];
      void control.give(orders[Math.floor(whim() * orders.length)]!);
    }
  }

  async #bury(whim: () => number): Promise<void> {
    const { world, model } = this.#setup;
    while (!this.#stop.signal.aborted) {
      await world.clock.sleep(whim() * 1500, this.#stop.signal);
      const { name, letters } = this.pumps[Math.floor(whim() * this.pumps.length)]!;
      const [throwsAway, share] = [whim() < 0.1, whim()];
      const chosen = ({ position }: DeadLetter) => (position * 7919) % 100 < share * 100;
      const { purged } = model.received(name);
      const bury = (letter: DeadLetter) => chosen(letter) && purged.add(letter.message.key!) !== undefined;
      // A disk that fails may fail here, too.
      await (throwsAway ? letters.found()?.purge(bury) : letters.found()?.ask(chosen))?.catch(() => {});
    }
  }

  async #retain(): Promise<void> {
    const { world } = this.#setup;
    while (!this.#stop.signal.aborted) {
      await world.clock.sleep(500, this.#stop.signal);
      const waited = this.pumps.filter(({ name }) => !isOptional(name, this.#setup));
      const passed = Math.min(...waited.map(({ cursor }) => cursor.durable)) as Position;
      const limits = { passed, now: world.clock.now(), retainMs: 3000, retainBytes: 200_000 };
      try {
        const before = freeBefore(this.writer.segments(), limits);
        if (before !== undefined) this.writer.trim(before);
      } catch {
        // The power is gone.
      }
    }
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.pumps.map(({ done }) => done));
    await this.writer.close();
  }
}

/** Nobody waits for it. */
function isOptional(name: string, { optional, attended }: Setup): boolean {
  return name === optional?.name || name === attended?.name;
}

function floorOf(world: World, bytes: number): () => Position {
  const budget = new Budget(world.files, dir, bytes);
  return () => budget.floor();
}

/** A client that offers one message after the other and remembers the answers. */
export async function client(number: number, node: Node, setup: Setup, messages: number): Promise<void> {
  const { world, model } = setup;
  for (let i = 0; i < messages; i++) {
    if (world.random() < 0.3) await world.clock.sleep(world.random() * 200);
    const count = world.random() < 0.2 ? 1 + Math.floor(world.random() * 20) : 1;
    const batch = Array.from({ length: count }, () => newMessage(number, model, world.random));
    const bytes = encodeEntry(
      { timestamp: world.clock.now(), shared: { topic: `t${number}` } },
      batch.map(({ key, data }) => {
        const fields = { key, ...(setup.sampled && { id: key }) };
        return { fields, data: new TextEncoder().encode(data), dataIsJson: false };
      }),
    );
    try {
      node.writer.append(bytes, count);
      await node.writer.durable();
      for (const { key } of batch) accept(model, number, key);
    } catch (problem) {
      if (!(problem instanceof LogFull) && !(problem instanceof LogStopped)) throw problem;
      const known = problem instanceof LogFull || problem.outcome === "refused";
      if (known) { for (const { key } of batch) model.refused.add(key); }
      await world.clock.sleep(300);
    }
  }
}

function newMessage(number: number, model: Model, random: () => number): { key: string; data: string } {
  const key = `c${number}-${model.offered.size}`;
  const length = random() < 0.05 ? 30_000 * random() : 200 * random();
  const data = `${key} ${"x".repeat(length)}`;
  model.offered.set(key, data);
  return { key, data };
}

function accept(model: Model, number: number, key: string): void {
  model.accepted.add(key);
  const order = model.order.get(number) ?? [];
  order.push(key);
  model.order.set(number, order);
}

/** What must hold in the end, when everything has been delivered. */
export function check(model: Model, node: Node, setup: Setup): void {
  // It stands in the newest segments, which every budget leaves.
  const newest = [...model.accepted].at(-1);
  for (const { name, cursor } of node.pumps) {
    const received = model.received(name);
    const letters = deadOf(setup, name, node);
    const dead = new Set(letters.map(({ message }) => message.key!));
    const optional = isOptional(name, setup);
    const takes = samplesOf(setup, name) ?? (() => true);
    for (const key of received.seen) {
      if (!takes(key)) model.violate(`M4.16 ${name} got ${key}, which its sample leaves out`);
    }
    const { sometimes } = setup;
    const missing = [...model.accepted].filter(takes).filter((key) =>
      (sometimes === "" || !key.endsWith(sometimes)) && !received.seen.has(key) && !dead.has(key) &&
      !received.purged.has(key)
    );
    const owed = optional ? missing.filter((key) => key === newest) : missing;
    checkGivenUp(model, { name, cursor, missing: missing.length }, setup);
    for (const key of owed) model.violate(`P2 ${name} never got ${key}, which was accepted`);
    checkDead(model, name, dead, setup);
    if (!optional) checkDeadCount(model, { name, cursor, letters });
    const sum = Object.values(cursor.counts).reduce((a, b) => a + b, 0);
    if (cursor.start + sum !== cursor.position) {
      model.violate(`P2 ${name}: ${cursor.start} + ${sum} ≠ ${cursor.position}`);
    }
    if (cursor.counts.damaged + (optional ? 0 : cursor.counts.expired) > 0) {
      model.violate(`P2 ${name}: ${cursor.counts.damaged} damaged, ${cursor.counts.expired} expired`);
    }
    checkOrder(model, received, { name, sometimes });
  }
}

/** What nobody was there for is counted, and only that. */
function checkGivenUp(
  model: Model,
  { name, cursor, missing }: Pick<Node["pumps"][number], "name" | "cursor"> & { readonly missing: number },
  { attended }: Setup,
): void {
  const { generation, counts } = cursor;
  if (name !== attended?.name) {
    if (counts.overwritten > 0) model.violate(`P2 ${name}: ${counts.overwritten} overwritten`);
  } else if (generation === 1 && missing > counts.overwritten + counts.expired) {
    model.violate(`P2 ${name} never got ${missing}, and counts ${counts.overwritten} as overwritten`);
  }
}

/** Some seconds after the last step of a destination the mark knows of it, whether or not there was anything to commit. */
export function checkMark(model: Model, node: Node, { world }: Setup): void {
  const mark = peekMark(world.files, dir);
  for (const { name, cursor } of node.pumps) {
    const known = mark?.destinations.get(destinationKey(name));
    if (known !== cursor.position) {
      model.violate(`P7 the mark has ${name} at ${known}, and it is at ${cursor.position}`);
    }
  }
}

function deadOf(setup: Setup, name: string, node: Node): DeadLetter[] {
  const path = `${dir}/dead/${name}`;
  if (!setup.world.files.exists(path)) return [];
  const options = { node: node.writer.node, bytesMax: 1 << 30, report: () => {} };
  const letters = [...new DeadLetters(setup.world, path, options).letters()].map(({ letter }) => letter);
  if (new Set(letters.map(({ message }) => message.key!)).size !== letters.length) {
    setup.model.violate(`P15 ${name} has a dead letter twice`);
  }
  return letters;
}

/** What is counted as dead is there to be seen, but for what was thrown away. */
function checkDeadCount(
  model: Model,
  { name, cursor, letters }: Pick<Node["pumps"][number], "name" | "cursor"> & { readonly letters: DeadLetter[] },
): void {
  const { generation, start, position, counts } = cursor;
  const counted =
    letters.filter((letter) =>
      letter.generation === generation && letter.position >= start && letter.position < position
    ).length;
  const purged = model.received(name).purged.size;
  if (counted > counts.dead || counted + purged < counts.dead) {
    model.violate(`P2 ${name} counts ${counts.dead} as dead, and has ${counted} letters of this generation`);
  }
}

/** A destination that refuses everything gets half a hundred of dead letters at most, in each life. */
function checkDead(model: Model, name: string, dead: ReadonlySet<string>, { weather, lives }: Setup): void {
  if (weather.wrongUntil === 0) return;
  const letters = [...dead].filter((key) => weather.poison === "" || !key.endsWith(weather.poison));
  if (letters.length > 50 * lives) {
    model.violate(`P15 ${name} has ${letters.length} dead letters, and was wrong itself`);
  }
}

function checkOrder(model: Model, received: Received, { name, sometimes }: { name: string; sometimes: string }): void {
  const place = new Map(received.first.map((key, i) => [key, i]));
  const { refused, passed } = received;
  const isExcused = (key: string) =>
    refused.has(key) || passed.has(key) || (sometimes !== "" && key.endsWith(sometimes));
  for (const order of model.order.values()) {
    // What was left out in one life may come in the next, after a crash, beside copies of what is later.
    const inTurn = order.filter((key) => !isExcused(key));
    const places = inTurn.map((key) => place.get(key)).filter((at) => at !== undefined);
    if (places.some((at, i) => i > 0 && at < places[i - 1]!)) model.violate(`P6 ${name} got messages out of order`);
  }
}
