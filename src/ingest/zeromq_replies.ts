/**
 * What a ROUTER answers: the frames that stood in front of the message, as they came; a frame `ok` or `error`; a frame of JSON, the
 * receipt or the problem, as over HTTP. Many answers go out in one piece.
 */
import { headBytes, more, putHead } from "../zmtp/frame.ts";

/** The frames in front, their heads included. */
export interface Envelope {
  readonly bytes: Uint8Array;
  readonly from: number;
  readonly to: number;
}

const encoder = new TextEncoder();
const words = { ok: encoder.encode("ok"), error: encoder.encode("error") };

export class Replies {
  #bytes = new Uint8Array(4096);
  #at = 0;

  add({ bytes, from, to }: Envelope, word: keyof typeof words, json: string): void {
    // A character takes at most three bytes.
    this.#need(to - from + 16 + headBytes(json.length * 3) + json.length * 3);
    this.#put(bytes.subarray(from, to));
    this.#at = putHead(this.#bytes, this.#at, more, words[word].length);
    this.#put(words[word]);
    const body = encoder.encode(json);
    this.#at = putHead(this.#bytes, this.#at, 0, body.length);
    this.#put(body);
  }

  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }

  #put(bytes: Uint8Array): void {
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }
  #need(count: number): void {
    if (this.#at + count <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#at + count));
    larger.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = larger;
  }
}
