/**
 * What one request left, as the bytes kept in the log: version 1 of the entry. What the batch shares stands once, then each
 * message. The log does not look inside; nobody outside this file, `tags.ts` and `stored.ts` knows the bytes.
 *
 * | bytes | what |
 * |---|---|
 * | 1 | version = 1 |
 * | 1 | flags: bit 0 = an idempotency key follows the time |
 * | 8 | arrival, ms since 1970, f64 little-endian |
 * | 32 | only with flag bit 0: 16 bytes hash of the key, 16 bytes digest of the body |
 * | varint, n | length of the shared fields, then the fields |
 * | per message: varint, n | length of the message, then its fields |
 *
 * A field is a tag byte, a varint length and that many bytes; a message's own field wins over the shared one. Unknown tags are
 * skipped, so a later version may add some. Varints are LEB128, at most 5 bytes. An empty trace state takes the shared one away.
 */
import type { Fields, Message } from "./message.ts";
import { EntryReader } from "./stored.ts";
import { bytesTag, hasIdempotency, jsonTag, submittedMsTag, tags, version } from "./tags.ts";

/** What stands for a field in an entry. */
export type FieldTag = (typeof tags)[keyof Fields];
export function tagOf(field: keyof Fields): FieldTag {
  return tags[field];
}

/** What identifies a request that may come again. Both are 16 bytes. */
export interface Idempotency {
  readonly key: Uint8Array;
  readonly body: Uint8Array;
}
/** A message as `ingest` hands it over: time and shared fields stand beside it. */
export interface Incoming {
  readonly fields: Fields;
  readonly submittedMs?: number;
  readonly data: Uint8Array;
  readonly dataIsJson: boolean;
}
export interface EntryHead {
  readonly timestamp: number;
  readonly shared: Fields;
  readonly idempotency?: Idempotency;
}

/** The entry's bytes; they are the writer's until the next call, so append them before it. */
export function encodeEntry({ shared, ...head }: EntryHead, messages: readonly Incoming[]): Uint8Array {
  const out = entryWriter;
  out.begin(head);
  out.fields(shared);
  for (const { fields, submittedMs, data, dataIsJson } of messages) {
    out.open();
    out.fields(fields);
    if (submittedMs !== undefined) out.submitted(submittedMs);
    out.data(data, 0, data.length, dataIsJson);
    out.shut();
  }
  return out.bytes();
}

/**
 * Writes an entry, straight from the bytes a sender sent: they are read once and copied once. First comes what all messages
 * share, then each message between `open` and `shut`. There is one writer for all, `entryWriter`: from `begin` to the append
 * nobody may wait for anything.
 */
export class EntryWriter {
  readonly #out = new Output();
  #count = 0;
  /** Where the part that is being written began: what is shared, or a message. */
  #partAt = 0;
  #isShared = false;
  #isOpen = false;
  /** What stands before these is not forgotten. */
  #firstAt = 0;
  #firstCount = 0;
  /** Of messages that name no time of their own. */
  #submittedMs: number | undefined;
  #namesTime = false;

  /** How many messages there are. */
  get count(): number {
    return this.#count;
  }

  begin({ timestamp, idempotency }: Omit<EntryHead, "shared">): void {
    const out = this.#out;
    out.at = 0;
    out.byte(version);
    out.byte(idempotency ? hasIdempotency : 0);
    out.float(timestamp);
    if (idempotency) {
      out.bytes(idempotency.key);
      out.bytes(idempotency.body);
    }
    this.#partAt = out.open();
    this.#isShared = true;
    this.#isOpen = false;
    this.#submittedMs = undefined;
    this.#count = this.#firstCount = 0;
  }

  /** A message begins. */
  open(): void {
    if (this.#isShared) this.#shutShared();
    this.#partAt = this.#out.open();
    this.#isOpen = true;
    this.#namesTime = false;
  }

  /** Messages that were put together elsewhere, as `open` to `shut` would have put them; without a time that all share. */
  messages(bytes: Uint8Array, count: number): void {
    if (this.#isShared) this.#shutShared();
    this.#out.bytes(bytes);
    this.#count += count;
  }

  /** Whether messages that name no time have one in common. */
  get sharesTime(): boolean {
    return this.#submittedMs !== undefined;
  }

  /** The message ends. */
  shut(): void {
    if (this.#submittedMs !== undefined && !this.#namesTime) this.submitted(this.#submittedMs);
    this.#out.shut(this.#partAt);
    this.#isOpen = false;
    this.#count++;
  }

  /** Forgets the message that is open, if one is. */
  drop(): void {
    if (!this.#isOpen) return;
    this.#out.at = this.#partAt;
    this.#isOpen = false;
  }

  /** Forgets all messages, or those since `hold`. */
  rewind(): void {
    if (this.#isShared) return;
    this.#out.at = this.#firstAt;
    this.#isOpen = false;
    this.#count = this.#firstCount;
  }

  /** What is here stays, whatever becomes of what follows. */
  hold(): void {
    if (this.#isShared) this.#shutShared();
    this.#firstAt = this.#out.at;
    this.#firstCount = this.#count;
  }

  /** They are the writer's until the next `begin`. */
  bytes(): Uint8Array {
    if (this.#isShared) this.#shutShared();
    return this.#out.taken();
  }

  fields(fields: Fields): void {
    // One by one, not by the names in `tags`: the engine then knows where each stands, which is worth a fifth of the path.
    this.text(tags.topic, fields.topic);
    this.text(tags.level, fields.level);
    this.text(tags.type, fields.type);
    this.text(tags.env, fields.env);
    this.text(tags.version, fields.version);
    this.text(tags.submittedTimestamp, fields.submittedTimestamp);
    this.text(tags.ip, fields.ip);
    this.text(tags.userAgent, fields.userAgent);
    this.text(tags.referrer, fields.referrer);
    this.text(tags.peerIp, fields.peerIp);
    this.text(tags.key, fields.key);
    this.text(tags.id, fields.id);
    this.text(tags.cookies, fields.cookies);
    this.text(tags.schema, fields.schema);
    this.text(tags.traceparent, fields.traceparent);
    this.text(tags.tracestate, fields.tracestate);
    this.text(tags.attributes, fields.attributes);
  }

  /** A field; nothing when it has no value. */
  text(tag: FieldTag, value: string | undefined): void {
    if (value === undefined) return;
    if (tag === tags.submittedTimestamp) this.#namesTime = true;
    this.#out.byte(tag);
    this.#out.text(value);
  }

  /** A field whose value stands in `from` as UTF-8. */
  span(tag: FieldTag, from: Uint8Array, start: number, end: number): void {
    if (tag === tags.submittedTimestamp) this.#namesTime = true;
    this.#out.span(tag, from, start, end);
  }

  /** The sender's time, normalised: of the message, or, before the first, of all that name none. */
  submitted(ms: number): void {
    if (this.#isShared) {
      this.#submittedMs = ms;
      return;
    }
    this.#out.byte(submittedMsTag);
    this.#out.byte(8);
    this.#out.float(ms);
  }

  data(from: Uint8Array, start: number, end: number, isJson: boolean): void {
    this.#out.span(isJson ? jsonTag : bytesTag, from, start, end);
  }

  #shutShared(): void {
    this.#out.shut(this.#partAt);
    this.#firstAt = this.#out.at;
    this.#isShared = false;
  }
}

/** The messages of an entry, in order. Throws when the bytes are no entry that this version can read. */
export function decodeEntry(entry: Uint8Array): Message[] {
  const reader = new EntryReader();
  const messages: Message[] = [];
  for (reader.open(entry); reader.next();) messages.push(reader.message());
  return messages;
}

/** The idempotency key and digest of an entry, if it has them. */
export function idempotencyOf(entry: Uint8Array): Idempotency | undefined {
  const reader = new EntryReader();
  reader.open(entry);
  const { idempotencyAt: at } = reader;
  return at === 0 ? undefined : { key: entry.subarray(at, at + 16), body: entry.subarray(at + 16, at + 32) };
}

const encoder = new TextEncoder();

class Output {
  at = 0;
  #bytes = new Uint8Array(1 << 16);
  #view = new DataView(this.#bytes.buffer);

  taken(): Uint8Array {
    return this.#bytes.subarray(0, this.at);
  }
  byte(value: number): void {
    this.need(1);
    this.#bytes[this.at++] = value;
  }
  float(value: number): void {
    this.need(8);
    this.#view.setFloat64(this.at, value, true);
    this.at += 8;
  }
  bytes(value: Uint8Array): void {
    this.need(value.length);
    this.#bytes.set(value, this.at);
    this.at += value.length;
  }
  varint(value: number): void {
    this.need(5);
    while (value > 127) {
      this.#bytes[this.at++] = (value & 127) | 128;
      value = Math.floor(value / 128);
    }
    this.#bytes[this.at++] = value;
  }
  /** Length and bytes of `value`; lone surrogates become U+FFFD, as everywhere in UTF-8. */
  text(value: string): void {
    const { length } = value;
    this.need(length * 3 + 5);
    if (length < 128 && this.#ascii(value)) return;
    const at = this.open();
    this.at += encoder.encodeInto(value, this.#bytes.subarray(this.at)).written;
    this.shut(at);
  }
  /** Short ASCII without a call out of the engine; false, and nothing kept, when it is not ASCII. */
  #ascii(value: string): boolean {
    const bytes = this.#bytes;
    let at = this.at;
    bytes[at++] = value.length;
    for (let i = 0; i < value.length; i++) {
      const code = value.charCodeAt(i);
      if (code > 127) return false;
      bytes[at++] = code;
    }
    this.at = at;
    return true;
  }
  /** Tag, length and bytes. */
  span(tag: number, from: Uint8Array, start: number, end: number): void {
    this.need(end - start + 6);
    this.#bytes[this.at++] = tag;
    if (end - start < 128) this.#bytes[this.at++] = end - start;
    else this.varint(end - start);
    if (end - start > loopMax) return this.bytes(from.subarray(start, end));
    const bytes = this.#bytes;
    let at = this.at;
    for (let i = start; i < end; i++) bytes[at++] = from[i]!;
    this.at = at;
  }
  /** Leaves room for a length of two bytes, which nearly always do. */
  open(): number {
    this.need(2);
    this.at += 2;
    return this.at - 2;
  }
  /** Writes the length of what was put since `open`, padded to two bytes, or to five where two cannot say it. */
  shut(at: number): void {
    const length = this.at - at - 2;
    if (length >= 1 << 14) return this.#shutLong(at, length);
    this.#bytes[at] = (length & 127) | 128;
    this.#bytes[at + 1] = length >> 7;
  }
  /** Makes room for `count` more bytes. */
  need(count: number): void {
    if (this.at + count <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.at + count));
    larger.set(this.#bytes);
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
  #shutLong(at: number, length: number): void {
    this.need(3);
    this.#bytes.copyWithin(at + 5, at + 2, this.at);
    this.at += 3;
    for (let i = 0; i < 5; i++) this.#bytes[at + i] = (Math.floor(length / 128 ** i) & 127) | (i < 4 ? 128 : 0);
  }
}
/** Up to here a loop copies sooner than a call. */
const loopMax = 64;
/** The only one: see there. */
export const entryWriter = new EntryWriter();
