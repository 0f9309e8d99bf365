/** Which dead letters an operator means: by reason, topic, time and position. */
import { parsePoint, type Position } from "../log/mod.ts";
import { patternOf } from "../message/filter.ts";
import type { DeadLetter } from "./letter.ts";

/** As an operator writes it. What is left out fits all. */
export interface LetterFilter {
  /** Part of the reason, in upper or lower case. */
  readonly reason?: string | undefined;
  /** Patterns of the topic, e.g. "web.*". */
  readonly topic?: string | undefined;
  /** Set aside then or later: RFC 3339, or "2h" for two hours ago. */
  readonly since?: string | undefined;
  /** Set aside before. */
  readonly until?: string | undefined;
  /** Of the message in the log. */
  readonly position?: string | undefined;
}
export const letterFilterNames = ["reason", "topic", "since", "until", "position"] as const;

const timeHelp = 'a time such as "2026-03-01T12:00:00Z" or "2h" (ago)';

/** Throws a `TypeError` saying what is wrong with it. */
export function lettersThat(filter: LetterFilter, now: number): (letter: DeadLetter) => boolean {
  const reason = filter.reason?.toLowerCase();
  const topic = filter.topic === undefined ? undefined : patternOf(filter.topic);
  const since = timeOf("since", filter.since, now);
  const until = timeOf("until", filter.until, now);
  const position = positionOf(filter.position);
  return (letter) =>
    (position === undefined || letter.position === position) &&
    (since === undefined || letter.time >= since) &&
    (until === undefined || letter.time < until) &&
    (topic === undefined || topic(letter.message.topic)) &&
    (reason === undefined || letter.reason.toLowerCase().includes(reason));
}

function timeOf(name: string, text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined;
  const point = parsePoint(text, now);
  if (point === "now") return now;
  if (typeof point === "object" && "time" in point) return point.time;
  throw new TypeError(`Cannot understand ${name} "${text}": expected ${timeHelp}`);
}

function positionOf(text: string | undefined): Position | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,15}$/.test(text)) return Number(text) as Position;
  throw new TypeError(`Cannot understand position "${text}": expected a number, as dead ls shows it`);
}
