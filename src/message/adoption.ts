/** An entry of another node as one of ours: the same messages at the same times, with ids that name where they were taken. */
import { type Fields, type Message } from "./message.ts";
import { decodeEntry, encodeEntry, type Incoming } from "./wire.ts";

export interface AdoptedEntry {
  readonly bytes: Uint8Array;
  readonly count: number;
}
export interface Adoption {
  /** The id of the message with this index in the entry, if it has none of its own. */
  readonly idOf: (index: number) => string;
  /** The first message that is wanted. */
  readonly skip: number;
  /** An entry that grows beyond this becomes several. */
  readonly bytesMax: number;
}

/** Throws when the bytes are no entry that this version can read. */
export function adoptEntry(entry: Uint8Array, { idOf, skip, bytesMax }: Adoption): AdoptedEntry[] {
  const messages = decodeEntry(entry);
  const named = messages.map((message, i) => ({ ...message, id: message.id ?? idOf(i) }));
  return inEntries(named.slice(skip), bytesMax);
}

function inEntries(messages: readonly Message[], bytesMax: number): AdoptedEntry[] {
  const [first] = messages;
  if (first === undefined) return [];
  const shared = sharedBy(messages);
  const bytes = encodeEntry(
    { timestamp: first.timestamp, shared },
    messages.map((message) => without(message, shared)),
  );
  if (bytes.length <= bytesMax || messages.length === 1) return [{ bytes: bytes.slice(), count: messages.length }];
  const half = messages.length >> 1;
  return [...inEntries(messages.slice(0, half), bytesMax), ...inEntries(messages.slice(half), bytesMax)];
}

/** Fields that all of them have alike, as they had when they came: a batch's cookies must not be written for each message. */
function sharedBy(messages: readonly Message[]): Fields {
  const { timestamp: _, submittedMs: __, data: ___, dataIsJson: ____, ...fields } = messages[0]!;
  const names = Object.keys(fields) as (keyof Fields)[];
  const alike = names.filter((name) => messages.every((message) => message[name] === fields[name]));
  return Object.fromEntries(alike.map((name) => [name, fields[name]]));
}

function without(message: Message, shared: Fields): Incoming {
  const { timestamp: _, submittedMs, data, dataIsJson, ...all } = message;
  const own = Object.entries(all).filter(([name]) => !(name in shared));
  return { fields: Object.fromEntries(own), submittedMs, data, dataIsJson };
}
