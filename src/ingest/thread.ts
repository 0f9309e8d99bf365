/**
 * [shell] The intake thread: owns the log's writer, and takes messages over HTTP. Recovers first and says how far the log is;
 * listens when told to, once every destination has its cursor; stops in the order close door → answer → sync → mark.
 */
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import type { PipeSettings, Sections, ZeromqEndpoint } from "../config/keys.ts";
import {
  destinationKey,
  freeBefore,
  type Position,
  RaisingWatermark,
  type Recovered,
  SegmentWriter,
} from "../log/mod.ts";
import { type NodeState, nodeStates, Table } from "../observe/table.ts";
import { publicStatus } from "../observe/status.ts";
import { realWorld } from "../os/deno.ts";
import { codeOf, type World } from "../os/world.ts";
import { Deliveries, type DeliveryNews, type Receiver } from "./deliveries.ts";
import { type Gate, openGate } from "./gate.ts";
import { openEntry } from "./privacy.ts";
import { openHistory, openIdHistory } from "./history.ts";
import { Intake as Requests, type IntakeParts } from "./intake.ts";
import { KnownIds } from "./known_ids.ts";
import type { PipeReader } from "./pipe.ts";
import { Repeats } from "./repeats.ts";
import { type Handle, openRoutes } from "./routes.ts";
import { type HttpServer, serveHttp } from "./server.ts";
import { Topics } from "./topics.ts";
import type { Ways, ZeromqServer } from "./zeromq.ts";

export interface IntakeJob {
  readonly table: SharedArrayBuffer;
  readonly dir: string;
  readonly node: string;
  readonly version: string;
  readonly started: number;
  readonly zeromq: readonly ZeromqEndpoint[];
  readonly pipes: readonly PipeSettings[];
  readonly settings: IntakeSettings;
}
/** What a reload may change. */
export interface IntakeSettings {
  readonly http: Sections["http"];
  readonly log: Sections["log"];
  readonly destinations: readonly (Receiver & { readonly kind: string })[];
}
/** What main tells the thread. */
export type IntakeOrder =
  | { readonly kind: "listen" }
  | { readonly kind: "sleeper"; readonly number: number; readonly nudges: MessagePort }
  /** Of `settings`, what a running node can change is taken over. */
  | { readonly kind: "configure"; readonly settings: IntakeSettings }
  | { readonly kind: "stop" };
/** What the thread tells main. */
export type IntakeNews =
  | {
    readonly kind: "recovered";
    readonly start: Position;
    readonly end: Position;
    readonly recovered: Pick<Recovered, "damages" | "notes">;
  }
  | { readonly kind: "listening"; readonly address: string; readonly zeromq: readonly string[] }
  /** The settings hold for every request that comes from now on, and retention minds the destinations; or why nothing changed. */
  | { readonly kind: "configured"; readonly problem?: string }
  | { readonly kind: "failed"; readonly code: string; readonly text: string }
  | { readonly kind: "report"; readonly text: string }
  | { readonly kind: "logStopped" }
  | { readonly kind: "stopped" };

const tickMs = 250;
/** About 250 bytes each, if they all come within the window. */
const repeatKeysMax = 1_000_000;
/** The same for ids of messages, with their topics. */
const idCharactersMax = 64 * 1024 * 1024;
/** A stop answers what is under way for so long. */
const drainMs = 700;

class Intake {
  readonly #job: IntakeJob;
  #settings: IntakeSettings;
  readonly #world: World = realWorld();
  readonly #table: Table;
  readonly #mark: RaisingWatermark;
  readonly #writer: SegmentWriter;
  readonly #ticking = new AbortController();
  readonly #removeSleeper = new Map<number, () => void>();
  readonly #deliveries: Deliveries;
  #server: HttpServer | undefined;
  #zeromq: ZeromqServer | undefined;
  #pipes: PipeReader | undefined;
  #repeats: Repeats | undefined;
  #ids: KnownIds | undefined;
  #handle: Handle | undefined;
  #ways: Ways;
  /** What kept delivered messages from being removed the last time: said once. */
  #trimTrouble = "";
  #gate: Gate | undefined;

  constructor(job: IntakeJob) {
    this.#job = job;
    this.#settings = job.settings;
    this.#ways = this.#openWays(job.settings.http);
    const { log } = job.settings;
    this.#table = new Table(job.table);
    this.#mark = new RaisingWatermark({
      position: () => this.#table.get("durable") as Position,
      segment: () => this.#table.get("segment"),
      raise: (to, segment) => {
        this.#table.set("segment", segment);
        this.#table.set("durable", to);
        this.#table.add("commits", 1);
      },
    });
    this.#writer = new SegmentWriter(this.#world, job.dir, job.node, this.#mark, {
      segmentBytes: log.segment,
      reserveBytes: log.ballast,
      recycle: log.recycle,
      destinations: () => this.#destinations(),
      report: (text) => say({ kind: "report", text }),
    });
    this.#deliveries = new Deliveries({
      clock: this.#world.clock,
      setWaiters: (number, count) => this.#table.destination(number).set("waiters", count),
    });
    this.#configureDeliveries();
    const { start, end } = this.#showFacts();
    const { damages, notes } = this.#writer.recovered;
    say({ kind: "recovered", start, end, recovered: { damages, notes } });
    void this.#tick();
  }

  /** Both know nothing of the log before they are asked. */
  #openRepeats(windowMs: number): void {
    if (windowMs === 0) return;
    const { dir, node } = this.#job;
    const world = this.#world;
    const before = { dir, node, end: this.#table.get("durable") as Position, segment: this.#table.get("segment") };
    const keyLimits = { windowMs, keysMax: repeatKeysMax };
    const idLimits = { windowMs, idsMax: repeatKeysMax, charactersMax: idCharactersMax };
    this.#repeats = new Repeats(world.clock, openHistory(world, before), keyLimits);
    this.#ids = new KnownIds(world.clock, openIdHistory(world, before), idLimits);
  }

  async listen(): Promise<void> {
    const { http } = this.#settings;
    const report = (text: string) => say({ kind: "report", text });
    this.#gate = openGate(http, { world: this.#world, dir: this.#job.dir, report });
    void this.#gate?.keepUp(this.#ticking.signal);
    this.#openRepeats(http.idempotency_window);
    this.#handle = this.#openRoutes(this.#ways);
    // First: who cannot have its port has taken nothing yet.
    this.#zeromq = await this.#serveZeromq(report);
    this.#pipes = await this.#readPipes(report);
    this.#server = await serveHttp({
      listen: http.listen,
      tls: http.tls_cert === "" ? undefined : http,
      handle: (request) => this.#handle!(request),
      clock: this.#world.clock,
      connectionsMax: http.connections_max,
      connectionsPerAddress: http.connections_per_address,
      bodiesMax: Math.max(http.bodies_max, http.body_max),
      report,
    });
    this.#setState("ready");
    say({ kind: "listening", address: this.#server.address, zeromq: this.#zeromq?.addresses ?? [] });
  }

  #openWays(http: Sections["http"]): Ways {
    const report = (text: string) => say({ kind: "report", text });
    const entry = openEntry(http.ip, { files: this.#world.files, dir: this.#job.dir, report });
    return { http, entry, topics: new Topics(http) };
  }

  #openRoutes(ways: Ways): Handle {
    return openRoutes({
      ...ways,
      ...this.#intakeParts(),
      gate: this.#gate,
      repeats: this.#repeats,
      ids: this.#ids,
      version: this.#job.version,
      status: () => this.#status(),
    });
  }

  #intakeParts(): IntakeParts {
    return {
      deliveries: this.#deliveries,
      log: this.#writer,
      clock: this.#world.clock,
      table: this.#table,
      node: this.#job.node,
      epoch: () => this.#writer.facts().epoch,
    };
  }

  async #serveZeromq(report: (text: string) => void): Promise<ZeromqServer | undefined> {
    const { zeromq: endpoints } = this.#job;
    if (endpoints.length === 0) return undefined;
    const { serveZeromq } = await import("./zeromq.ts");
    const intake = new Requests(this.#intakeParts());
    const parts = { endpoints, world: this.#world, intake, ways: () => this.#ways, table: this.#table, report };
    return await serveZeromq(parts).catch((problem) => {
      throw Object.assign(new Error(`${textOf(problem)}; choose another in [[zeromq]]`), { code: "ZeromqProblem" });
    });
  }

  async #readPipes(report: (text: string) => void): Promise<PipeReader | undefined> {
    const { pipes } = this.#job;
    if (pipes.length === 0) return undefined;
    const [{ readPipes }, { openFifo }] = await Promise.all([import("./pipe.ts"), import("./fifo.ts")]);
    const intake = new Requests(this.#intakeParts());
    const { clock } = this.#world;
    try {
      return readPipes(pipes, { clock, intake, ways: () => this.#ways, table: this.#table, open: openFifo, report });
    } catch (problem) {
      throw Object.assign(problem as Error, { code: "PipeProblem" });
    }
  }

  /** Requests under way end by the settings they began with. */
  configure(settings: IntakeSettings): void {
    const ways = this.#openWays(settings.http);
    const handle = this.#handle && this.#openRoutes(ways);
    const gone = this.#settings.destinations.filter(({ number }) =>
      !settings.destinations.some((one) => one.number === number)
    );
    // Nothing can fail from here on.
    this.#handle = handle;
    this.#ways = ways;
    this.#settings = settings;
    for (const { number } of gone) this.#forgetSleeper(number);
    this.#configureDeliveries();
    this.#showFacts();
  }

  #configureDeliveries(): void {
    const { destinations, http } = this.#settings;
    this.#deliveries.configure(destinations, http.ack_deadline);
  }

  addSleeper(number: number, nudges: MessagePort): void {
    const cells = this.#table.destination(number);
    const cell = { sleep: () => cells.set("asleep", 1), wake: () => cells.exchange("asleep", 0) === 1 };
    nudges.on("message", (news: DeliveryNews) => this.#deliveries.hear(number, news));
    this.#forgetSleeper(number);
    this.#removeSleeper.set(number, this.#mark.addSleeper(cell, () => nudges.postMessage(0)));
  }

  #forgetSleeper(number: number): void {
    this.#removeSleeper.get(number)?.();
    this.#removeSleeper.delete(number);
  }

  async stop(): Promise<void> {
    this.#ticking.abort();
    this.#setState("stopping");
    this.#deliveries.stop();
    const limit = new AbortController();
    const drained = Promise.all([this.#server?.shutdown(), this.#zeromq?.shutdown(), this.#pipes?.shutdown()]);
    await Promise.race([drained, this.#world.clock.sleep(drainMs, limit.signal)]);
    limit.abort();
    this.#server?.abort();
    this.#zeromq?.abort();
    this.#gate?.close();
    await this.#writer.close();
    say({ kind: "stopped" });
  }

  #destinations(): Map<string, Position> {
    const places = this.#settings.destinations.map(({ name, number }) => {
      const cells = this.#table.destination(number);
      return { key: destinationKey(name), at: cells.position, known: cells.get("generation") > 0 };
    });
    return new Map(places.filter(({ known }) => known).map(({ key, at }) => [key, at]));
  }

  /** Now and then: what the table shows of the log, and what retention may free. */
  async #tick(): Promise<void> {
    const { signal } = this.#ticking;
    while (!signal.aborted) {
      await this.#world.clock.sleep(tickMs, signal);
      if (signal.aborted) return;
      this.#table.add("beats", 1);
      const { state } = this.#showFacts();
      if (nodeStates[this.#table.get("state")] !== "starting") this.#setState(state);
      if (state === "stopped") return say({ kind: "logStopped" });
      this.#retain();
    }
  }

  #retain(): void {
    const { retain, retain_max } = this.#settings.log;
    const waited = this.#settings.destinations
      .map(({ number, required }) => ({ required, at: this.#table.destination(number).get("durable") }))
      .filter(({ required }) => required);
    const passed = Math.min(this.#mark.position, ...waited.map(({ at }) => at)) as Position;
    const limits = { passed, now: this.#world.clock.now(), retainMs: retain, retainBytes: retain_max };
    try {
      const before = freeBefore(this.#writer.segments(), limits);
      if (before !== undefined) this.#writer.trim(before);
      this.#trimTrouble = "";
    } catch (problem) {
      const text = `delivered messages cannot be removed: ${textOf(problem)}`;
      if (text !== this.#trimTrouble) say({ kind: "report", text });
      this.#trimTrouble = text;
    }
  }

  #showFacts() {
    const facts = this.#writer.facts();
    this.#table.set("start", facts.start);
    this.#table.set("epoch", facts.epoch);
    this.#table.set("logBytes", facts.bytes);
    this.#table.set("freeBytes", facts.freeBytes);
    this.#table.set("syncs", facts.commits);
    this.#table.set("syncMicros", Math.round(facts.syncMs * 1000));
    return facts;
  }

  #setState(state: NodeState): void {
    this.#table.set("state", nodeStates.indexOf(state));
  }

  #status(): string {
    const { version, node, started } = this.#job;
    const facts = {
      version,
      node,
      started,
      table: this.#table,
      now: this.#world.clock.now(),
      destinations: this.#settings.destinations.map((destination) => ({ ...destination, lastError: "" })),
    };
    return JSON.stringify(publicStatus(facts));
  }
}

function say(news: IntakeNews): void {
  parentPort!.postMessage(news);
}

function textOf(problem: unknown): string {
  return problem instanceof Error ? problem.message : String(problem);
}

function fail(problem: unknown): void {
  say({ kind: "failed", code: codeOf(problem) || (problem as Error).constructor.name, text: textOf(problem) });
}

function configure(intake: Intake, settings: IntakeSettings): void {
  try {
    intake.configure(settings);
    say({ kind: "configured" });
  } catch (problem) {
    say({ kind: "configured", problem: textOf(problem) });
  }
}

function start(): void {
  let intake: Intake;
  try {
    intake = new Intake(workerData as IntakeJob);
  } catch (problem) {
    return fail(problem);
  }
  parentPort!.on("message", (order: IntakeOrder) => {
    if (order.kind === "listen") intake.listen().catch(fail);
    if (order.kind === "sleeper") intake.addSleeper(order.number, order.nudges);
    if (order.kind === "configure") configure(intake, order.settings);
    if (order.kind === "stop") intake.stop().catch(fail);
  });
}

start();
