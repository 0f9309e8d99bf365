/** How an operator names a place in the log: a position, a time, "oldest" or "now". */
import type { Position } from "./mod.ts";
import type { Timeline } from "./timeline.ts";

export type Point =
  | { readonly position: Position }
  /** Ms since 1970. */
  | { readonly time: number }
  | "oldest"
  | "now";

export const pointHelp = 'a position, a time such as "2026-03-01T12:00:00Z" or "2h" (ago), "oldest" or "now"';

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Undefined when the text is none of `pointHelp`. */
export function parsePoint(text: string, now: number): Point | undefined {
  if (text === "oldest" || text === "now") return text;
  if (/^\d{1,15}$/.test(text)) return { position: Number(text) as Position };
  const ago = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)$/.exec(text);
  if (ago) return { time: now - Number(ago[1]) * unitMs[ago[2]!]! };
  if (!/^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:?\d\d)$/.test(text)) return undefined;
  const time = Date.parse(text.replace(" ", "T"));
  return Number.isNaN(time) ? undefined : { time };
}

/** Where that is, wherever the log begins and ends. */
export function positionOf(point: Point, timeline: Timeline): Position {
  if (point === "oldest") return timeline.oldest;
  if (point === "now") return timeline.end;
  return "position" in point ? point.position : timeline.at(point.time);
}
