/** What every message of a request has to keep to, whatever it came as. */
import type { BadRows } from "./bad_rows.ts";
import type { RequestIds } from "./known_ids.ts";
import type { Problem } from "./problem.ts";

export interface Rules {
  /** Bytes of one message, its fields included. */
  readonly messageMax: number;
  /** Messages of one request. */
  readonly messagesMax: number;
  readonly depthMax: number;
  /** The topic of messages that name none. */
  readonly topic: string | undefined;
  /** Where bad ones of several messages go; without it the first makes the whole request bad. */
  readonly badRows?: BadRows | undefined;
  /** Those that were taken before are left out; without it nobody looks. */
  readonly ids?: RequestIds | undefined;
  /** What is wrong with a message of this topic, or of none. */
  admit(topic: string | undefined): Problem | undefined;
}

export function tooLong(messageMax: number, line?: number): Problem {
  return { code: "too-large", detail: `The message is longer than ${messageMax} bytes`, line };
}

export function tooMany(messagesMax: number, line?: number): Problem {
  return { code: "too-large", detail: `The request holds more than ${messagesMax} messages`, line };
}
