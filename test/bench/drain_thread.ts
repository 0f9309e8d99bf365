/** The thread of a destination that takes everything at once: its cursor, its reader, its pump, as `deliver/worker.ts` has them. */
import { parentPort, workerData } from "node:worker_threads";
import { destinationKeys } from "../../src/config/keys.ts";
import { defaults } from "../../src/config/options.ts";
import { Control } from "../../src/deliver/control.ts";
import { Letterbox } from "../../src/deliver/letterbox.ts";
import { Pump, type PumpWatch } from "../../src/deliver/pump.ts";
import { LocalWatermark, openCursor, type Position, SegmentReader, Timeline } from "../../src/log/mod.ts";
import { filterOf } from "../../src/message/filter.ts";
import { formatter } from "../../src/message/format.ts";
import { realWorld } from "../../src/os/deno.ts";

export interface DrainJob {
  readonly dir: string;
  readonly node: string;
  readonly name: string;
  readonly from: number;
  readonly end: number;
  /** The sequence number of the last segment. */
  readonly last: number;
}

const { dir, node, name, from, end, last } = workerData as DrainJob;
const world = realWorld();
const warmUpMessages = 100_000;

/** A whole delivery of what stands between the two. */
async function carry(name: string, from: number, end: number): Promise<void> {
  const mark = new LocalWatermark();
  mark.raise(end as Position, last);
  const begin = from as Position;
  const cursor = openCursor(world, dir, name, node, { fresh: begin, lost: begin });
  const { batch, batch_bytes, deadline, refused_max, dead_max } = defaults(destinationKeys);
  const report = (text: string) => console.error(text);
  const ended = new AbortController();
  const watch: PumpWatch = {
    trouble: (text) => text !== undefined && report(text),
    begun() {},
    advanced: () => cursor.position >= end && ended.abort(),
    alone() {},
    synced() {},
    obeyed() {},
    dead() {},
    retaken() {},
    held() {},
    capped() {},
    paced() {},
    expired() {},
    overwritten() {},
    stalled() {},
    lost: report,
  };
  const openReader = () => new SegmentReader(world, dir, node, begin, mark);
  const pump = new Pump({
    world,
    reader: openReader(),
    openReader,
    cursor,
    mark,
    selector: { node, wants: filterOf(), format: formatter("json") },
    limit: { count: batch, bytes: batch_bytes },
    rate: { count: 0, bytes: 0 },
    lingerMs: () => 0,
    deadlineMs: deadline,
    open: async () => ({ send: async () => ({ refused: [], again: [] }), close: async () => {} }),
    deadLetters: new Letterbox({ world, dir, destination: name, cursor, node, bytesMax: dead_max, report }),
    refusedMax: refused_max,
    control: new Control(world.clock, () => new Timeline(world.files, dir, mark.position), openReader),
    watch,
  });
  await pump.run(ended.signal);
  const { taken } = cursor.counts;
  if (taken !== end - from) throw new Error(`Of ${end - from} messages it took ${taken}`);
}

await carry(`${name}-first`, 0, Math.min(end, warmUpMessages));
parentPort!.once("message", async () => {
  await carry(name, from, end);
  parentPort!.postMessage("done");
});
parentPort!.postMessage("ready");
