/** A second reader of requests, written otherwise: regular expressions over the whole text. Both must find the same. */
import type { Asked } from "./client.ts";

export interface Framed {
  /** Whole requests, in order. */
  readonly requests: readonly Asked[];
  /** Why there are no more: one is refused, it was the last, or more bytes are wanted. */
  readonly end: "refused" | "last" | "open";
}

const token = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]";
const value = "[\\t\\x20-\\x7e\\x80-\\xff]";
const requestLine = new RegExp(`^(${token}{1,32}) ([\\x21-\\x7e\\x80-\\xff]{1,8192}) HTTP/1\\.([01])$`);
const fieldLine = new RegExp(`^(${token}+):[ \\t]*(${value}*?)[ \\t]*$`);
const chunk = new RegExp(`^([0-9A-Fa-f]{1,8})(?:;(${value}*))?\\r\\n`);
const trailer = new RegExp(`^(?:${token}+:${value}*\\r\\n)*\\r\\n`);
const host = /^(\[[\dA-Fa-f:.]+\]|([\w.\-~!$&'()*+,;=]|%[\dA-Fa-f]{2})*)(:\d*)?$/;

const bodyMax = 65_536;

export function framed(text: string): Framed {
  const requests: Asked[] = [];
  for (let left = text;;) {
    left = left.replace(/^(\r\n)+/, "");
    const end = left.indexOf("\r\n\r\n");
    if (end < 0) return { requests, end: "open" };
    const head = headOf(left.slice(0, end), end + 4);
    if (head === undefined) return { requests, end: "refused" };
    const body = bodyOf(left.slice(end + 4), head.length);
    if (typeof body === "string") return { requests, end: body as "refused" | "open" };
    requests.push({ method: head.method, target: head.target, body: body.text });
    if (!head.goesOn) return { requests, end: "last" };
    left = left.slice(end + 4 + body.taken);
  }
}

function headOf(text: string, bytes: number) {
  const [first = "", ...lines] = text.split("\r\n");
  const start = requestLine.exec(first);
  const fields = lines.map((line) => fieldLine.exec(line));
  if (!start || fields.includes(null) || fields.length > 64 || bytes > 32_768) return undefined;
  const [, method = "", target = "", minor] = start;
  const all = (name: string) => fields.filter((field) => field![1]!.toLowerCase() === name).map((field) => field![2]!);
  const path = pathOf(target, method);
  const old = minor === "0";
  const length = lengthOf(all("content-length"), all("transfer-encoding"), old);
  const hosts = all("host");
  const soundHost = hosts.length === 1 ? host.test(hosts[0]!) : old && hosts.length === 0;
  const expects = old ? [] : all("expect");
  const met = expects.length === 0 || (expects.length === 1 && expects[0]!.toLowerCase() === "100-continue");
  if (path === undefined || length === undefined || !soundHost || !met) return undefined;
  const options = all("connection").join(",").toLowerCase().split(",").map((option) =>
    option.replace(/^[ \t]+|[ \t]+$/g, "")
  );
  const goesOn = !options.includes("close") && (!old || options.includes("keep-alive"));
  return { method, target: path, length, goesOn };
}

function pathOf(target: string, method: string): string | undefined {
  if (method === "CONNECT") return undefined;
  const utf8 = new TextDecoder().decode(Uint8Array.from(target, (letter) => letter.charCodeAt(0)));
  if (utf8.startsWith("/") || (utf8 === "*" && method === "OPTIONS")) return utf8;
  const match = /^https?:\/\/[\w.\-~%[\]:]+(?:(\/[^]*)|(\?[^]*))?$/i.exec(utf8);
  return match ? match[1] ?? `/${match[2] ?? ""}` : undefined;
}

function lengthOf(lengths: string[], codings: string[], old: boolean): number | "chunked" | undefined {
  if (codings.length > 0) {
    return codings.length === 1 && codings[0]!.toLowerCase() === "chunked" && lengths.length === 0 && !old
      ? "chunked"
      : undefined;
  }
  if (lengths.length === 0) return 0;
  return lengths.length === 1 && /^\d{1,15}$/.test(lengths[0]!) ? Number(lengths[0]) : undefined;
}

function bodyOf(text: string, length: number | "chunked"): { text: string; taken: number } | "refused" | "open" {
  if (length === "chunked") return chunksOf(text);
  if (length > bodyMax) return "refused";
  return length > text.length ? "open" : { text: text.slice(0, length), taken: length };
}

/** Chunks that are not all there may be refused already: what is wrong with them is not asked here. */
function chunksOf(text: string): { text: string; taken: number } | "refused" | "open" {
  let body = "";
  let beside = 0;
  for (let at = 0;;) {
    const size = chunk.exec(text.slice(at));
    if (!size) return "open";
    beside += size[2] === undefined ? 0 : size[2].length + 1;
    if (beside > 256) return "refused";
    const count = parseInt(size[1]!, 16);
    at += size[0].length;
    if (count === 0) {
      const rest = trailer.exec(text.slice(at));
      return rest ? { text: body, taken: at + rest[0].length } : "open";
    }
    if (body.length + count > bodyMax || text.slice(at + count, at + count + 2) !== "\r\n") return "open";
    body += text.slice(at, at + count);
    at += count + 2;
  }
}
