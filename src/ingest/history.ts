/** The requests with a key that the log holds from before the start, read from its files. */
import { LocalWatermark, type Position, SegmentReader, Timeline } from "../log/mod.ts";
import { idempotencyOf } from "../message/wire.ts";
import type { World } from "../os/world.ts";
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

export function openHistory(world: World, { dir, node, end, segment }: Before): History {
  return async function* (since) {
    const from = new Timeline(world.files, dir, end).at(since);
    const mark = new LocalWatermark();
    mark.raise(end, segment);
    const reader = new SegmentReader(world, dir, node, from, mark);
    try {
      for (let items = reader.next(limit); items.length > 0; items = reader.next(limit)) {
        for (const item of items) {
          if (!("bytes" in item)) continue;
          const identity = idempotencyOf(item.bytes);
          if (identity === undefined) continue;
          const { position: first, epoch, time } = item;
          // Their bytes are the reader's until it goes on.
          yield { identity: { key: identity.key.slice(), body: identity.body.slice() }, first, epoch, time };
        }
        await new Promise<void>((resolve) => world.clock.turn(resolve));
      }
    } finally {
      reader.close();
    }
  };
}
