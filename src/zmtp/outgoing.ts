/** A batch of messages as the bytes that go out, one after the other, and where each stands. */
import { headBytes, more, putHead } from "./frame.ts";

export interface Outgoing {
  readonly bytes: Uint8Array;
  readonly count: number;
  /** Where message `i` ends; the next one begins there. */
  readonly ends: Float64Array;
  /** Where the body of its first frame stands: what subscriptions go by. */
  readonly firsts: Float64Array;
  readonly firstEnds: Float64Array;
}

/** Each message is its topic, if it has one, and its body. */
export function encodeBatch(topics: readonly Uint8Array[] | undefined, bodies: readonly Uint8Array[]): Outgoing {
  const count = bodies.length;
  let length = 0;
  for (let i = 0; i < count; i++) {
    length += headBytes(bodies[i]!.length) + bodies[i]!.length;
    if (topics !== undefined) length += headBytes(topics[i]!.length) + topics[i]!.length;
  }
  const bytes = new Uint8Array(length);
  const [ends, firsts, firstEnds] = [new Float64Array(count), new Float64Array(count), new Float64Array(count)];
  let at = 0;
  for (let i = 0; i < count; i++) {
    const topic = topics?.[i];
    if (topic !== undefined) {
      firsts[i] = putHead(bytes, at, more, topic.length);
      bytes.set(topic, firsts[i]!);
      at = firstEnds[i] = firsts[i]! + topic.length;
    }
    const body = bodies[i]!;
    const start = putHead(bytes, at, 0, body.length);
    bytes.set(body, start);
    at = start + body.length;
    if (topic === undefined) {
      firsts[i] = start;
      firstEnds[i] = at;
    }
    ends[i] = at;
  }
  return { bytes, count, ends, firsts, firstEnds };
}
