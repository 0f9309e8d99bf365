/** Small deliveries for the tests of the Kafka adaptor's inside. */
import type { Delivery } from "../../../src/deliver/adaptor.ts";
import type { Position } from "../../../src/log/mod.ts";
import type { Fields } from "../../../src/message/message.ts";

export function delivery(n: number, { body, ...fields }: Fields & { body?: readonly number[] } = {}): Delivery {
  const bytes = new Uint8Array(body ?? [n]);
  const message = { topic: "t", timestamp: 1000 + n, data: bytes, dataIsJson: false, ...fields };
  return { id: `n-1-${n}`, position: n as Position, message, body: bytes };
}
