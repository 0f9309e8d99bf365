/** How large things may be on this disk. Pure. */

export interface RoomWanted {
  readonly segmentBytes: number;
  readonly reserveBytes: number;
}

const leastSegment = 1 << 20;

/** On a small disk segments are the power of two below a 64th of what is free, and less is kept back. */
export function roomFor(freeBytes: number, wanted: RoomWanted): RoomWanted {
  const share = 2 ** Math.floor(Math.log2(Math.max(1, freeBytes / 64)));
  const segmentBytes = Math.min(wanted.segmentBytes, Math.max(leastSegment, share));
  const reserveBytes = Math.min(wanted.reserveBytes, Math.max(2 * segmentBytes, Math.floor(freeBytes / 16)));
  return { segmentBytes, reserveBytes };
}
