/** Every destination has its cursor before the first message is taken: what comes after it is owed to it. */
import type { Destination } from "../config/keys.ts";
import { destinationKey, makeCursor, type Position } from "../log/mod.ts";
import type { World } from "../os/world.ts";

export interface Beginnings {
  readonly node: string;
  readonly destinations: readonly Pick<Destination, "name" | "from">[];
  /** How far each destination was when the durable mark was last written, by its key. */
  readonly remembered: ReadonlyMap<string, Position> | undefined;
  /** Where the log begins and ends. */
  readonly start: Position;
  readonly end: Position;
  readonly report: (destination: string, text: string) => void;
}

/** Where each destination is, in their order. Who waits for this waits for the disk; the thread goes on. */
export async function makeCursors(world: World, dir: string, beginnings: Beginnings): Promise<Position[]> {
  const { node, destinations, remembered, start, end, report } = beginnings;
  const positions: Position[] = [];
  for (const { name, from } of destinations) {
    const known = remembered?.get(destinationKey(name));
    const wanted = from === "now" ? end : from === "oldest" ? start : Number(from);
    const named = Math.min(end, Math.max(start, wanted)) as Position;
    const lost = known ?? start;
    const { position, origin } = await makeCursor(world, dir, name, node, { fresh: known ?? named, lost });
    const gone = origin === "damaged" || (origin === "new" && known !== undefined);
    if (gone) report(name, `its cursor could not be read; it goes on from ${lost}, which may bring copies`);
    positions.push(position);
  }
  return positions;
}
