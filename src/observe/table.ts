/**
 * The one small table all threads share: how far the log is durable, and for each destination how far it is, its counts and
 * its state. One writer a cell; whoever reads sees whole numbers. Texts (a destination's last error) travel as messages.
 */
import { type Counts, type Position, verdicts } from "../log/mod.ts";

const nodeCells = [
  "durable",
  "segment",
  "commits",
  "start",
  "epoch",
  "state",
  "accepted",
  "acceptedBytes",
  "requests",
  "refused",
  "denied",
  "limited",
  "repeated",
  "known",
  "diverted",
  "unavailable",
  "logBytes",
  "freeBytes",
  "syncs",
  "syncMicros",
  "beats",
  "zeromqConnections",
  "zeromqAccepted",
  "zeromqBad",
  "zeromqLong",
  "zeromqTopics",
  "zeromqDropped",
  "zeromqProtocol",
  "zeromqTooLarge",
  "zeromqTooSlow",
  "zeromqTooMany",
  "pipeAccepted",
  "pipeRefused",
  "pipeDropped",
] as const;
export type NodeCell = (typeof nodeCells)[number];

const destinationCells = [
  "position",
  "durable",
  ...verdicts,
  "generation",
  "generationStart",
  "state",
  "asleep",
  "waiters",
  "tries",
  "restarts",
  "batches",
  "bytes",
  "sendMicros",
  "since",
  "deadBytes",
  "held",
  "ahead",
  "stalled",
  "alone",
  "waiting",
  "atOnce",
  "throttles",
  "capped",
  "cappedMicros",
] as const;
export type DestinationCell = (typeof destinationCells)[number];

/** Of the log: what a request would meet. */
export const nodeStates = ["starting", "ready", "full", "exhausted", "stopped", "stopping"] as const;
export type NodeState = (typeof nodeStates)[number];

/**
 * Of a destination: "waiting" = it has messages and cannot deliver them now; "unattended" = nobody subscribes to it, and it owes
 * nobody anything.
 */
export const destinationStates = ["starting", "delivering", "waiting", "paused", "stopped", "unattended"] as const;
export type DestinationState = (typeof destinationStates)[number];

export class Table {
  readonly buffer: SharedArrayBuffer;
  readonly #cells: BigInt64Array;

  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.#cells = new BigInt64Array(buffer);
  }

  static allocate(destinations: number): Table {
    return new Table(new SharedArrayBuffer(8 * (nodeCells.length + destinations * destinationCells.length)));
  }

  /** How many destinations there is room for. */
  get room(): number {
    return (this.#cells.length - nodeCells.length) / destinationCells.length;
  }
  get(cell: NodeCell): number {
    return Number(Atomics.load(this.#cells, nodeCells.indexOf(cell)));
  }
  set(cell: NodeCell, value: number): void {
    Atomics.store(this.#cells, nodeCells.indexOf(cell), BigInt(value));
  }
  add(cell: NodeCell, value: number): void {
    Atomics.add(this.#cells, nodeCells.indexOf(cell), BigInt(value));
  }
  /** The cells of the destination with this number: it keeps it while the process runs, whatever is reloaded. */
  destination(number: number): DestinationCells {
    return new DestinationCells(this.#cells, nodeCells.length + number * destinationCells.length);
  }
}

export class DestinationCells {
  readonly #cells: BigInt64Array;
  readonly #base: number;

  constructor(cells: BigInt64Array, base: number) {
    this.#cells = cells;
    this.#base = base;
  }
  get(cell: DestinationCell): number {
    return Number(Atomics.load(this.#cells, this.#index(cell)));
  }
  set(cell: DestinationCell, value: number): void {
    Atomics.store(this.#cells, this.#index(cell), BigInt(value));
  }
  add(cell: DestinationCell, value: number): void {
    Atomics.add(this.#cells, this.#index(cell), BigInt(value));
  }
  /** Sets the cell and says what it was. */
  exchange(cell: DestinationCell, value: number): number {
    return Number(Atomics.exchange(this.#cells, this.#index(cell), BigInt(value)));
  }
  /** For the next destination with this number. */
  clear(): void {
    for (const cell of destinationCells) this.set(cell, 0);
  }
  get position(): Position {
    return this.get("position") as Position;
  }
  get counts(): Counts {
    return Object.fromEntries(verdicts.map((verdict) => [verdict, this.get(verdict)])) as Counts;
  }
  #index(cell: DestinationCell): number {
    return this.#base + destinationCells.indexOf(cell);
  }
}
