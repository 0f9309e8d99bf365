/** [shell] Main's side of the intake thread: orders in, news out. */
import process from "node:process";
import { type MessagePort, Worker } from "node:worker_threads";
import type { IntakeJob, IntakeNews, IntakeOrder, IntakeSettings } from "../ingest/thread.ts";
import { codeOf } from "../os/world.ts";
import { CommandError, exitCodes } from "./exit.ts";

/** What the thread found in the log. */
export type Recovery = Extract<IntakeNews, { kind: "recovered" }>;

/** Where it takes messages. */
export type Listening = Extract<IntakeNews, { kind: "listening" }>;

/**
 * The runtime completes at most 128 reads a turn of its loop, the last that became ready first. Beyond 128 busy connections some
 * would wait for a second and more, so it hears of fewer at once: then all that it has heard of have their turn. Read by the
 * runtime when a thread begins.
 */
const eventsPerTick = "DENO_TOKIO_MAX_IO_EVENTS_PER_TICK";
const fairEvents = "96";
/** Tasks between two looks at what is ready. With the runtime's 61, turns of its loop go by in which nothing is read. */
const eventInterval = "DENO_TOKIO_EVENT_INTERVAL";

/**
 * Collecting what is young stops the thread for as long as what survives takes to be copied. Left alone, the runtime lets 32 MiB
 * gather where thousands of clients are waited for, and copies 10 of them at once: with 8 MiB, a third of this, it is 2 at once,
 * and still several times what a thousand busy connections hold.
 */
const resourceLimits = { maxYoungGenerationSizeMb: 24 };

export class IntakeThread {
  readonly #worker: Worker;
  readonly #recovered = Promise.withResolvers<Recovery>();
  readonly #listening = Promise.withResolvers<Listening>();
  readonly #stopped = Promise.withResolvers<void>();
  #configured = Promise.withResolvers<void>();
  onReport: (text: string) => void = () => {};
  onLogStopped: () => void = () => {};
  onDeath: (text: string) => void = () => {};

  constructor(workerData: IntakeJob) {
    process.env[eventsPerTick] ??= fairEvents;
    process.env[eventInterval] ??= "1";
    this.#worker = new Worker(new URL("../ingest/thread.ts", import.meta.url), { workerData, resourceLimits });
    this.#worker.on("message", (news: IntakeNews) => this.#hear(news));
    this.#worker.on("error", (problem: Error) => this.#end(problem.message));
    this.#worker.on("exit", () => this.#end("it ended"));
    this.#listening.promise.catch(() => {});
    this.#configured.promise.catch(() => {});
    this.#recovered.promise.catch(() => {});
  }
  get recovered(): Promise<Recovery> {
    return this.#recovered.promise;
  }
  async listen(address: string): Promise<Listening> {
    this.#order({ kind: "listen" });
    try {
      return await this.#listening.promise;
    } catch (problem) {
      if (["ZeromqProblem", "PipeProblem"].includes(codeOf(problem))) {
        throw new CommandError(exitCodes.cannotListen, (problem as Error).message);
      }
      if (codeOf(problem) === "TlsProblem") throw new CommandError(exitCodes.configuration, (problem as Error).message);
      const reason = codeOf(problem) === "EADDRINUSE" ? "something else listens there" : (problem as Error).message;
      throw new CommandError(
        exitCodes.cannotListen,
        `Cannot listen on ${address}: ${reason}; choose another with http.listen`,
      );
    }
  }
  /** Resolves when they hold; rejects when they cannot, and nothing has changed. One call at a time. */
  async configure(settings: IntakeSettings): Promise<void> {
    this.#configured = Promise.withResolvers();
    this.#order({ kind: "configure", settings });
    await this.#configured.promise;
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
    if (news.kind === "listening") this.#listening.resolve(news);
    if (news.kind === "configured") {
      if (news.problem === undefined) this.#configured.resolve();
      else this.#configured.reject(new Error(news.problem));
    }
    if (news.kind === "report") this.onReport(news.text);
    if (news.kind === "logStopped") this.onLogStopped();
    if (news.kind === "stopped") this.#stopped.resolve();
    if (news.kind === "failed") {
      // It said why; that it ends after that is no news, and may not be taken for the reason.
      this.onDeath = () => {};
      this.#fail(Object.assign(new Error(news.text), { code: news.code }));
    }
  }
  #fail(problem: Error): void {
    this.#recovered.reject(problem);
    this.#listening.reject(problem);
    this.#configured.reject(problem);
    this.#stopped.resolve();
  }
  #end(text: string): void {
    this.#fail(new Error(text));
    this.onDeath(text);
  }
}
