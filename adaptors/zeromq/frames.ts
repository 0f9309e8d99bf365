/** What goes out for a message: its body, packed or not, and in front of it, if asked for, a frame with its topic. */
import type { Delivery } from "../../src/deliver/adaptor.ts";
import { compress, type Compression } from "../../src/message/compression.ts";
import { encodeBatch, type Outgoing } from "../../src/zmtp/outgoing.ts";

export interface FrameSettings {
  readonly topic_frame: boolean;
  readonly compression: Compression;
}

const encoder = new TextEncoder();
/** Topics mostly repeat. */
const topicsMax = 1000;

export function encoderOf({ topic_frame, compression }: FrameSettings): (batch: readonly Delivery[]) => Outgoing {
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
    const bodies = batch.map(({ body }) => compress(body, compression));
    return encodeBatch(topic_frame ? batch.map(({ message }) => topicOf(message.topic)) : undefined, bodies);
  };
}
