/** Addresses as bytes and back: their networks. Whatever is no address is left to the caller. */
import { isIP } from "node:net";

export interface NetworkBits {
  readonly v4: number;
  readonly v6: number;
}

/** An IPv4 address stays one when it comes through an IPv6 socket. */
export function plainAddress(address: string): string {
  return address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address;
}

/** The first address of its network; of what is no address, that. */
export function networkOf(address: string, bits: NetworkBits): string {
  const family = isIP(address);
  if (family === 0) return address;
  if (family === 4) return bits.v4 === 32 ? address : v4Text(cut(v4Bytes(address), bits.v4));
  return v6Text(cut(v6Bytes(address), bits.v6));
}

function cut(bytes: Uint8Array, bits: number): Uint8Array {
  return bytes.map((byte, i) => byte & (0xff00 >> Math.min(8, Math.max(0, bits - i * 8))));
}

function v4Bytes(address: string): Uint8Array {
  return Uint8Array.from(address.split("."), Number);
}

function v4Text(bytes: Uint8Array): string {
  return bytes.join(".");
}

/** RFC 4291 2.2, without the zone that may stand behind a "%". */
function v6Bytes(address: string): Uint8Array {
  const [plain = ""] = address.split("%");
  const dotted = /[\d.]+$/.exec(plain)?.[0];
  const whole = dotted?.includes(".") ? plain.slice(0, -dotted.length) + groupsOf(v4Bytes(dotted)) : plain;
  const [head = "", tail] = whole.split("::");
  const [before, after] = [head, tail ?? ""].map((part) => part === "" ? [] : part.split(":"));
  const groups = [...before!, ...Array(8 - before!.length - after!.length).fill("0"), ...after!];
  return Uint8Array.from(groups.flatMap((group) => [parseInt(group, 16) >> 8, parseInt(group, 16) & 255]));
}

function groupsOf([a = 0, b = 0, c = 0, d = 0]: Uint8Array): string {
  return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
}

/** RFC 5952: small letters, no leading zeros, the first longest run of zeros left out. */
function v6Text(bytes: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, i) => (bytes[2 * i]! * 256 + bytes[2 * i + 1]!).toString(16));
  const text = groups.join(":");
  const runs = [...text.matchAll(/(?<![^:])0(?::0)+(?![^:])/g)];
  const longest = runs.reduce((best, [run]) => run.length > best.length ? run : best, "");
  if (longest === "") return text;
  const at = runs.find(([run]) => run === longest)!.index;
  return `${text.slice(0, at).replace(/:$/, "")}::${text.slice(at + longest.length).replace(/^:/, "")}`;
}
