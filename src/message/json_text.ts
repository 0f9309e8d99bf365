/** Pieces of the JSON that formats write: always on one line, and payloads as they were received. */
import type { Message } from "./message.ts";

const lineFeed = 10;
const carriageReturn = 13;
const space = 32;
const harmless = /^[ !#-[\]-~]*$/;
const integer = /^(?:0|-?[1-9]\d{0,15})$/;
const nothing = new Uint8Array(0);

export function quoted(text: string): string {
  return harmless.test(text) ? `"${text}"` : JSON.stringify(text);
}

/** The sender's time: a number when it was given as one, else the text given. */
export function submittedValue(given: string): string {
  return integer.test(given) && Number.isSafeInteger(Number(given)) ? given : quoted(given);
}

/** A field that is the text of a JSON object already. */
export function objectValue(text: string): string {
  return text.replace(/[\r\n]/g, " ");
}

/** What stands in such a field; empty where it is no object after all: one bad field must not stop a destination. */
export function objectIn(text: string): Readonly<Record<string, unknown>> {
  try {
    return Object.assign(Object.create(null), JSON.parse(text));
  } catch {
    return Object.create(null);
  }
}

/** The member that holds the payload, without its bytes when they are JSON: those follow, see `payloadBytes`. */
export function payloadMember({ data, dataIsJson }: Message): string {
  if (!dataIsJson) return `,"data_base64":"${toBase64(data)}"`;
  return data.length === 0 ? "" : `,"data":`;
}

export function payloadBytes({ data, dataIsJson }: Message): Uint8Array {
  return dataIsJson ? oneLine(data) : nothing;
}

/** JSON has line ends only between its parts, where a space means the same. */
export function oneLine(json: Uint8Array): Uint8Array {
  for (let i = 0; i < json.length; i++) {
    if (json[i] === lineFeed || json[i] === carriageReturn) return json.map(spaceForLineEnd);
  }
  return json;
}

function spaceForLineEnd(byte: number): number {
  return byte === lineFeed || byte === carriageReturn ? space : byte;
}

export function toBase64(bytes: Uint8Array): string {
  return (bytes as Uint8Array & { toBase64(): string }).toBase64();
}
