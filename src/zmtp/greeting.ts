/**
 * The first 64 bytes that each side sends (RFC 23 and 37, "Version Negotiation" and "Connection Metadata"):
 *
 * | bytes | what |
 * |---|---|
 * | 10 | signature: FF, eight of padding, 7F |
 * | 2 | version, major and minor |
 * | 20 | mechanism, filled up with zeros |
 * | 1 | whether it is the server, for mechanisms that have one |
 * | 31 | zeros |
 */
import { type Refusal, refuse } from "./refusal.ts";

export const greetingBytes = 64;
const signatureEnd = 9;
const majorAt = 10;
const minorAt = 11;
const mechanismAt = 12;
const mechanismEnd = 32;
const major = 3;
const minor = 1;
const mechanism = new TextEncoder().encode("NULL");

export interface Greeting {
  /** Of version 3: peers of 3.1 know PING, SUBSCRIBE and CANCEL as commands. */
  readonly minor: number;
}

/** Ours. */
export function greeting(): Uint8Array {
  const bytes = new Uint8Array(greetingBytes);
  bytes[0] = 0xff;
  bytes[signatureEnd] = 0x7f;
  bytes[majorAt] = major;
  bytes[minorAt] = minor;
  bytes.set(mechanism, mechanismAt);
  return bytes;
}

/** The peer's; nothing while more has to come. What is wrong is said as soon as it can be seen. */
export function readGreeting(bytes: Uint8Array, from: number, to: number): Greeting | Refusal | undefined {
  const length = to - from;
  if (length > 0 && bytes[from] !== 0xff) return refuse("protocol", "it does not speak ZMTP");
  if (length > signatureEnd && bytes[from + signatureEnd] !== 0x7f) return refuse("protocol", "it does not speak ZMTP");
  if (length > majorAt && bytes[from + majorAt]! < major) {
    return refuse("protocol", "it speaks ZMTP before 3.0, which ended with libzmq 3");
  }
  if (length < greetingBytes) return undefined;
  for (let at = mechanismAt; at < mechanismEnd; at++) {
    if (bytes[from + at] !== (mechanism[at - mechanismAt] ?? 0)) {
      return refuse("protocol", "it wants another mechanism than NULL");
    }
  }
  return { minor: bytes[from + majorAt]! > major ? minor : bytes[from + minorAt]! };
}
