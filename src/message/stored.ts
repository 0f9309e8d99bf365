/**
 * Messages as they stand in an entry: where each field begins and ends. Nothing becomes a text or an object before somebody asks
 * for it, since most of what is delivered only goes from these bytes to others.
 */
import type { Message } from "./message.ts";
import { bytesTag, hasIdempotency, jsonTag, submittedMsTag, tags, version } from "./tags.ts";

/** Where a payload of either kind is among the fields. */
export const dataTag = jsonTag;
const tracestateBit = 1 << tags.tracestate;
const headBytes = 10;
const idempotencyBytes = 32;
const nothing = new Uint8Array(0);

/** The bytes are no entry that this version can read. */
export class UnreadableEntry extends Error {
  override readonly name = "UnreadableEntry";
}

/** Where the fields of a part of an entry stand, by tag. */
export class Spans {
  /** A bit for each tag that is there. */
  present = 0;
  /** Bits of those that are taken away from what is shared. */
  hidden = 0;
  dataIsJson = false;
  readonly from = new Int32Array(32);
  readonly to = new Int32Array(32);

  read(bytes: Uint8Array, start: number, end: number): void {
    this.present = this.hidden = 0;
    for (let at = start; at < end;) {
      const tag = bytes[at++]!;
      let length = bytes[at++]!;
      if (length > 127) {
        length = varintAt(bytes, at - 1);
        at = varintEnd;
      }
      const next = at + length;
      // Nor is it so where the length is missing, which is no number then.
      if (!(next <= end)) throw new UnreadableEntry("Cannot read entry: a field reaches past the end of its message");
      if (tag < 32) this.#note(tag, at, next);
      at = next;
    }
  }

  #note(tag: number, from: number, to: number): void {
    let slot = tag;
    if (tag === jsonTag || tag === bytesTag) {
      slot = dataTag;
      this.dataIsJson = tag === jsonTag;
    } else if (tag === submittedMsTag && to - from !== 8) return;
    else if (tag === tags.tracestate) {
      this.hidden = from === to ? tracestateBit : 0;
      this.present &= ~tracestateBit;
      if (from === to) return;
    }
    this.present |= 1 << slot;
    this.from[slot] = from;
    this.to[slot] = to;
  }
}

/**
 * Goes through an entry message by message: `open`, then `next` as long as that says true; both throw an `UnreadableEntry`. In
 * between it is the message that it has come to, for who does not keep it; `message` is for who does.
 */
export class EntryReader implements Message {
  bytes: Uint8Array = nothing;
  timestamp = 0;
  /** Where the 16 bytes of a request's key and those of its body stand; 0 if they do not. */
  idempotencyAt = 0;
  readonly own = new Spans();
  readonly shared = new Spans();
  /** A bit for each field, its own or shared. */
  present = 0;
  /** Where the message stands, and how long it is with all that is shared. */
  at = 0;
  size = 0;
  #next = 0;
  #sharedSize = 0;

  open(entry: Uint8Array): void {
    if (entry[0] !== version) {
      throw new UnreadableEntry(`Cannot read entry: its version is ${entry[0]}, this program reads ${version}`);
    }
    this.bytes = entry;
    this.timestamp = floatAt(entry, 2);
    this.idempotencyAt = entry[1]! & hasIdempotency ? headBytes : 0;
    const end = endOfPart(entry, this.idempotencyAt === 0 ? headBytes : headBytes + idempotencyBytes);
    this.shared.read(entry, partAt, end);
    this.#sharedSize = end - partAt;
    this.#next = end;
  }

  next(): boolean {
    const { bytes, own, shared } = this;
    if (this.#next >= bytes.length) return false;
    this.at = this.#next;
    const end = endOfPart(bytes, this.at);
    own.read(bytes, partAt, end);
    this.present = own.present | (shared.present & ~own.hidden);
    this.size = end - partAt + this.#sharedSize;
    this.#next = end;
    return true;
  }

  /** To the message whose `at` it was. */
  seek(at: number): void {
    this.#next = at;
    this.next();
  }

  /** Which part has a field that is present. */
  spansOf(tag: number): Spans {
    return this.own.present & 1 << tag ? this.own : this.shared;
  }

  /** Its sender has given it an id. */
  get isNamed(): boolean {
    return (this.present & 1 << tags.id) !== 0;
  }
  get id(): string | undefined {
    return this.#text(tags.id);
  }
  get topic(): string {
    return this.#text(tags.topic)!;
  }
  get env(): string | undefined {
    return this.#text(tags.env);
  }
  get version(): string | undefined {
    return this.#text(tags.version);
  }
  get type(): string | undefined {
    return this.#text(tags.type);
  }
  get level(): string | undefined {
    return this.#text(tags.level);
  }
  get ip(): string | undefined {
    return this.#text(tags.ip);
  }
  get peerIp(): string | undefined {
    return this.#text(tags.peerIp);
  }
  get referrer(): string | undefined {
    return this.#text(tags.referrer);
  }
  get userAgent(): string | undefined {
    return this.#text(tags.userAgent);
  }
  get cookies(): string | undefined {
    return this.#text(tags.cookies);
  }
  get key(): string | undefined {
    return this.#text(tags.key);
  }
  get submittedTimestamp(): string | undefined {
    return this.#text(tags.submittedTimestamp);
  }
  get schema(): string | undefined {
    return this.#text(tags.schema);
  }
  get attributes(): string | undefined {
    return this.#text(tags.attributes);
  }
  get traceparent(): string | undefined {
    return this.#text(tags.traceparent);
  }
  get tracestate(): string | undefined {
    return this.#text(tags.tracestate);
  }
  get submittedMs(): number | undefined {
    if ((this.present & 1 << submittedMsTag) === 0) return undefined;
    return floatAt(this.bytes, this.spansOf(submittedMsTag).from[submittedMsTag]!);
  }
  get data(): Uint8Array {
    if ((this.present & 1 << dataTag) === 0) return nothing;
    const { from, to } = this.spansOf(dataTag);
    return this.bytes.subarray(from[dataTag], to[dataTag]);
  }
  get dataIsJson(): boolean {
    return (this.present & 1 << dataTag) !== 0 && this.spansOf(dataTag).dataIsJson;
  }

  /** The message by itself. It has no names of fields that it lacks. */
  message(): Message {
    const { timestamp, data, dataIsJson, present } = this;
    const found = { timestamp, data, dataIsJson } as { -readonly [K in keyof Message]: Message[K] };
    // One by one, not by the names in `tags`: see `EntryWriter.fields`.
    if (present & 1 << tags.topic) found.topic = this.topic;
    if (present & 1 << tags.level) found.level = this.level!;
    if (present & 1 << tags.type) found.type = this.type!;
    if (present & 1 << tags.env) found.env = this.env!;
    if (present & 1 << tags.version) found.version = this.version!;
    if (present & 1 << tags.submittedTimestamp) found.submittedTimestamp = this.submittedTimestamp!;
    if (present & 1 << submittedMsTag) found.submittedMs = this.submittedMs!;
    if (present & 1 << tags.ip) found.ip = this.ip!;
    if (present & 1 << tags.userAgent) found.userAgent = this.userAgent!;
    if (present & 1 << tags.referrer) found.referrer = this.referrer!;
    if (present & 1 << tags.peerIp) found.peerIp = this.peerIp!;
    if (present & 1 << tags.key) found.key = this.key!;
    if (present & 1 << tags.id) found.id = this.id!;
    if (present & 1 << tags.cookies) found.cookies = this.cookies!;
    if (present & 1 << tags.schema) found.schema = this.schema!;
    if (present & 1 << tags.traceparent) found.traceparent = this.traceparent!;
    if (present & 1 << tags.tracestate) found.tracestate = this.tracestate!;
    if (present & 1 << tags.attributes) found.attributes = this.attributes!;
    return found;
  }

  #text(tag: number): string | undefined {
    if ((this.present & 1 << tag) === 0) return undefined;
    const { from, to } = this.spansOf(tag);
    return textAt(tag, this.bytes, from[tag]!, to[tag]!);
  }
}

/** Where the varint ends that `varintAt` has read. */
let varintEnd = 0;

function varintAt(bytes: Uint8Array, start: number): number {
  let value = 0;
  for (let i = 0, unit = 1; i < 5; i++, unit *= 128) {
    const byte = bytes[start + i];
    if (byte === undefined) throw new UnreadableEntry("Cannot read entry: it ends too early");
    value += (byte & 127) * unit;
    if (byte < 128) {
      varintEnd = start + i + 1;
      return value;
    }
  }
  throw new UnreadableEntry("Cannot read entry: a length has more than five bytes");
}

/** Where the part begins, behind its length, of which `endOfPart` has told the end. */
let partAt = 0;

function endOfPart(bytes: Uint8Array, at: number): number {
  const length = varintAt(bytes, at);
  partAt = varintEnd;
  const end = partAt + length;
  if (end > bytes.length) throw new UnreadableEntry("Cannot read entry: a message reaches past its end");
  return end;
}

const float = new Float64Array(1);
const floatBytes = new Uint8Array(float.buffer);

/** Little-endian, as is every machine that this runs on. */
function floatAt(bytes: Uint8Array, at: number): number {
  for (let i = 0; i < 8; i++) floatBytes[i] = bytes[at + i]!;
  return float[0]!;
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const rememberedMax = 256;

/** The value last read of a field. */
class Remembered {
  text = "";
  #length = 0;
  readonly #bytes = new Uint8Array(rememberedMax);

  stands(bytes: Uint8Array, from: number, to: number): boolean {
    if (this.#length !== to - from) return false;
    for (let i = 0; i < this.#length; i++) if (bytes[from + i] !== this.#bytes[i]) return false;
    return true;
  }
  keep(text: string, bytes: Uint8Array): void {
    if (bytes.length > rememberedMax) return;
    this.text = text;
    this.#length = bytes.length;
    this.#bytes.set(bytes);
  }
}

/** By tag. */
const remembered = Array.from({ length: 32 }, () => new Remembered());

/** The value of a field. Most are as they were in the message before: those are compared, which costs less than decoding. */
function textAt(tag: number, bytes: Uint8Array, from: number, to: number): string {
  const last = remembered[tag]!;
  if (last.stands(bytes, from, to)) return last.text;
  const value = bytes.subarray(from, to);
  const text = decoder.decode(value);
  last.keep(text, value);
  return text;
}
