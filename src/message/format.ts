/** How a message is written for a destination. A format is chosen by name in the configuration. */
import { EnvelopeV1 } from "./envelope.ts";
import type { Message } from "./message.ts";

export type Format = "json" | "raw";

/**
 * Turns messages and their ids into bytes. The bytes may lie in a buffer that others share: don't change or transfer it.
 * `json` is always one line, without its end; `raw` is the payload exactly as it was received.
 */
export function formatter(format: Format): (message: Message, id: string) => Uint8Array {
  if (format === "raw") return ({ data }) => data;
  const envelope = new EnvelopeV1();
  return (message, id) => envelope.line(message, id);
}
