/** Which part of the log a command is about: `--from` and `--to`. */
import { parsePoint, pointHelp, type Position, positionOf, type Survey, Timeline } from "../log/mod.ts";
import type { Clock } from "../os/world.ts";
import { CommandError, exitCodes } from "./exit.ts";
import { printable } from "./printable.ts";

export interface RangeRequest {
  readonly from?: string;
  readonly to?: string;
}
export interface Range {
  readonly from: Position;
  /** Not included. */
  readonly to: Position;
}

/** Without `--from` it begins where the log does, without `--to` it ends there. */
export function rangeOf({ from = "oldest", to = "now" }: RangeRequest, seen: Survey, clock: Clock): Range {
  const timeline = new Timeline(seen.files, seen.dir, seen.end);
  const place = (option: string, text: string) => {
    const point = parsePoint(text, clock.now());
    if (point !== undefined) return positionOf(point, timeline);
    throw new CommandError(exitCodes.usage, `Cannot understand ${option} "${printable(text)}": expected ${pointHelp}`);
  };
  return { from: place("--from", from), to: place("--to", to) };
}
