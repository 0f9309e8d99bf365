/** [shell] `sparkngin run`: starts the threads, shows how they are, and stops them in order. */
import { adaptors } from "../../adaptors/mod.ts";
import type { Config, Destination } from "../config/keys.ts";
import type { MessagePort } from "node:worker_threads";
import { Worker } from "node:worker_threads";
import { makeCursors } from "../deliver/cursors.ts";
import { Supervisor } from "../deliver/supervisor.ts";
import type { IntakeJob, IntakeNews, IntakeOrder } from "../ingest/thread.ts";
import {
  claimDirectory,
  DirectoryBusy,
  DirectoryRefused,
  keepSpares,
  peekMark,
  type Position,
  roomFor,
} from "../log/mod.ts";
import { type Journal, openJournal } from "../observe/journal.ts";
import { type Management, openManagement } from "../observe/management.ts";
import { renderMetrics } from "../observe/metrics.ts";
import { goRounds } from "../observe/rounds.ts";
import { fullStatus, type NodeFacts, notReady } from "../observe/status.ts";
import { nodeStates, Table } from "../observe/table.ts";
import { realWorld } from "../os/deno.ts";
import { codeOf, isNoSpace, type World } from "../os/world.ts";
import { CommandError, type ExitCode, exitCodes } from "./exit.ts";
import { logTail } from "./log_tail.ts";
import { version } from "./version.ts";

/** After the log has stopped, destinations get so long to take what is safe on disk. */
const drainMs = 10_000;
/** A stop takes no longer, whoever hangs. */
const stopMs = 5000;

/** Resolves with the exit code when the node has stopped. */
export async function run(
  config: Config,
  { configPath }: { readonly configPath: string | undefined },
): Promise<number> {
  const form = Deno.stderr.isTerminal() ? "text" : "json";
  const world = realWorld();
  const journal = openJournal(world.clock, (line) => Deno.stderr.writeSync(new TextEncoder().encode(line)), form);
  const node = claim(world, config.data);
  const receivers = await Promise.all(config.destination.map(receiverOf));
  const running = new RunningNode({ config, world, journal, node, receivers });
  const stopped = running.untilStopped();
  try {
    await running.start();
  } catch (problem) {
    // Who is told to stop in the middle of a start cannot start, and that is no trouble.
    if (running.stopping) return await stopped;
    await running.stop();
    throw problem;
  }
  greet(config, running, configPath);
  return await stopped;
}

function claim(world: World, dir: string): string {
  try {
    return claimDirectory(world, dir, `process ${Deno.pid} on ${Deno.hostname()}`);
  } catch (problem) {
    throw explained(problem, dir);
  }
}

/** The exit code and the sentence for what can be wrong with the directory or the address. */
function explained(problem: unknown, dir: string): CommandError {
  const text = problem instanceof Error ? problem.message : String(problem);
  const code = codeOf(problem);
  if (problem instanceof DirectoryBusy || code === "DirectoryBusy") return new CommandError(exitCodes.locked, text);
  if (problem instanceof DirectoryRefused) return new CommandError(exitCodes.badData, text);
  if (isNoSpace(problem)) return new CommandError(exitCodes.diskFull, `Cannot start in "${dir}": the disk is full`);
  if (["EACCES", "EPERM", "EROFS", "ENOTDIR", "ENOENT", "EEXIST"].includes(code)) {
    return new CommandError(
      exitCodes.notWritable,
      `Cannot write to directory "${dir}": ${text}; check its owner and rights`,
    );
  }
  return new CommandError(exitCodes.unexpected, `Cannot start in "${dir}": ${text}`, { cause: problem });
}

async function receiverOf(
  { name, kind, required, filter, options }: Destination,
): Promise<IntakeJob["destinations"][number]> {
  const { promise } = (await adaptors[kind]!()).default;
  return { name, kind, required, filter, confirms: promise(options) === "confirmed" };
}

interface NodeParts {
  readonly receivers: IntakeJob["destinations"];
  readonly config: Config;
  readonly world: World;
  readonly journal: Journal;
  readonly node: string;
}

class RunningNode {
  readonly #parts: NodeParts;
  readonly #table: Table;
  readonly #started: number;
  readonly #code = Promise.withResolvers<ExitCode>();
  readonly #remembered: ReadonlyMap<string, Position> | undefined;
  readonly #intake: IntakeThread;
  #supervisor: Supervisor | undefined;
  #management: Management | undefined;
  #stopping: Promise<void> | undefined;
  readonly #ending = new AbortController();
  address = "";

  constructor(parts: NodeParts) {
    this.#parts = parts;
    const { config, world, node } = parts;
    this.#table = Table.allocate(config.destination.length);
    this.#started = world.clock.now();
    // Before the intake thread writes it anew.
    this.#remembered = peekMark(world.files, config.data)?.destinations;
    this.#intake = new IntakeThread({
      table: this.#table.buffer,
      dir: config.data,
      node,
      version,
      started: this.#started,
      http: config.http,
      log: config.log,
      destinations: parts.receivers,
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
    const { config, world, journal, node } = this.#parts;
    this.#intake.onReport = (text) => journal.say("warning", text);
    this.#intake.onLogStopped = () => void this.#drain();
    this.#intake.onDeath = (text) => this.#die(text);
    this.#onSignals();
    const recovered = await this.#intake.recovered.catch((problem) => {
      throw explained(problem, config.data);
    });
    this.#tellRecovery(recovered.recovered);
    makeCursors(world, config.data, {
      node,
      destinations: config.destination,
      remembered: this.#remembered,
      start: recovered.start,
      end: recovered.end,
      report: (destination, text) => journal.say("error", text, { destination }),
    });
    this.#supervisor = new Supervisor({
      world,
      table: this.#table,
      dir: config.data,
      node,
      destinations: config.destination,
      addSleeper: (number, nudges) => this.#intake.addSleeper(number, nudges),
      report: (destination, news) => {
        if (news.kind === "well") return journal.say("info", "delivers again", { destination });
        journal.say(news.kind === "lost" ? "error" : "warning", news.text, { destination });
      },
    });
    this.#management = await this.#openManagement();
    this.#goOn();
    this.address = await this.#intake.listen(config.http.listen);
    journal.say("info", "ready", { http: this.address, management: this.managementAddress, node });
  }

  stop(): Promise<void> {
    return this.#stopping ??= this.#stopAll();
  }

  async #stopAll(): Promise<void> {
    const { world } = this.#parts;
    this.#ending.abort();
    const parts = [this.#intake.stop(), this.#supervisor?.stop(), this.#management?.shutdown()];
    await Promise.race([Promise.allSettled(parts), world.clock.sleep(stopMs)]);
  }

  #onSignals(): void {
    const { journal } = this.#parts;
    for (const signal of Deno.build.os === "windows" ? ["SIGINT" as const] : ["SIGINT" as const, "SIGTERM" as const]) {
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

  /** The disk has failed: nothing more is taken, what is safe still goes out for a while. */
  async #drain(): Promise<void> {
    const { world, journal } = this.#parts;
    journal.say("error", "the log has stopped; delivering what is on disk, then ending");
    const end = world.clock.elapsed() + drainMs;
    while (world.clock.elapsed() < end && this.#isBehind()) await world.clock.sleep(100);
    await this.stop();
    this.#code.resolve(exitCodes.logStopped);
  }

  #isBehind(): boolean {
    const durable = this.#table.get("durable");
    return this.#parts.config.destination.some((_, number) => this.#table.destination(number).position < durable);
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
    goRounds({ world, journal, reserveBytes, facts: () => this.#facts() }, signal).catch(failed);
  }

  #openManagement(): Promise<Management> {
    const { config, world, journal, node } = this.#parts;
    return openManagement({
      listen: config.management.listen,
      clock: world.clock,
      status: () => fullStatus(this.#facts()),
      metrics: () => renderMetrics(this.#facts()),
      ready: () => notReady(this.#table),
      order: (name, order) => this.#supervisor!.order(name, order),
      tail: logTail({ world, table: this.#table, dir: config.data, node }),
      report: (problem) => journal.say("error", `management: ${problem instanceof Error ? problem.message : problem}`),
    }).catch((problem) => {
      throw new CommandError(exitCodes.cannotListen, (problem as Error).message);
    });
  }

  #facts(): NodeFacts {
    const { config, world, node } = this.#parts;
    return {
      version,
      node,
      table: this.#table,
      now: world.clock.now(),
      started: this.#started,
      residentBytes: Deno.memoryUsage().rss,
      destinations: config.destination.map(({ name, kind, required }, number) => ({
        name,
        kind,
        required,
        lastError: this.#supervisor?.lastErrors[number] ?? "",
      })),
    };
  }
}

type Recovery = Extract<IntakeNews, { kind: "recovered" }>;

/** Main's side of the intake thread. */
class IntakeThread {
  readonly #worker: Worker;
  readonly #recovered = Promise.withResolvers<Recovery>();
  readonly #listening = Promise.withResolvers<string>();
  readonly #stopped = Promise.withResolvers<void>();
  onReport: (text: string) => void = () => {};
  onLogStopped: () => void = () => {};
  onDeath: (text: string) => void = () => {};

  constructor(workerData: IntakeJob) {
    this.#worker = new Worker(new URL("../ingest/thread.ts", import.meta.url), { workerData });
    this.#worker.on("message", (news: IntakeNews) => this.#hear(news));
    this.#worker.on("error", (problem: Error) => this.#end(problem.message));
    this.#worker.on("exit", () => this.#end("it ended"));
    this.#listening.promise.catch(() => {});
    this.#recovered.promise.catch(() => {});
  }
  get recovered(): Promise<Recovery> {
    return this.#recovered.promise;
  }
  async listen(address: string): Promise<string> {
    this.#order({ kind: "listen" });
    try {
      return await this.#listening.promise;
    } catch (problem) {
      const reason = codeOf(problem) === "EADDRINUSE" ? "something else listens there" : (problem as Error).message;
      throw new CommandError(
        exitCodes.cannotListen,
        `Cannot listen on ${address}: ${reason}; choose another with http.listen`,
      );
    }
  }
  addSleeper(number: number, nudges: MessagePort): void {
    this.#worker.postMessage({ kind: "sleeper", number, nudges } satisfies IntakeOrder, [nudges]);
  }
  async stop(): Promise<void> {
    this.onDeath = () => {};
    this.#order({ kind: "stop" });
    await this.#stopped.promise;
    await this.#worker.terminate();
  }
  #order(order: IntakeOrder): void {
    this.#worker.postMessage(order);
  }
  #hear(news: IntakeNews): void {
    if (news.kind === "recovered") this.#recovered.resolve(news);
    if (news.kind === "listening") this.#listening.resolve(news.address);
    if (news.kind === "report") this.onReport(news.text);
    if (news.kind === "logStopped") this.onLogStopped();
    if (news.kind === "stopped") this.#stopped.resolve();
    if (news.kind === "failed") this.#fail(Object.assign(new Error(news.text), { code: news.code }));
  }
  #fail(problem: Error): void {
    this.#recovered.reject(problem);
    this.#listening.reject(problem);
    this.#stopped.resolve();
  }
  #end(text: string): void {
    this.#fail(new Error(text));
    this.onDeath(text);
  }
}

function greet(config: Config, running: RunningNode, configPath: string | undefined): void {
  const url = `http://${running.address}${config.http.root}`;
  const out = config.destination.find(({ kind, name }) => kind === "file" && name === "out");
  const lines = [
    `Sparkngin ${version} takes messages at ${url}/log${configPath ? ` (configuration: ${configPath})` : ""}`,
    "",
    "Send one:",
    `  curl -i '${url}/log?topic=hello&level=info&name=world'`,
    "See it arrive:",
    ...(out ? [`  tail -F ${config.data}/out/hello/*/*`] : []),
    `  sparkngin tail${
      running.managementAddress === "127.0.0.1:8081" ? "" : ` --url http://${running.managementAddress}`
    }`,
    `How it is: http://${running.managementAddress}/status`,
    "",
  ];
  console.log(lines.join("\n"));
}
