/** Unpacks bodies (Content-Encoding), never further than the limit, and never half of one. */
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { codeOf } from "../os/world.ts";
import { isProblem, type Problem, quoted } from "./problem.ts";
import { type Frame, zstdFrames } from "./zstd.ts";

/** What a sender of `Content-Encoding: zstd` may ask us to look back (RFC 9659). */
const windowBytesMax = 8 * 1024 * 1024;

/** The body as it was before its sender packed it; at most `limit` bytes. */
export function unpacked(body: Uint8Array, encoding: string | null, limit: number): Uint8Array | Problem {
  const name = encoding?.trim().toLowerCase() ?? "";
  if (name === "" || name === "identity") return body;
  if (name === "gzip" || name === "x-gzip") return guarded("gzip", limit, () => gunzip(body, limit));
  if (name === "zstd") return unpackedZstd(body, limit);
  const detail = `Content-Encoding ${quoted(name)} is not supported: send gzip, zstd, or none`;
  return { code: "unsupported-type", detail };
}

function gunzip(body: Uint8Array, limit: number): Uint8Array {
  return gunzipSync(body, { maxOutputLength: limit });
}

function unpackedZstd(body: Uint8Array, limit: number): Uint8Array | Problem {
  const frames = zstdFrames(body);
  if (frames === undefined || frames.length === 0) return broken("zstd");
  const parts: Uint8Array[] = [];
  let left = limit;
  for (const frame of frames) {
    const part = unpackedFrame(body, frame, left, limit);
    if (isProblem(part)) return part;
    parts.push(part);
    left -= part.length;
  }
  return parts.length === 1 ? parts[0]! : joined(parts);
}

function unpackedFrame(body: Uint8Array, frame: Frame, left: number, limit: number): Uint8Array | Problem {
  const { start, end, windowBytes, contentBytes } = frame;
  if (contentBytes !== undefined && contentBytes > left) return tooLarge(limit);
  if (windowBytes > Math.max(windowBytesMax, contentBytes ?? 0)) {
    return { code: "bad-request", detail: `The zstd body asks for a window of more than ${windowBytesMax} bytes` };
  }
  // At least 1, because 0 would mean no limit.
  const options = { maxOutputLength: Math.max(left, 1) };
  const part = guarded("zstd", limit, () => zstdDecompressSync(body.subarray(start, end), options));
  if (isProblem(part)) return part;
  if (part.length > left) return tooLarge(limit);
  return contentBytes !== undefined && part.length !== contentBytes ? broken("zstd") : part;
}

function guarded(name: string, limit: number, unpack: () => Uint8Array): Uint8Array | Problem {
  try {
    return unpack();
  } catch (problem) {
    return codeOf(problem) === "ERR_BUFFER_TOO_LARGE" ? tooLarge(limit) : broken(name);
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function broken(name: string): Problem {
  return { code: "bad-request", detail: `The body is no whole ${name} stream` };
}

export function tooLarge(limit: number): Problem {
  return { code: "too-large", detail: `The body is larger than ${limit} bytes` };
}
