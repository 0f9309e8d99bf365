/** A delivery that is in the log's bytes still: its message becomes an object, and its id a text, for those only who ask. */
import type { Position } from "../log/mod.ts";
import type { Message } from "../message/message.ts";
import { EntryReader } from "../message/stored.ts";
import type { Delivery, Heading } from "./adaptor.ts";

/** Bytes among others. */
interface Span {
  readonly bytes: Uint8Array;
  readonly from: number;
  readonly to: number;
}

/** One for all: nobody waits while it is used. */
const reader = new EntryReader();

export class Logged implements Delivery {
  readonly position: Position;
  readonly heading: Heading;
  /** What its id begins with, if that is ours. */
  readonly #prefix: string | undefined;
  readonly #entry: Uint8Array;
  readonly #at: number;
  #message: Message | undefined;
  readonly #bytes: Uint8Array;
  readonly #from: number;
  readonly #to: number;
  #body: Uint8Array | undefined;

  /** Of the message that the reader has come to. */
  constructor(found: EntryReader, prefix: string, position: Position, heading: Heading, body: Span) {
    this.position = position;
    this.heading = heading;
    this.#prefix = found.isNamed ? undefined : prefix;
    this.#entry = found.bytes;
    this.#at = found.at;
    this.#bytes = body.bytes;
    this.#from = body.from;
    this.#to = body.to;
  }

  get id(): string {
    return this.#prefix === undefined ? this.message.id! : `${this.#prefix}${this.position}`;
  }
  get message(): Message {
    return this.#message ??= this.#decoded();
  }
  get body(): Uint8Array {
    return this.#body ??= this.#bytes.subarray(this.#from, this.#to);
  }
  get bodyBytes(): number {
    return this.#to - this.#from;
  }

  #decoded(): Message {
    reader.open(this.#entry);
    reader.seek(this.#at);
    return reader.message();
  }
}
