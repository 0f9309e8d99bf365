/** What the intake needs around it, in memory: a log that says when it is durable, requests, settings. */
import { type Config, sections } from "../../src/config/keys.ts";
import { defaults } from "../../src/config/options.ts";
import type { LogWriter, Position } from "../../src/log/mod.ts";
import { decodeEntry } from "../../src/message/wire.ts";
import type { Message } from "../../src/message/message.ts";
import { nodeStates, Table } from "../../src/observe/table.ts";
import { type Answer, type HttpRequest, type Span, TooLarge } from "../../src/ingest/http.ts";
import { Deliveries, type Receiver } from "../../src/ingest/deliveries.ts";
import { SimClock } from "../sim/clock.ts";
import type { Rules } from "../../src/ingest/rules.ts";
import { type Handle, openRoutes, type RouteParts } from "../../src/ingest/routes.ts";

export const arrival = 1_395_012_345_634;

const utf8 = new TextEncoder();
export const bytesOf = (text: string): Uint8Array => utf8.encode(text);
export const textOf = (bytes: Uint8Array): string => new TextDecoder("utf-8", { fatal: true }).decode(bytes);

export const spanOf = (text: string): Span => ({ bytes: bytesOf(text), from: 0, to: bytesOf(text).length });
export const spanText = ({ bytes, from, to }: Span): string => new TextDecoder().decode(bytes.subarray(from, to));

/** A log whose commits end when the test says so. */
export class FakeLog implements LogWriter {
  readonly entries: Uint8Array[] = [];
  /** Thrown by the next `append`. */
  refusal: Error | undefined;
  position = 0;
  #commit: PromiseWithResolvers<void> | undefined;

  append(bytes: Uint8Array, count: number): Position {
    if (this.refusal) throw this.refusal;
    this.entries.push(bytes.slice());
    this.position += count;
    return (this.position - count) as Position;
  }
  get next(): Position {
    return this.position as Position;
  }
  durable(): Promise<void> {
    this.#commit ??= Promise.withResolvers<void>();
    return this.#commit.promise;
  }
  /** Ends the commit, well or badly. */
  commit(problem?: Error): void {
    if (problem) this.#commit?.reject(problem);
    else this.#commit?.resolve();
    this.#commit = undefined;
  }
  get messages(): Message[] {
    return this.entries.flatMap((entry) => decodeEntry(entry));
  }
  async probe(): Promise<void> {
    if (this.refusal) throw this.refusal;
  }
  trim(): void {}
  async close(): Promise<void> {}
}

export interface Asked {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Uint8Array;
  readonly peer?: string;
  readonly secure?: boolean;
}

export function request(target: string, asked: Asked = {}): HttpRequest {
  const body = typeof asked.body === "string" ? bytesOf(asked.body) : asked.body ?? new Uint8Array(0);
  return {
    method: asked.method ?? (asked.body === undefined ? "GET" : "POST"),
    target: spanOf(target),
    peer: asked.peer ?? "192.0.2.7",
    secure: asked.secure ?? false,
    header: (name) => asked.headers?.[name] ?? null,
    headerSpan: (name) => {
      const value = asked.headers?.[name];
      // deno-lint-ignore no-control-regex
      return value !== undefined && /^[\x00-\x7f]*$/.test(value) ? spanOf(value) : undefined;
    },
    headersFrom: (prefix) =>
      Object.entries(asked.headers ?? {}).filter(([name]) => name.startsWith(prefix))
        .map(([name, value]) => [name.slice(prefix.length), value]),
    body: async (limit) => {
      if (body.length > limit) throw new TooLarge("too large");
      return body;
    },
  };
}

export interface Node {
  readonly log: FakeLog;
  readonly table: Table;
  readonly deliveries: Deliveries;
  /** Of the waits for deliveries. */
  readonly clock: SimClock;
  readonly handle: Handle;
  /** Asks and ends the commit. */
  ask(target: string, asked?: Asked): Promise<Answer>;
}

/** What only some nodes have. */
export type MoreParts = Partial<Pick<RouteParts, "gate" | "entry" | "repeats" | "ids">>;

export function openNode(
  settings: Partial<Config["http"]> = {},
  receivers: readonly Omit<Receiver, "number">[] = [],
  more: MoreParts = {},
): Node {
  const log = new FakeLog();
  const table = Table.allocate(receivers.length);
  const clock = new SimClock();
  const deliveries = new Deliveries({
    clock,
    setWaiters: (number, count) => table.destination(number).set("waiters", count),
  });
  deliveries.configure(receivers.map((receiver, number) => ({ ...receiver, number })), 30_000);
  table.set("state", nodeStates.indexOf("ready"));
  const handle = openRoutes({
    http: { ...defaults(sections.http), ...settings },
    log,
    deliveries,
    clock: { now: () => arrival, elapsed: () => 0, sleep: async () => {}, turn: (run) => run() },
    table,
    node: "9f3c01aa27de4410",
    epoch: () => 3,
    version: "0",
    status: () => '{"version":"0"}',
    ...more,
  });
  const ask = async (target: string, asked?: Asked) => {
    const answer = handle(request(target, asked));
    // A body is read first, so the commit may begin some turns later.
    for (let i = 0; i < 10; i++) await Promise.resolve();
    log.commit();
    return await answer;
  };
  return { log, table, deliveries, clock, handle, ask };
}

/** The problem of an answer, with its status. */
export function problemIn(answer: Answer): Record<string, unknown> {
  return JSON.parse(answer.body as string);
}

export function rulesWith(rules: Partial<Rules> = {}): Rules {
  return {
    messageMax: 900 * 1024,
    messagesMax: 50_000,
    depthMax: 64,
    topic: "test",
    admit: () => undefined,
    ...rules,
  };
}
