/** Data directories for tests of the log's tools: really written, then damaged by hand. */
import {
  claimDirectory,
  destinationKey,
  LocalWatermark,
  openCursor,
  type Position,
  SegmentWriter,
} from "../../src/log/mod.ts";
import { encodeEntry } from "../../src/message/wire.ts";
import { join } from "../../src/os/world.ts";
import { SimWorld } from "../sim/world.ts";

export interface Filling {
  readonly dir?: string;
  readonly seed?: number;
  /** How many messages each commit has; every commit is one entry. */
  readonly commits?: readonly number[];
  /** Bytes of each message's payload: 9000 make about six commits a segment. */
  readonly bytes?: number;
  /** Where each destination stands. */
  readonly cursors?: Readonly<Record<string, number>>;
  /** Time between commits. */
  readonly stepMs?: number;
  readonly topic?: string;
  /** Instead of an entry made up for each commit. */
  readonly entry?: Uint8Array;
  /** As after a crash, rather than an orderly stop. */
  readonly killed?: boolean;
}

/** A directory of a node that is no more. Message n has the payload `{"n":n,…}`. */
export async function filled(sim: SimWorld, filling: Filling = {}): Promise<void> {
  const { dir = "data", commits = [3, 1, 2], bytes = 40, cursors = {}, stepMs = 1000, topic = "t", killed = false } =
    filling;
  const world = sim.boot();
  const node = claimDirectory(world, dir, "the filling");
  const mark = new LocalWatermark();
  const ends = new Map(Object.entries(cursors).map(([name, at]) => [destinationKey(name), at as Position]));
  const options = { segmentBytes: 65_536, reserveBytes: 0, recycle: false, destinations: () => ends, report: () => {} };
  const writer = new SegmentWriter(world, dir, node, mark, options);
  for (const count of commits) {
    writer.append(filling.entry ?? entryOf(mark.position, count, { bytes, topic, now: world.clock.now() }), count);
    await sim.run(writer.durable());
    await sim.run(stepMs);
  }
  for (const [name, at] of Object.entries(cursors)) {
    const nowhere = 0 as Position;
    const cursor = openCursor(world, dir, name, node, { fresh: nowhere, lost: nowhere });
    cursor.advance(at as Position, { taken: at - cursor.position });
    cursor.sync();
    cursor.close();
  }
  if (!killed) await sim.run(writer.close());
  sim.killProcess();
}

function entryOf(first: number, count: number, about: { bytes: number; topic: string; now: number }): Uint8Array {
  const messages = Array.from({ length: count }, (_, i) => {
    const data = new TextEncoder().encode(`{"n":${first + i},"fill":"${"x".repeat(about.bytes)}"}`);
    return { fields: {}, data, dataIsJson: true };
  });
  return encodeEntry({ timestamp: about.now, shared: { topic: about.topic } }, messages);
}

export function segmentsOf(sim: SimWorld, dir = "data"): string[] {
  return sim.filesUnder(join(dir, "log")).filter((path) => path.endsWith(".seg"));
}
