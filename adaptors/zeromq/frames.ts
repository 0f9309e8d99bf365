/** What goes out for a message: its body, packed or not, and in front of it, if asked for, a frame with its topic. */
import { gzipSync } from "node:zlib";
import type { Delivery } from "../../src/deliver/adaptor.ts";
import { encodeBatch, type Outgoing } from "../../src/zmtp/outgoing.ts";

export interface FrameSettings {
  readonly topic_frame: boolean;
  readonly gzip: boolean;
}

const encoder = new TextEncoder();
/** Topics mostly repeat. */
const topicsMax = 1000;

export function encoderOf({ topic_frame, gzip }: FrameSettings): (batch: readonly Delivery[]) => Outgoing {
  const topics = new Map<string, Uint8Array>();
  const topicOf = (topic: string): Uint8Array => {
    const known = topics.get(topic);
    if (known !== undefined) return known;
    if (topics.size >= topicsMax) topics.clear();
    const bytes = encoder.encode(topic);
    topics.set(topic, bytes);
    return bytes;
  };
  return (batch) => {
    const bodies = batch.map(({ body }) => gzip ? gzipSync(body) : body);
    return encodeBatch(topic_frame ? batch.map(({ message }) => topicOf(message.topic)) : undefined, bodies);
  };
}
