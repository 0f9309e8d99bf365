/** [shell] Starts a thread for each destination, starts it again when it dies, and ends one or all. */
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import type { Destination } from "../config/keys.ts";
import { destinationStates, type Table } from "../observe/table.ts";
import type { World } from "../os/world.ts";
import { pauseAfter } from "./backoff.ts";
import type { Order, Outcome, Refusal, Standing } from "./control.ts";
import type { LetterOrder, LetterOutcome } from "./letter_order.ts";
import type { DestinationJob, DestinationNews, DestinationTold } from "./worker.ts";

export interface SupervisorParts {
  readonly world: World;
  readonly table: Table;
  readonly dir: string;
  readonly node: string;
  /** Hands the writer the port by which it wakes destination `number`. */
  readonly addSleeper: (number: number, nudges: MessagePort) => void;
  readonly report: (destination: string, news: Report) => void;
}
/** What the operator is told of a destination. */
export type Report = Exclude<DestinationNews, { kind: "stopped" | "obeyed" }>;

/** What a destination's code may keep on its heap; its batches are bounded by `batch_bytes`. */
const heapMiB = 256;
const stopMs = 700;
/** An order interrupts whatever the thread does, so this is long. */
const orderMs = 10_000;
/** Dead letters are looked through for one, which takes a while where there are many. */
const lettersMs = 60_000;
const unavailable: Refusal = {
  refused: "unavailable",
  why: "Its thread does not answer: try again, and see the status whether it was carried out",
};

/** A destination and its number in the table. */
export interface Placed {
  readonly number: number;
  readonly destination: Destination;
}

interface LastError {
  /** Empty when all is well. */
  text: string;
}

export class Supervisor {
  readonly #parts: SupervisorParts;
  readonly #running = new Map<number, Placed & { readonly thread: DestinationThread; readonly last: LastError }>();

  constructor(parts: SupervisorParts) {
    this.#parts = parts;
  }

  /** Its cursor is there already. */
  begin(placed: Placed): void {
    const { number, destination: { name } } = placed;
    const last: LastError = { text: "" };
    const hear = (news: Report) => {
      if (news.kind === "trouble") last.text = news.text;
      if (news.kind === "well" || news.kind === "alone") last.text = "";
      this.#parts.report(name, news);
    };
    const thread = new DestinationThread({ ...this.#parts, ...placed, hear });
    this.#running.set(number, { ...placed, thread, last });
  }

  /** Resolves when its pump has stopped and its cursor is durable; if it takes too long it is cut off, which costs copies. */
  async end(number: number): Promise<void> {
    const running = this.#running.get(number);
    await running?.thread.stop();
    this.#running.delete(number);
  }

  /** The same for all. */
  async stop(): Promise<void> {
    await Promise.all([...this.#running.values()].map(({ thread }) => thread.stop()));
  }

  /** Empty when all is well. */
  lastError(number: number): string {
    return this.#running.get(number)?.last.text ?? "";
  }

  /** Tells a destination what to do; undefined when there is none of that name. */
  async order(name: string, order: Order): Promise<Outcome | undefined> {
    const outcome = await this.#thread(name)?.order<Outcome>(order, orderMs);
    if (outcome === undefined) return undefined;
    if (!("refused" in outcome)) {
      this.#parts.report(name, { kind: "notice", text: `${order.do} by command: ${described(outcome)}` });
    }
    return outcome;
  }

  /** The same for its dead letters. */
  async letters(name: string, order: LetterOrder): Promise<LetterOutcome | undefined> {
    const outcome = await this.#thread(name)?.order<LetterOutcome>(order, lettersMs);
    if (outcome !== undefined && "letters" in outcome) {
      const text = `${order.do} of dead letters by command: ${outcome.letters}`;
      this.#parts.report(name, { kind: "notice", text });
    }
    return outcome;
  }

  #thread(name: string): DestinationThread | undefined {
    return [...this.#running.values()].find(({ destination }) => destination.name === name)?.thread;
  }
}

function described({ state, position, pending, generation }: Standing): string {
  return `${state} from ${position}, ${pending} messages wait, generation ${generation}`;
}

type ThreadParts = SupervisorParts & Placed & { readonly hear: (news: Report) => void };

/** Who gave an order, and how long that one waits. */
interface Unanswered {
  readonly resolve: (outcome: any) => void;
  readonly patience: AbortController;
}

class DestinationThread {
  readonly #parts: ThreadParts;
  readonly #stopping = new AbortController();
  #worker: Worker | undefined;
  #alive = false;
  #deaths = 0;
  #ended: Promise<void>;
  #orders = 0;
  /** Orders that the thread has not answered yet, by their numbers. */
  readonly #unanswered = new Map<number, Unanswered>();

  constructor(parts: ThreadParts) {
    this.#parts = parts;
    this.#ended = this.#keepRunning();
  }

  /** Resolves when the thread has carried it out, or cannot. */
  order<T>(order: Order | LetterOrder, patienceMs: number): Promise<T | Refusal> {
    const { promise, resolve } = Promise.withResolvers<T | Refusal>();
    const number = ++this.#orders;
    const patience = new AbortController();
    this.#unanswered.set(number, { resolve, patience });
    if (this.#alive) this.#tell({ kind: "order", number, order });
    else this.#answer(number, unavailable);
    const { clock } = this.#parts.world;
    void clock.sleep(patienceMs, patience.signal).then(() => this.#answer(number, unavailable));
    return promise;
  }

  #tell(told: DestinationTold): void {
    this.#worker?.postMessage(told);
  }
  #answer(number: number, outcome: Outcome | LetterOutcome): void {
    const unanswered = this.#unanswered.get(number);
    this.#unanswered.delete(number);
    unanswered?.resolve(outcome);
    unanswered?.patience.abort();
  }
  #giveUpOrders(): void {
    for (const number of [...this.#unanswered.keys()]) this.#answer(number, unavailable);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#tell({ kind: "stop" });
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
    let worker: Worker;
    try {
      worker = this.#start();
    } catch (problem) {
      return Promise.resolve(`it cannot be started: ${(problem as Error).message}`);
    }
    this.#worker = worker;
    this.#alive = true;
    let death = "it ended";
    worker.on("message", (news: DestinationNews) => {
      if (news.kind === "stopped") resolve(undefined);
      else if (news.kind === "obeyed") this.#answer(news.number, news.outcome);
      else this.#parts.hear(news);
    });
    worker.on("error", (problem: Error) => death = problem.message);
    worker.on("exit", () => {
      this.#alive = false;
      this.#giveUpOrders();
      resolve(death);
    });
    return promise;
  }

  #start(): Worker {
    const { port1, port2 } = new MessageChannel();
    const { table, number, destination, dir, node, addSleeper } = this.#parts;
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
