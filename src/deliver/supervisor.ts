/** [shell] Starts a thread for each destination, starts it again when it dies, and stops them all. */
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import type { Destination } from "../config/keys.ts";
import { destinationStates, type Table } from "../observe/table.ts";
import type { World } from "../os/world.ts";
import { pauseAfter } from "./backoff.ts";
import type { DestinationJob, DestinationNews } from "./worker.ts";

export interface SupervisorParts {
  readonly world: World;
  readonly table: Table;
  readonly dir: string;
  readonly node: string;
  readonly destinations: readonly Destination[];
  /** Hands the writer the port by which it wakes destination `number`. */
  readonly addSleeper: (number: number, nudges: MessagePort) => void;
  readonly report: (destination: string, news: Exclude<DestinationNews, { kind: "stopped" }>) => void;
}

/** What a destination's code may keep on its heap; its batches are bounded by `batch_bytes`. */
const heapMiB = 256;
const stopMs = 700;

export class Supervisor {
  readonly #parts: SupervisorParts;
  readonly #threads: DestinationThread[];
  readonly lastErrors: string[];

  constructor(parts: SupervisorParts) {
    this.#parts = parts;
    this.lastErrors = parts.destinations.map(() => "");
    this.#threads = parts.destinations.map((_, number) => new DestinationThread(this.#partsOf(number)));
  }

  /** Resolves when every pump has stopped and its cursor is durable; who takes too long is cut off, which costs copies. */
  async stop(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.stop()));
  }

  #partsOf(number: number): SupervisorParts & { number: number; hear: (news: DestinationNews) => void } {
    const { report, destinations } = this.#parts;
    const hear = (news: DestinationNews) => {
      if (news.kind === "stopped") return;
      if (news.kind === "trouble") this.lastErrors[number] = news.text;
      if (news.kind === "well") this.lastErrors[number] = "";
      report(destinations[number]!.name, news);
    };
    return { ...this.#parts, number, hear };
  }
}

type ThreadParts = SupervisorParts & { readonly number: number; readonly hear: (news: DestinationNews) => void };

class DestinationThread {
  readonly #parts: ThreadParts;
  readonly #stopping = new AbortController();
  #worker: Worker | undefined;
  #deaths = 0;
  #ended: Promise<void>;

  constructor(parts: ThreadParts) {
    this.#parts = parts;
    this.#ended = this.#keepRunning();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#worker?.postMessage("stop");
    const { world } = this.#parts;
    const limit = new AbortController();
    await Promise.race([this.#ended, world.clock.sleep(stopMs, limit.signal)]);
    limit.abort();
    await this.#worker?.terminate();
  }

  async #keepRunning(): Promise<void> {
    const { world, table, number, hear } = this.#parts;
    const cells = table.destination(number);
    while (!this.#stopping.signal.aborted) {
      const began = world.clock.elapsed();
      const death = await this.#runOnce();
      if (death === undefined || this.#stopping.signal.aborted) return;
      cells.add("restarts", 1);
      cells.set("state", destinationStates.indexOf("waiting"));
      if (world.clock.elapsed() - began > 60_000) this.#deaths = 0;
      hear({ kind: "trouble", text: `its thread died and starts again: ${death}`, tries: ++this.#deaths });
      await world.clock.sleep(pauseAfter(this.#deaths, world.random), this.#stopping.signal);
    }
  }

  /** Resolves when the thread is no more: with the reason if it was not told to stop. */
  #runOnce(): Promise<string | undefined> {
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    const worker = this.#start();
    this.#worker = worker;
    let death = "it ended";
    worker.on("message", (news: DestinationNews) => {
      if (news.kind === "stopped") resolve(undefined);
      else this.#parts.hear(news);
    });
    worker.on("error", (problem: Error) => death = problem.message);
    worker.on("exit", () => resolve(death));
    return promise;
  }

  #start(): Worker {
    const { port1, port2 } = new MessageChannel();
    const { table, number, dir, node, destinations, addSleeper } = this.#parts;
    const destination = destinations[number]!;
    addSleeper(number, port1);
    const workerData: DestinationJob = {
      destination,
      number,
      table: table.buffer,
      dir,
      outDir: destination.name === "out" ? `${dir}/out` : `${dir}/out-${destination.name}`,
      node,
      nudges: port2,
    };
    return new Worker(new URL("./worker.ts", import.meta.url), {
      workerData,
      transferList: [port2],
      resourceLimits: { maxOldGenerationSizeMb: heapMiB },
    });
  }
}
