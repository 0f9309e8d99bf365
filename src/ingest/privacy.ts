/**
 * How much is kept of addresses, those that senders claim included: all, their network, a hash that tells them apart for a day, or
 * nothing. It is done where messages are written, so that no way in can forget it.
 */
import { Buffer } from "node:buffer";
import { createHmac, randomBytes } from "node:crypto";
import { isIP } from "node:net";
import { EntryWriter, entryWriter, type FieldTag, tagOf } from "../message/wire.ts";
import { type Files, join, readWhole, replaceFile } from "../os/world.ts";
import { networkOf, plainAddress } from "./ip.ts";

export type IpForm = "full" | "truncated" | "hashed" | "none";

export interface PrivacyParts {
  readonly files: Files;
  /** The data directory. */
  readonly dir: string;
  report(text: string): void;
}

/** Where requests are written so that no more than that is kept. */
export function openEntry(form: IpForm, parts: PrivacyParts): EntryWriter {
  if (form === "full") return entryWriter;
  if (form === "none") return new PrivateWriter(() => undefined);
  if (form === "truncated") return new PrivateWriter(truncated);
  const hashes = new DailyHashes(parts);
  return new PrivateWriter((address, time) => hashes.of(address, time));
}

type Keep = (address: string, time: number) => string | undefined;

class PrivateWriter extends EntryWriter {
  readonly #keep: Keep;
  #time = 0;

  constructor(keep: Keep) {
    super();
    this.#keep = keep;
  }
  override begin(head: Parameters<EntryWriter["begin"]>[0]): void {
    this.#time = head.timestamp;
    super.begin(head);
  }
  override text(tag: FieldTag, value: string | undefined): void {
    const isAddress = (tag === ipTag || tag === peerIpTag) && value !== undefined;
    super.text(tag, isAddress ? this.#keep(value, this.#time) : value);
  }
  override span(tag: FieldTag, from: Uint8Array, start: number, end: number): void {
    if (tag === ipTag || tag === peerIpTag) this.text(tag, decoder.decode(from.subarray(start, end)));
    else super.span(tag, from, start, end);
  }
}

const ipTag = tagOf("ip");
const peerIpTag = tagOf("peerIp");
const decoder = new TextDecoder();
const networkBits = { v4: 24, v6: 48 };
const wholeBits = { v4: 32, v6: 128 };

/** What claims to be an address and is none may hold anything, so nothing of it is kept. */
function truncated(address: string): string | undefined {
  const plain = plainAddress(address);
  return isIP(plain) === 0 ? undefined : networkOf(plain, networkBits);
}

const dayMs = 86_400_000;
const memoMax = 4096;

/**
 * HMAC-SHA256, half of it. The key is made anew each day (UTC) and the old one overwritten, so what was kept yesterday can neither be
 * brought together with today's nor be tried out address by address.
 */
class DailyHashes {
  readonly #parts: PrivacyParts;
  #day = -1;
  #key: Uint8Array = new Uint8Array(0);
  readonly #memo = new Map<string, string>();

  constructor(parts: PrivacyParts) {
    this.#parts = parts;
  }

  of(address: string, time: number): string {
    const day = Math.floor(time / dayMs);
    if (day !== this.#day) this.#turn(day);
    const known = this.#memo.get(address);
    if (known !== undefined) return known;
    // However it is written, one address has one hash.
    const whole = networkOf(plainAddress(address), wholeBits);
    const hash = createHmac("sha256", this.#key).update(whole).digest("hex").slice(0, 32);
    if (this.#memo.size >= memoMax) this.#memo.clear();
    this.#memo.set(address, hash);
    return hash;
  }

  #turn(day: number): void {
    this.#memo.clear();
    this.#key = this.#kept(day) ?? this.#made(day);
    this.#day = day;
  }

  #kept(day: number): Uint8Array | undefined {
    const { files, dir } = this.#parts;
    try {
      const kept = JSON.parse(decoder.decode(readWhole(files, join(dir, "ip_key"))));
      return kept.day === day && /^[0-9a-f]{64}$/.test(kept.key) ? Buffer.from(kept.key, "hex") : undefined;
    } catch {
      // None yet, or damaged: a new one costs no more than that today's visitors count twice.
      return undefined;
    }
  }

  #made(day: number): Uint8Array {
    const key = randomBytes(32);
    const { files, dir, report } = this.#parts;
    try {
      const text = `${JSON.stringify({ day, key: key.toString("hex") })}\n`;
      replaceFile(files, join(dir, "ip_key"), new TextEncoder().encode(text), "private");
    } catch (problem) {
      const why = problem instanceof Error ? problem.message : String(problem);
      report(`Cannot keep the key that addresses are hashed with; a restart will make another: ${why}`);
    }
    return key;
  }
}
