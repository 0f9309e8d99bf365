/** A log and one destination behind its pump, in a simulated world. */
import {
  Budget,
  claimDirectory,
  LocalWatermark,
  openCursor,
  type Position,
  SegmentReader,
  SegmentWriter,
  Timeline,
} from "../../src/log/mod.ts";
import type { Adaptor, Delivery, Result } from "../../src/deliver/adaptor.ts";
import { Control } from "../../src/deliver/control.ts";
import type { DeadLetters } from "../../src/deliver/dead_letters.ts";
import { Letterbox } from "../../src/deliver/letterbox.ts";
import { Pump, type PumpParts } from "../../src/deliver/pump.ts";
import { encodeEntry } from "../../src/message/wire.ts";
import type { World } from "../../src/os/world.ts";
import { SimWorld } from "../sim/world.ts";

export const utf8 = new TextEncoder();
export const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** What one call of `send` does with its batch. */
export type Behaviour = (batch: readonly Delivery[], signal: AbortSignal) => Promise<Result> | Result;

/** A destination whose next answers are given; afterwards it takes everything. */
export class ScriptedDestination {
  readonly taken: string[] = [];
  readonly batches: string[][] = [];
  opened = 0;
  closed = 0;
  refusesToOpen: Error | undefined;
  /** Whether somebody is there to send to; nothing where that is no question. */
  attended: boolean | undefined;
  readonly script: Behaviour[];

  constructor(...script: Behaviour[]) {
    this.script = script;
  }
  #ready(signal: AbortSignal): Promise<void> {
    if (this.attended || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => signal.addEventListener("abort", () => resolve()));
  }
  open(): Promise<Adaptor> {
    if (this.refusesToOpen) return Promise.reject(this.refusesToOpen);
    this.opened++;
    return Promise.resolve({
      send: async (batch, signal) => {
        this.batches.push(batch.map(({ body }) => textOf(body)));
        const result = await (this.script.shift() ?? takeAll)(batch, signal);
        const left = new Set([...result.again, ...result.refused.map(({ delivery }) => delivery)]);
        this.taken.push(...batch.filter((delivery) => !left.has(delivery)).map(({ body }) => textOf(body)));
        return result;
      },
      ...(this.attended !== undefined && { ready: (signal: AbortSignal) => this.#ready(signal) }),
      close: async () => void this.closed++,
    });
  }
}

const takeAll: Behaviour = () => ({ refused: [], again: [] });
export const breakOff: Behaviour = () => Promise.reject(new Error("connection lost"));

export interface Started {
  readonly sim: SimWorld;
  readonly destination: ScriptedDestination;
  readonly writer: SegmentWriter;
  readonly control: Control;
  readonly cursor: ReturnType<typeof openCursor>;
  readonly troubles: string[];
  /** How long parts had to wait for a cap; how many messages could go at once, each time that changed. */
  readonly capped: number[];
  readonly paced: number[];
  readonly dead: () => DeadLetters;
  readonly deadLetters: Letterbox;
  readonly stop: () => Promise<void>;
  /** Appends messages with these payloads, one entry each, and waits for the commit. */
  put(...payloads: string[]): Promise<void>;
}

function floorOf(world: World, bytes: number): () => Position {
  const budget = new Budget(world.files, "data", bytes);
  return () => budget.floor();
}

export function start(
  destination: ScriptedDestination,
  options:
    & Partial<
      Pick<PumpParts, "deadlineMs" | "limit" | "rate" | "refusedMax" | "listens" | "buffered" | "floor" | "slice">
    >
    & {
      wants?: PumpParts["selector"]["wants"];
      deadMax?: number;
      budget?: number;
      begun?: PumpParts["watch"]["begun"];
    } = {},
  sim = new SimWorld(1),
): Started {
  const world = sim.boot();
  const node = claimDirectory(world, "data", "test");
  const mark = new LocalWatermark();
  const settings = {
    segmentBytes: 65_536,
    reserveBytes: 0,
    recycle: false,
    destinations: () => new Map(),
    report() {},
  };
  const writer = new SegmentWriter(world, "data", node, mark, settings);
  const from = 0 as Position;
  const cursor = openCursor(world, "data", "one", node, { fresh: from, lost: from });
  const troubles: string[] = [];
  const [capped, paced]: [number[], number[]] = [[], []];
  const bytesMax = options.deadMax ?? 1 << 30;
  const deadLetters = new Letterbox({ world, dir: "data", destination: "one", cursor, node, bytesMax, report() {} });
  const dead = () => deadLetters.open();
  const openReader = () => new SegmentReader(world, "data", node, cursor.position, mark);
  const control = new Control(world.clock, () => new Timeline(world.files, "data", mark.position), openReader);
  const pump = new Pump({
    world,
    reader: openReader(),
    openReader,
    cursor,
    mark,
    selector: { node, wants: options.wants ?? (({ level }) => level !== "debug"), format: (message) => message.data },
    limit: { count: 100, bytes: 1 << 20 },
    refusedMax: 50,
    ...(options.budget !== undefined && { floor: floorOf(world, options.budget) }),
    rate: { count: 0, bytes: 0 },
    lingerMs: () => 5,
    deadlineMs: 1000,
    open: () => destination.open(),
    deadLetters,
    control,
    watch: {
      trouble: (text) => void (text && troubles.push(text)),
      begun: options.begun ?? (() => {}),
      advanced() {},
      synced() {},
      obeyed() {},
      dead() {},
      retaken() {},
      held() {},
      capped: (ms) => void (ms > 0 && capped.push(ms)),
      paced: (atOnce) => void paced.push(atOnce),
      stalled: (topics, text) => void (text && troubles.push(`${topics.join(" ")}: ${text}`)),
      expired: (from, to) => void troubles.push(`expired ${from}–${to}`),
      alone: () => void troubles.push("alone"),
      overwritten: (from, to) => void troubles.push(`overwritten ${from}–${to}`),
      lost: (text) => void troubles.push(text),
    },
    ...options,
  });
  const stopping = new AbortController();
  const done = pump.run(stopping.signal);
  done.catch(() => {}); // `stop` tells it
  const stop = async () => {
    stopping.abort();
    await sim.run(done);
  };
  const put = async (...payloads: string[]) => {
    for (const payload of payloads) {
      const fields = {
        topic: /^(\w+)\//.exec(payload)?.[1] ?? "t",
        ...(payload.startsWith("debug") ? { level: "debug" } : {}),
      };
      writer.append(
        encodeEntry({ timestamp: 1, shared: {} }, [{ fields, data: utf8.encode(payload), dataIsJson: false }]),
        1,
      );
    }
    await sim.run(writer.durable());
  };
  return { sim, destination, writer, control, cursor, troubles, capped, paced, dead, deadLetters, stop, put };
}
