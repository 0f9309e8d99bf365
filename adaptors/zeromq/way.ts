/** The two ways out: to everybody who subscribed, or to one peer each. */
import type { Delivery, Place, Result } from "../../src/deliver/adaptor.ts";
import type { Connection, Owner } from "../../src/zmtp/connection.ts";
import type { Outgoing } from "../../src/zmtp/outgoing.ts";
import { Publisher } from "../../src/zmtp/publisher.ts";
import { Pusher } from "../../src/zmtp/pusher.ts";

export interface Way {
  own(connection: Connection): Owner;
  ready(signal: AbortSignal): Promise<void>;
  send(batch: readonly Delivery[], frames: Outgoing, signal: AbortSignal): Promise<Result>;
  /** What waits for peers is given so long to go out before the end. */
  drained(): Promise<void>;
}

const drainMs = 500;
const tellEveryMs = 10_000;
/** Of a worker's messages only so many are on the way at once: the less there are, the fairer they are dealt out. */
const pushBytes = 512 * 1024;

export function openPublisher({ high_water }: { readonly high_water: number }, place: Place): Way {
  const { clock } = place.world;
  let [dropped, toldAt] = [0, -Infinity];
  const publisher = new Publisher(high_water, (_peer, count) => {
    dropped += count;
    if (clock.elapsed() - toldAt < tellEveryMs) return;
    place.notice(`subscribers are too slow: ${dropped} messages were dropped for them (high_water)`);
    [dropped, toldAt] = [0, clock.elapsed()];
  });
  return {
    own: (connection) => publisher.own(connection),
    ready: (signal) => publisher.someone(signal),
    async send(_batch, frames, signal) {
      await publisher.publish(frames, signal);
      return { refused: [], again: [] };
    },
    async drained() {
      const limit = new AbortController();
      await Promise.race([publisher.drained(limit.signal), clock.sleep(drainMs, limit.signal)]);
      limit.abort();
    },
  };
}

export function openPusher({ high_water }: { readonly high_water: number }): Way {
  const pusher = new Pusher(Math.min(high_water, pushBytes));
  return {
    own: (connection) => pusher.own(connection),
    ready: (signal) => pusher.someone(signal),
    async send(batch, frames, signal) {
      const left = await pusher.push(frames, signal);
      if (left.length === 0) return { refused: [], again: [] };
      return { refused: [], again: left.map((index) => batch[index]!), trouble: "no peer takes messages" };
    },
    drained: async () => {},
  };
}
