/** What the log holds from before the start of requests with a key and of messages with an id, read from its files. */
import { type Entry, LocalWatermark, type Position, SegmentReader, Timeline } from "../log/mod.ts";
import { identitiesIn } from "../message/identity.ts";
import { idempotencyOf } from "../message/wire.ts";
import type { World } from "../os/world.ts";
import type { IdHistory } from "./known_ids.ts";
import type { History } from "./repeats.ts";

/** How far the log went when this start found it. */
export interface Before {
  readonly dir: string;
  readonly node: string;
  readonly end: Position;
  /** The sequence of its last segment. */
  readonly segment: number;
}

/** At a time, so that others have their turn. */
const limit = { count: 10_000, bytes: 1 << 20 };

export function openHistory(world: World, before: Before): History {
  return async function* (windowMs) {
    for await (const { bytes, position: first, count, epoch } of lastEntries(world, before, windowMs)) {
      const identity = idempotencyOf(bytes);
      if (identity === undefined) continue;
      // Their bytes are the reader's until it goes on.
      yield { identity: { key: identity.key.slice(), body: identity.body.slice() }, first, count, epoch };
    }
  };
}

export function openIdHistory(world: World, before: Before): IdHistory {
  return async function* (windowMs) {
    for await (const { bytes } of lastEntries(world, before, windowMs)) yield identitiesIn(bytes);
  };
}

/** Of the window before the last of them: while no process ran no time has passed for those who waited for it. */
async function* lastEntries(
  world: World,
  { dir, node, end, segment }: Before,
  windowMs: number,
): AsyncGenerator<Entry> {
  const timeline = new Timeline(world.files, dir, end);
  const from = timeline.at(Math.min(world.clock.now(), timeline.lastTime ?? Infinity) - windowMs);
  const mark = new LocalWatermark();
  mark.raise(end, segment);
  const reader = new SegmentReader(world, dir, node, from, mark);
  try {
    for (let items = reader.next(limit); items.length > 0; items = reader.next(limit)) {
      for (const item of items) if ("bytes" in item) yield item;
      await new Promise<void>((resolve) => world.clock.turn(resolve));
    }
  } finally {
    reader.close();
  }
}
