/**
 * A destination goes on without messages: skipped by command, expired, overwritten. Where topics wait, of those between the cursor
 * and what is delivered ahead of them only the ones that wait are passed over; the others have their verdicts.
 */
import type { Cursor, LogReader, Position, Side, Verdict } from "../log/mod.ts";
import { decodeEntry } from "../message/wire.ts";
import type { Clock } from "../os/world.ts";
import type { Limit } from "./pace.ts";

/** There may be millions of messages to be looked at: after each slice of them the thread hears and answers others. */
export interface PassingMeans {
  readonly clock: Clock;
  /** A reader of the log, for what waits before `to`. */
  readonly openReader: () => LogReader;
  /** How much is read without giving way. */
  readonly slice?: Limit | undefined;
  /** Called between slices; may pause the cursor, and nothing else. */
  readonly meanwhile?: (() => void) | undefined;
  /** Told to stop: the slice under way was the last. */
  readonly signal?: AbortSignal | undefined;
}
export interface Passing extends PassingMeans {
  readonly to: Position;
  readonly verdict: Verdict;
}

/**
 * Until the cursor stands at `to`, or topics wait from there on; how many messages were passed over. When told to stop before that,
 * the cursor stands where it stood, and there is no number.
 */
export async function passOver(cursor: Cursor, { to, verdict, ...means }: Passing): Promise<number | undefined> {
  const beyond = Math.max(0, to - cursor.ahead);
  const readsNothing = beyond > 0 || cursor.sides.size === 0;
  const within = readsNothing ? new Map<string, Side>() : await sidesFrom(to, cursor, means);
  if (within === undefined) return undefined;
  const ahead = Math.max(to, cursor.ahead) as Position;
  const left = [...within.values()].reduce((sum, { waits }) => sum + waits, 0);
  const passed = beyond + cursor.waiting - left;
  cursor.settle(ahead, within, { [verdict]: passed });
  return passed;
}

/** The side cursors as they are once everything before `to` is passed over; undefined when told to stop. */
async function sidesFrom(to: Position, cursor: Cursor, means: PassingMeans): Promise<Map<string, Side> | undefined> {
  const moved = new Map([...cursor.sides].filter(([, { from }]) => from < to));
  const sides = new Map(cursor.sides);
  if (moved.size === 0 || to >= cursor.ahead) return to >= cursor.ahead ? new Map() : sides;
  const reader = means.openReader();
  try {
    const before = await countIn(reader, moved, { from: cursor.position, to, ...means });
    // What is not there any more cannot be counted, but what is left can.
    const after = before ? undefined : await countIn(reader, moved, { from: to, to: cursor.ahead, ...means });
    if (means.signal?.aborted && (before ?? after) === undefined) return undefined;
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

/** Some milliseconds. */
const usualSlice: Limit = { count: 10_000, bytes: 1 << 20 };

/** How many messages that wait there are of each topic; undefined when some cannot be read, or when told to stop. */
async function countIn(
  reader: LogReader,
  sides: ReadonlyMap<string, Side>,
  { from, to, slice = usualSlice, clock, meanwhile, signal }:
    & PassingMeans
    & { readonly from: Position; readonly to: Position },
): Promise<ReadonlyMap<string, number> | undefined> {
  const counts = new Map<string, number>();
  reader.seek(from);
  for (let at = from as number; at < to;) {
    if (at > from) {
      await new Promise<void>((resolve) => clock.turn(resolve));
      if (signal?.aborted) return undefined;
      meanwhile?.();
    }
    const items = reader.next(slice);
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
