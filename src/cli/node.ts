/** [shell] A running node: its threads started in order, watched, and stopped in order. */
import { KeyRing } from "../access/key_ring.ts";
import type { Config } from "../config/keys.ts";
import { type Change, changeTo } from "../config/reload.ts";
import type { Placed } from "../deliver/supervisor.ts";
import type { IntakeSettings } from "../ingest/thread.ts";
import { keepSpares, peekMark, type Position, roomFor } from "../log/mod.ts";
import type { Journal } from "../observe/journal.ts";
import { type Management, openManagement } from "../observe/management.ts";
import { renderMetrics } from "../observe/metrics.ts";
import { Pulse } from "../observe/pulse.ts";
import { goRounds } from "../observe/rounds.ts";
import { fullStatus, type NodeFacts, notReady } from "../observe/status.ts";
import { nodeStates, Table } from "../observe/table.ts";
import type { World } from "../os/world.ts";
import { explained } from "./claim.ts";
import { Destinations, roomLeast } from "./destinations.ts";
import { CommandError, type ExitCode, exitCodes } from "./exit.ts";
import { IntakeThread, type Recovery } from "./intake_thread.ts";
import { logTail } from "./log_tail.ts";
import { Reloads } from "./reload.ts";
import type { ServiceManager } from "./service_manager.ts";
import { version } from "./version.ts";

/** After the log has stopped, destinations get so long to take what is safe on disk. */
const drainMs = 10_000;
/** A stop takes no longer, whoever hangs. */
const stopMs = 5000;

export interface NodeParts {
  readonly config: Config;
  readonly placed: readonly Placed[];
  readonly receivers: IntakeSettings["destinations"];
  /** Reads the configuration again. Throws a `CommandError` that names what is wrong with it. */
  readonly readAgain: () => Promise<Config>;
  readonly world: World;
  readonly journal: Journal;
  readonly node: string;
  readonly manager: ServiceManager;
}

const stalledText = "stalled: the intake thread has not gone round for ten seconds; look at the disk";

export class RunningNode {
  readonly #parts: NodeParts;
  readonly #table: Table;
  readonly #started: number;
  readonly #code = Promise.withResolvers<ExitCode>();
  readonly #listening = Promise.withResolvers<void>();
  readonly #remembered: ReadonlyMap<string, Position> | undefined;
  readonly #intake: IntakeThread;
  readonly #pulse: Pulse;
  readonly #destinations: Destinations;
  readonly #reloads: Reloads;
  #config: Config;
  #management: Management | undefined;
  #stopping: Promise<void> | undefined;
  readonly #ending = new AbortController();
  address = "";
  zeromqAddresses: readonly string[] = [];

  constructor(parts: NodeParts) {
    this.#parts = parts;
    const { config, world, journal, node, placed, receivers } = parts;
    this.#config = config;
    this.#table = Table.allocate(Math.max(roomLeast, 2 * placed.length));
    this.#started = world.clock.now();
    this.#pulse = new Pulse(world.clock, () => this.#table.get("beats"));
    // Before the intake thread writes it anew.
    this.#remembered = peekMark(world.files, config.data)?.destinations;
    this.#intake = new IntakeThread({
      table: this.#table.buffer,
      dir: config.data,
      node,
      version,
      started: this.#started,
      zeromq: config.zeromq,
      pipes: config.pipe,
      settings: { http: config.http, log: config.log, destinations: receivers },
    });
    const [table, intake] = [this.#table, this.#intake];
    this.#destinations = new Destinations({ world, journal, table, dir: config.data, node, intake });
    this.#reloads = new Reloads({
      read: parts.readAgain,
      apply: (wanted) => this.#apply(wanted),
      clock: world.clock,
      journal,
    });
  }

  get managementAddress(): string {
    return this.#management?.address ?? "";
  }

  get stopping(): boolean {
    return this.#stopping !== undefined;
  }

  untilStopped(): Promise<ExitCode> {
    return this.#code.promise;
  }

  /** Recover, give every destination its cursor, then open the doors. */
  async start(): Promise<void> {
    const { config, journal, node } = this.#parts;
    this.#intake.onReport = (text) => journal.say("warning", text);
    this.#intake.onLogStopped = () => void this.#drain();
    this.#intake.onDeath = (text) => this.#die(text);
    this.#onSignals();
    const recovered = await this.#intake.recovered.catch((problem) => {
      throw explained(problem, config.data);
    });
    this.#tellRecovery(recovered.recovered);
    const { start, end } = recovered;
    await this.#destinations.begin(this.#parts.placed, { start, end, remembered: this.#remembered });
    this.#management = await this.#openManagement();
    this.#goOn();
    const { address, zeromq } = await this.#intake.listen(config.http.listen);
    this.address = address;
    this.zeromqAddresses = zeromq;
    this.#destinations.deliver();
    const over: Record<string, string> = zeromq.length > 0 ? { zeromq: zeromq.join(" ") } : {};
    this.#listening.resolve();
    journal.say("info", "ready", { http: this.address, ...over, management: this.managementAddress, node });
    this.#parts.manager.ready(`takes messages on ${this.address}`);
  }

  stop(): Promise<void> {
    return this.#stopping ??= this.#stopAll();
  }

  async #stopAll(): Promise<void> {
    const { world, manager } = this.#parts;
    manager.stopping();
    this.#ending.abort();
    const parts = [this.#intake.stop(), this.#destinations.stop(), this.#management?.shutdown()];
    await Promise.race([Promise.allSettled(parts), world.clock.sleep(stopMs)]);
  }

  #onSignals(): void {
    const { journal } = this.#parts;
    const isWindows = Deno.build.os === "windows";
    // Without a listener a closed terminal would end us, also in the middle of a start.
    if (!isWindows) Deno.addSignalListener("SIGHUP", () => void this.#reloads.reload());
    for (const signal of isWindows ? ["SIGINT" as const] : ["SIGINT" as const, "SIGTERM" as const]) {
      Deno.addSignalListener(signal, () => {
        if (this.#stopping) Deno.exit(exitCodes.ok); // asked twice: what was accepted is on disk all the same
        journal.say("info", `stopping on ${signal}`);
        void this.stop().then(() => {
          journal.say("info", "stopped");
          this.#code.resolve(exitCodes.ok);
        });
      });
    }
  }

  /** Who asks in the middle of a start is answered when it is over. */
  async #apply(wanted: Config): Promise<Change> {
    await Promise.race([this.#listening.promise, aborted(this.#ending.signal)]);
    if (this.#stopping) throw new Error("it is stopping");
    const change = changeTo(wanted, this.#config);
    await this.#destinations.change(change);
    this.#config = change.config;
    return change;
  }

  /** The disk has failed: nothing more is taken, what is safe still goes out for a while. */
  async #drain(): Promise<void> {
    const { world, journal } = this.#parts;
    journal.say("error", "the log has stopped; delivering what is on disk, then ending");
    const end = world.clock.elapsed() + drainMs;
    while (world.clock.elapsed() < end && this.#destinations.behind) await world.clock.sleep(100);
    await this.stop();
    this.#code.resolve(exitCodes.logStopped);
  }

  async #die(text: string): Promise<void> {
    if (this.#stopping) return;
    this.#parts.journal.say("error", `the intake thread died: ${text}`);
    this.#table.set("state", nodeStates.indexOf("stopped"));
    await this.stop();
    this.#code.resolve(exitCodes.logStopped);
  }

  #tellRecovery({ damages, notes }: Recovery["recovered"]): void {
    const { journal } = this.#parts;
    for (const note of notes) journal.say("warning", note);
    for (const { position, count, what } of damages) {
      journal.say("error", what, { first: position, last: position + count - 1, count });
    }
  }

  /** In main, which has nothing else to do: intake never waits for it. */
  #goOn(): void {
    const { config, world, journal } = this.#parts;
    const { signal } = this.#ending;
    const wanted = { segmentBytes: config.log.segment, reserveBytes: config.log.ballast };
    const { segmentBytes, reserveBytes } = roomFor(world.files.space(config.data), wanted);
    const failed = (problem: unknown) =>
      journal.say("error", problem instanceof Error ? problem.message : String(problem));
    keepSpares(world, config.data, { segmentBytes, ballastBytes: reserveBytes }, signal).catch(failed);
    const pulse = (stalled: boolean) =>
      stalled ? journal.say("error", stalledText) : journal.say("info", "the intake thread goes on");
    this.#pulse.watch(signal, pulse).catch(failed);
    this.#parts.manager.watch(() => !this.#pulse.stalled, signal);
    goRounds({ world, journal, reserveBytes, facts: () => this.#facts() }, signal).catch(failed);
  }

  #openManagement(): Promise<Management> {
    const { config, world, journal, node } = this.#parts;
    return openManagement({
      listen: config.management.listen,
      clock: world.clock,
      keys: config.management.keys ? this.#openKeys() : undefined,
      status: () => fullStatus(this.#facts()),
      metrics: () => renderMetrics(this.#facts()),
      ready: () => notReady(this.#table) ?? (this.#pulse.stalled ? stalledText : undefined),
      order: (name, order) => this.#destinations.order(name, order),
      letters: (name, order) => this.#destinations.letters(name, order),
      reload: () => this.#reloads.reload(),
      tail: logTail({ world, table: this.#table, dir: config.data, node }),
      report: (problem) => journal.say("error", `management: ${problem instanceof Error ? problem.message : problem}`),
    }).catch((problem) => {
      throw new CommandError(exitCodes.cannotListen, (problem as Error).message);
    });
  }

  #openKeys(): KeyRing {
    const { config, world, journal } = this.#parts;
    const keys = new KeyRing({ world, dir: config.data, report: (text) => journal.say("warning", text) });
    void keys.keepUp(this.#ending.signal);
    return keys;
  }

  #facts(): NodeFacts {
    const { world, node } = this.#parts;
    return {
      version,
      node,
      table: this.#table,
      now: world.clock.now(),
      started: this.#started,
      residentBytes: Deno.memoryUsage().rss,
      reload: this.#reloads.last,
      reloads: this.#reloads.count,
      destinations: this.#destinations.facts(),
    };
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
