/** What a request says of its sender: address, user agent, referrer, cookies, trace. */
import { BlockList, isIP } from "node:net";
import { fieldLengthMax } from "../message/message.ts";
import { type EntryWriter, type FieldTag, tagOf } from "../message/wire.ts";
import { bitOf } from "./fields.ts";
import type { HttpRequest } from "./http.ts";
import { plainAddress } from "./ip.ts";
import { putTraceOf } from "./trace.ts";

export interface SenderSettings {
  readonly trusted_proxies: readonly string[];
  readonly cookies: readonly string[];
}

/** Puts into the entry what the message itself left open: all fields but those whose bits are in `seen`. */
export type Fill = (into: EntryWriter, seen: number, request: HttpRequest) => void;

const bits = {
  ...{ ip: bitOf("ip"), referrer: bitOf("referrer"), userAgent: bitOf("userAgent") },
  ...{ cookies: bitOf("cookies"), traceparent: bitOf("traceparent") },
};
const tags = {
  ...{ ip: tagOf("ip"), peerIp: tagOf("peerIp"), referrer: tagOf("referrer") },
  ...{ userAgent: tagOf("userAgent"), cookies: tagOf("cookies") },
};

export function openSender(settings: SenderSettings): Fill {
  const addressOf = openAddress(settings.trusted_proxies);
  const keepsCookies = settings.cookies.length > 0;
  return (into, seen, request) => {
    const address = addressOf(request);
    into.text(tags.peerIp, address);
    if ((seen & bits.ip) === 0) into.text(tags.ip, address);
    if ((seen & bits.referrer) === 0) putHeader(into, tags.referrer, request, "referer");
    if ((seen & bits.userAgent) === 0) putHeader(into, tags.userAgent, request, "user-agent");
    if ((seen & bits.traceparent) === 0) putTraceOf(request, into);
    if (keepsCookies && (seen & bits.cookies) === 0) {
      into.text(tags.cookies, keptCookies(headerText(request.header("cookie"), Infinity), settings.cookies));
    }
  };
}

/** The address that a request comes from: the nearest one that is none of our proxies. */
export function openAddress(trustedProxies: readonly string[]): (request: HttpRequest) => string {
  const trusts = proxyTest(trustedProxies);
  if (trusts === undefined) return ({ peer }) => plainAddress(peer);
  return (request) => forwardedAddress(plainAddress(request.peer), request.header("x-forwarded-for"), trusts);
}

/** Whether the sender speaks HTTPS, with us or with a proxy of ours that says so. */
export function openHttpsTest(trustedProxies: readonly string[]): (request: HttpRequest) => boolean {
  const trusts = proxyTest(trustedProxies);
  return (request) => {
    if (request.secure === true) return true;
    if (!trusts?.(plainAddress(request.peer))) return false;
    // Of several proxies the first stands nearest to the sender.
    return /^\s*https\s*(,|$)/i.test(request.header("x-forwarded-proto") ?? "");
  };
}

function putHeader(into: EntryWriter, tag: FieldTag, request: HttpRequest, name: string): void {
  const span = request.headerSpan(name);
  if (span === undefined || span.to - span.from > fieldLengthMax) {
    into.text(tag, headerText(request.header(name)));
  } else if (span.to > span.from) into.span(tag, span.bytes, span.from, span.to);
}

/** Whether an address is one of our proxies; nothing when there is none. Throws when an entry is no address or network. */
export function proxyTest(entries: readonly string[]): ((address: string) => boolean) | undefined {
  if (entries.length === 0) return undefined;
  const list = new BlockList();
  for (const entry of entries) addEntry(list, entry);
  return (address) => {
    const family = isIP(address);
    return family !== 0 && list.check(address, family === 6 ? "ipv6" : "ipv4");
  };
}

function addEntry(list: BlockList, entry: string): void {
  const [address = "", bits, ...more] = entry.split("/");
  const family = isIP(address);
  const most = family === 6 ? 128 : 32;
  const prefix = bits === undefined ? most : /^\d{1,3}$/.test(bits) ? Number(bits) : Infinity;
  if (family === 0 || more.length > 0 || prefix > most) {
    throw new Error(`Cannot use http.trusted_proxies: "${entry}" is no address and no network such as 10.0.0.0/8`);
  }
  list.addSubnet(address, prefix, family === 6 ? "ipv6" : "ipv4");
}

/**
 * The nearest address that is none of our proxies. Read from the right, because only what our proxies wrote can be believed;
 * whatever is no address ends it.
 */
function forwardedAddress(peer: string, forwarded: string | null, trusts: (address: string) => boolean): string {
  let seen = peer;
  const hops = forwarded === null ? [] : forwarded.split(",");
  for (let i = hops.length - 1; i >= 0 && trusts(seen); i--) {
    const hop = plainAddress(withoutPort(hops[i]!.trim()));
    if (isIP(hop) === 0) break;
    seen = hop;
  }
  return seen;
}

function withoutPort(hop: string): string {
  if (hop.startsWith("[")) return hop.slice(1, hop.indexOf("]"));
  const colon = hop.indexOf(":");
  return colon > 0 && colon === hop.lastIndexOf(":") ? hop.slice(0, colon) : hop;
}

/** A header comes with a character a byte; what is UTF-8 is read as such. Cut where a field would be too long. */
export function headerText(header: string | null, lengthMax = fieldLengthMax): string | undefined {
  if (header === null || header === "") return undefined;
  const text = isAscii(header) ? header : fromUtf8(header);
  return text.length > lengthMax ? text.slice(0, lengthMax) : text;
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function fromUtf8(header: string): string {
  try {
    return utf8.decode(Uint8Array.from(header, (letter) => letter.charCodeAt(0)));
  } catch {
    return header;
  }
}

/** The cookies to keep, as the text of a JSON object, in the order they came; of two of one name the first. */
export function keptCookies(header: string | undefined, names: readonly string[]): string | undefined {
  if (header === undefined) return undefined;
  const kept = new Set<string>();
  let json = "";
  for (const part of header.split(";")) {
    const middle = part.indexOf("=");
    const name = part.slice(0, Math.max(middle, 0)).trim();
    if (name === "" || kept.has(name) || !(names.includes(name) || names.includes("*"))) continue;
    const pair = `${JSON.stringify(name)}:${JSON.stringify(part.slice(middle + 1).trim())}`;
    if (json.length + pair.length + 2 > fieldLengthMax) continue;
    kept.add(name);
    json += (json === "" ? "" : ",") + pair;
  }
  return json === "" ? undefined : `{${json}}`;
}
