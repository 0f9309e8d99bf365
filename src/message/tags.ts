/** What stands for what in an entry: see `wire.ts`. Known to those who write its bytes and to those who read them. */
import type { Fields } from "./message.ts";

export const version = 1;
export const hasIdempotency = 1;

/** Tag numbers are for ever; 1–31 are taken or reserved (20 another node's arrival time). */
export const tags = {
  id: 1,
  topic: 2,
  env: 3,
  version: 4,
  type: 5,
  level: 6,
  ip: 7,
  peerIp: 8,
  referrer: 9,
  userAgent: 10,
  cookies: 11,
  key: 12,
  submittedTimestamp: 13,
  schema: 18,
  attributes: 19,
  traceparent: 21,
  tracestate: 22,
} as const satisfies Record<keyof Fields, number>;
export const submittedMsTag = 14;
export const jsonTag = 16;
export const bytesTag = 17;
