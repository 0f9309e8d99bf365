/** Holds what arrived against what was sent. */
import { outputFiles, parseLine } from "../e2e/output.ts";
import type { Driver } from "./driver.ts";

/** What arrived at one destination. All but the first two must be 0, copies aside where the destination allows them. */
export interface Findings {
  readonly arrived: number;
  readonly copies: number;
  /** Accepted, but not there. */
  readonly lost: number;
  /** There, but refused or never sent. */
  readonly unexpected: number;
  /** There, with other bytes. */
  readonly altered: number;
  /** There for the first time after a later one of its connection. */
  readonly inverted: number;
  /** Requests of which one part is there and another is not. */
  readonly torn: number;
}

/** Looks at everything in the directory of a file destination that has ended. */
export async function examine(driver: Driver, dir: string): Promise<Findings> {
  const oracle = new Oracle(driver);
  for (const topic of driver.topics) {
    for (const file of await outputFiles(dir, topic, [".ndjson", ".open"])) {
      const lines = (await Deno.readTextFile(file)).split("\n").filter((line) => line !== "");
      for (const line of lines) oracle.see(parseLine(line).data ?? "");
    }
  }
  return oracle.findings();
}

export class Oracle {
  readonly #driver: Driver;
  /** By connection: which numbers are there. */
  readonly #there: Set<number>[];
  /** By lane and connection: the last number that came for the first time. */
  readonly #last = new Map<string, number>();
  #copies = 0;
  #unexpected = 0;
  #altered = 0;
  #inverted = 0;

  constructor(driver: Driver) {
    this.#driver = driver;
    this.#there = driver.sent.map(() => new Set());
  }

  /** A payload that arrived, the next in its lane: order holds within a lane, e.g. a partition. */
  see(data: string, lane = ""): void {
    const [, connection, number] = (/^\{"n":"(\d+)-(\d+)"/.exec(data) ?? []).map(Number);
    const fate = this.#driver.sent[connection!]?.fates[number!];
    if (fate === undefined || fate === "fail") return void this.#unexpected++;
    if (data !== this.#driver.payload(connection!, number!)) this.#altered++;
    this.#order(connection!, number!, `${lane} ${connection}`);
  }

  findings(): Findings {
    const { sent } = this.#driver;
    const isLost = (fates: readonly string[], there: Set<number>) =>
      fates.filter((fate, number) => fate === "ok" && !there.has(number)).length;
    return {
      arrived: this.#there.reduce((sum, { size }) => sum + size, 0),
      copies: this.#copies,
      lost: sent.reduce((sum, { fates }, connection) => sum + isLost(fates, this.#there[connection]!), 0),
      unexpected: this.#unexpected,
      altered: this.#altered,
      inverted: this.#inverted,
      torn: sent.reduce((sum, { requests }, connection) => sum + countTorn(requests, this.#there[connection]!), 0),
    };
  }

  #order(connection: number, number: number, lane: string): void {
    const there = this.#there[connection]!;
    if (there.has(number)) return void this.#copies++;
    there.add(number);
    if (number < (this.#last.get(lane) ?? -1)) this.#inverted++;
    this.#last.set(lane, number);
  }
}

function countTorn(requests: readonly number[], there: Set<number>): number {
  const parts = Map.groupBy(requests.keys(), (number) => requests[number]!);
  const isTorn = (numbers: number[]) => new Set(numbers.map((number) => there.has(number))).size > 1;
  return [...parts.values()].filter(isTorn).length;
}
