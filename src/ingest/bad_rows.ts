/**
 * What becomes of bad lines where a request asks for `on_bad=divert`: each is a message of its own in the stream of bad rows, in the
 * place where the good one would have been, with the reason and the bytes that came.
 */
import { isUtf8 } from "node:buffer";
import type { Message } from "../message/message.ts";
import { type EntryWriter, tagOf } from "../message/wire.ts";
import type { Problem, ProblemCode } from "./problem.ts";
import { tooLong, tooMany } from "./rules.ts";

/** Faults of one message. Whatever else is wrong concerns the request, or who sends it: it is refused as ever. */
const ofOneMessage: readonly ProblemCode[] = ["bad-message", "too-many-topics"];

export interface BadRowLimits {
  readonly messageMax: number;
  readonly messagesMax: number;
}

export class BadRows {
  readonly #topic: string;
  readonly #limits: BadRowLimits;
  #count = 0;

  constructor(topic: string, limits: BadRowLimits) {
    this.#topic = topic;
    this.#limits = limits;
  }

  /** How many were taken. */
  get count(): number {
    return this.#count;
  }

  made({ topic }: Message): boolean {
    return topic === this.#topic;
  }

  takes({ code }: Problem): boolean {
    return ofOneMessage.includes(code);
  }

  /** Puts it instead of the message that is open, if one is; or says why even that cannot be. */
  put(into: EntryWriter, raw: Uint8Array, problem: Problem): Problem | undefined {
    if (!this.takes(problem)) return problem;
    into.drop();
    const { messageMax, messagesMax } = this.#limits;
    if (into.count >= messagesMax) return tooMany(messagesMax, problem.line);
    const data = rowOf(raw, problem);
    // Cut, it would not be what came.
    if (data.length > messageMax) return tooLong(messageMax, problem.line);
    into.open();
    into.text(topicTag, this.#topic);
    into.text(typeTag, problem.code);
    into.data(data, 0, data.length, true);
    into.shut();
    this.#count++;
    return undefined;
  }
}

const topicTag = tagOf("topic");
const typeTag = tagOf("type");
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

function rowOf(raw: Uint8Array, { detail, line, field }: Problem): Uint8Array {
  const came = isUtf8(raw) ? { raw: decoder.decode(raw) } : { raw_base64: toBase64(raw) };
  return encoder.encode(JSON.stringify({ reason: detail, line, field, ...came }));
}

function toBase64(bytes: Uint8Array): string {
  return (bytes as Uint8Array & { toBase64(): string }).toBase64();
}
