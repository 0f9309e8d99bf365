/** [shell] The live tail's source: reads what becomes durable from the log's files, looking ten times a second while watched. */
import { LocalWatermark, type Position, SegmentReader } from "../log/mod.ts";
import { filterOf } from "../message/filter.ts";
import { formatter } from "../message/format.ts";
import { decodeEntry } from "../message/wire.ts";
import type { TailSource } from "../observe/tail.ts";
import type { Table } from "../observe/table.ts";
import type { World } from "../os/world.ts";

const lookEveryMs = 100;
const limit = { count: 1000, bytes: 1 << 20 };

export interface LogTailParts {
  readonly world: World;
  readonly table: Table;
  readonly dir: string;
  readonly node: string;
}

export function logTail({ world, table, dir, node }: LogTailParts): TailSource {
  const format = formatter("json");
  return async function* (signal, filter) {
    const wants = filterOf(filter);
    const mark = new LocalWatermark();
    const from = table.get("durable") as Position;
    const reader = new SegmentReader(world, dir, node, from, mark);
    try {
      while (!signal.aborted) {
        mark.raise(table.get("durable") as Position, table.get("segment"));
        const items = reader.next(limit);
        if (items.length === 0) await world.clock.sleep(lookEveryMs, signal);
        for (const item of items) {
          if (!("bytes" in item)) continue;
          const messages = decodeEntry(item.bytes);
          for (let i = Math.max(0, from - item.position); i < messages.length; i++) {
            const message = messages[i]!;
            if (wants(message)) yield format(message, message.id ?? `${node}-${item.epoch}-${item.position + i}`);
          }
        }
      }
    } finally {
      reader.close();
    }
  };
}
