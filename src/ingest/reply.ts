/** An answer as the bytes of an HTTP/1.1 response. RFC 9112 4, 6; RFC 9110 8.6, 15. */
import { Buffer } from "node:buffer";
import type { Head } from "./head.ts";
import { accepted, type Answer } from "./http.ts";

export interface Circumstances {
  /** The value of the Date field. */
  readonly date: string;
  /** What is answered; nothing when it could not be understood. */
  readonly head: Pick<Head, "method" | "old"> | undefined;
  /** The connection ends after this one. */
  readonly last: boolean;
}

export function replyBytes(answer: Answer, { date, head, last }: Circumstances): Uint8Array {
  if (answer === accepted && !last && !head?.old) return acceptedBytes(date);
  const { status } = answer;
  const body = typeof answer.body === "string" ? encoder.encode(answer.body) : answer.body ?? noBytes;
  let text = startOf(answer, date);
  if (status !== 204 && head?.method !== "HEAD") text += `content-length: ${body.length}\r\n`;
  // Nobody is to take what a sender wrote for a page. Without a body there is nothing to take.
  if (body.length > 0) text += "x-content-type-options: nosniff\r\n";
  if (last) text += "connection: close\r\n";
  else if (head?.old) text += "connection: keep-alive\r\n";
  const start = encoder.encode(`${text}\r\n`);
  return head?.method === "HEAD" || body.length === 0 ? start : Buffer.concat([start, body]);
}

/** RFC 9110 15.2.1. */
export const continueBytes: Uint8Array = Buffer.from("HTTP/1.1 100 Continue\r\n\r\n");

const encoder = new TextEncoder();
const noBytes = new Uint8Array(0);

let acceptedFor = "";
let acceptedNow = noBytes;

/** The answer that is sent most, made once a second. */
function acceptedBytes(date: string): Uint8Array {
  if (acceptedFor !== date) {
    acceptedFor = date;
    acceptedNow = encoder.encode(`${startOf(accepted, date)}\r\n`);
  }
  return acceptedNow;
}

function startOf({ status, headers }: Answer, date: string): string {
  let text = `HTTP/1.1 ${status} ${reasons[status] ?? "Answer"}\r\ndate: ${date}\r\n`;
  for (const name in headers) text += `${name}: ${headers[name]}\r\n`;
  return text;
}

const reasons: Readonly<Record<number, string>> = {
  200: "OK",
  202: "Accepted",
  204: "No Content",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  409: "Conflict",
  411: "Length Required",
  413: "Content Too Large",
  414: "URI Too Long",
  415: "Unsupported Media Type",
  417: "Expectation Failed",
  422: "Unprocessable Content",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  503: "Service Unavailable",
  505: "HTTP Version Not Supported",
};
