/**
 * Commands: frames that are for us and not for the application. RFC 23, "Commands" and "The NULL Security Mechanism": READY with
 * the metadata, ERROR. RFC 37 adds PING, PONG, SUBSCRIBE and CANCEL. A command is the length of its name, the name, its data.
 */
import { command, headBytes, putHead } from "./frame.ts";
import { type Refusal, refuse } from "./refusal.ts";
import { isSocketType, type SocketType } from "./socket_type.ts";

const encoder = new TextEncoder();
const nameMax = 32;
const reasonMax = 255;

export interface Command {
  readonly name: string;
  readonly data: Uint8Array;
}

/** Nothing when the body is no command. */
export function readCommand(body: Uint8Array): Command | undefined {
  const length = body[0] ?? 0;
  if (length === 0 || length > nameMax || body.length < 1 + length) return undefined;
  const name = String.fromCharCode(...body.subarray(1, 1 + length));
  return { name, data: body.subarray(1 + length) };
}

/** With its frame. */
export function commandOf(name: string, data: Uint8Array): Uint8Array {
  const length = 1 + name.length + data.length;
  const bytes = new Uint8Array(headBytes(length) + length);
  const at = putHead(bytes, 0, command, length);
  bytes[at] = name.length;
  bytes.set(encoder.encode(name), at + 1);
  bytes.set(data, at + 1 + name.length);
  return bytes;
}

/** Our side of the handshake: which kind of socket we are. */
export function readyCommand(type: SocketType): Uint8Array {
  return commandOf("READY", propertyOf("Socket-Type", encoder.encode(type)));
}

/** Why we end the connection, where the peer may want to know. */
export function errorCommand(reason: string): Uint8Array {
  const text = encoder.encode(reason).subarray(0, reasonMax);
  return commandOf("ERROR", Uint8Array.of(text.length, ...text));
}

/** Which kind of socket the peer's READY says it is. */
export function readReady(data: Uint8Array): SocketType | Refusal {
  const properties = readProperties(data);
  if (properties === undefined) return refuse("protocol", "its READY breaks off");
  const type = properties.get("socket-type");
  if (type === undefined) return refuse("protocol", "its READY names no Socket-Type");
  return isSocketType(type) ? type : refuse("protocol", "its READY names an unknown Socket-Type");
}

/** What PONG has to bring back of a PING: all but the two bytes of its time to live, 16 bytes at most. */
export function pongFor(ping: Uint8Array): Uint8Array {
  return commandOf("PONG", ping.subarray(2, 18));
}

/** A PING without a context, to be answered within so many ms. */
export function pingCommand(ttlMs: number): Uint8Array {
  const tenths = Math.min(0xffff, Math.round(ttlMs / 100));
  return commandOf("PING", Uint8Array.of(tenths >> 8, tenths & 255));
}

function propertyOf(name: string, value: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(1 + name.length + 4 + value.length);
  bytes[0] = name.length;
  bytes.set(encoder.encode(name), 1);
  new DataView(bytes.buffer).setUint32(1 + name.length, value.length);
  bytes.set(value, 5 + name.length);
  return bytes;
}

/** By their names, whose case does not matter; nothing when they break off. */
function readProperties(data: Uint8Array): Map<string, string> | undefined {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const properties = new Map<string, string>();
  for (let at = 0; at < data.length;) {
    const nameEnd = at + 1 + data[at]!;
    if (nameEnd === at + 1 || nameEnd + 4 > data.length) return undefined;
    const valueEnd = nameEnd + 4 + view.getUint32(nameEnd);
    if (valueEnd > data.length) return undefined;
    properties.set(
      latin(data, at + 1, nameEnd).toLowerCase(),
      latin(data, nameEnd + 4, Math.min(valueEnd, nameEnd + 259)),
    );
    at = valueEnd;
  }
  return properties;
}

function latin(bytes: Uint8Array, from: number, to: number): string {
  return String.fromCharCode(...bytes.subarray(from, to));
}
