/**
 * A destination goes on without messages: skipped by command, expired, overwritten. Where topics wait, of those between the cursor
 * and what is delivered ahead of them only the ones that wait are passed over; the others have their verdicts.
 */
import type { Cursor, LogReader, Position, Side, Verdict } from "../log/mod.ts";
import { decodeEntry } from "../message/wire.ts";

export interface Passing {
  readonly to: Position;
  readonly verdict: Verdict;
  /** A reader of the log, for what waits before `to`. */
  readonly openReader: () => LogReader;
}

/** Until the cursor stands at `to`, or topics wait from there on; how many messages were passed over. */
export function passOver(cursor: Cursor, { to, verdict, openReader }: Passing): number {
  const beyond = Math.max(0, to - cursor.ahead);
  const within = beyond > 0 || cursor.sides.size === 0 ? new Map<string, Side>() : sidesFrom(to, cursor, openReader);
  const ahead = Math.max(to, cursor.ahead) as Position;
  const left = [...within.values()].reduce((sum, { waits }) => sum + waits, 0);
  const passed = beyond + cursor.waiting - left;
  cursor.settle(ahead, within, { [verdict]: passed });
  return passed;
}

/** The side cursors as they are once everything before `to` is passed over. */
function sidesFrom(to: Position, cursor: Cursor, openReader: () => LogReader): Map<string, Side> {
  const moved = new Map([...cursor.sides].filter(([, { from }]) => from < to));
  const sides = new Map(cursor.sides);
  if (moved.size === 0 || to >= cursor.ahead) return to >= cursor.ahead ? new Map() : sides;
  const reader = openReader();
  try {
    const before = countIn(reader, moved, { from: cursor.position, to });
    // What is not there any more cannot be counted, but what is left can.
    const after = before === undefined ? countIn(reader, moved, { from: to, to: cursor.ahead }) : undefined;
    for (const [topic, { waits }] of moved) {
      const left = before ? waits - (before.get(topic) ?? 0) : Math.min(waits, after?.get(topic) ?? waits);
      if (left > 0) sides.set(topic, { from: to, waits: left });
      else sides.delete(topic);
    }
    return sides;
  } finally {
    reader.close();
  }
}

const atOnce = { count: 10_000, bytes: 1 << 20 };

/** How many messages that wait there are of each topic; undefined when some cannot be read. */
function countIn(
  reader: LogReader,
  sides: ReadonlyMap<string, Side>,
  { from, to }: { readonly from: Position; readonly to: Position },
): ReadonlyMap<string, number> | undefined {
  const counts = new Map<string, number>();
  reader.seek(from);
  for (let at = from as number; at < to;) {
    const items = reader.next(atOnce);
    if (items.length === 0) return undefined;
    for (const item of items) {
      if ("why" in item) return undefined;
      decodeEntry(item.bytes).forEach(({ topic }, i) => {
        const position = item.position + i;
        if (position >= Math.max(from, sides.get(topic)?.from ?? Infinity) && position < to) {
          counts.set(topic, (counts.get(topic) ?? 0) + 1);
        }
      });
      at = item.position + item.count;
    }
  }
  return counts;
}
