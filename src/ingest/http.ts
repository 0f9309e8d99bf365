/** What the routes and the shell that speaks HTTP say to each other. */

/** Bytes of a request, good until its answer. Most of them become bytes of an entry without ever being a text. */
export interface Span {
  readonly bytes: Uint8Array;
  readonly from: number;
  readonly to: number;
}

/** Name, in lower case, and value of a line. */
export type HeaderField = readonly [name: string, value: string];

export interface HttpRequest {
  readonly method: string;
  /** Path and query as sent. */
  readonly target: Span;
  /** The address of the other end of the connection. */
  readonly peer: string;
  /** The connection is TLS. */
  readonly secure: boolean;
  /** Several lines of one name come joined by ", ". */
  header(name: string): string | null;
  /** The value of a field that comes once and is ASCII; `undefined` for others, of which `header` tells. */
  headerSpan(name: string): Span | undefined;
  /** All lines whose names begin with `prefix`, which is left out, in the order they came. */
  headersFrom(prefix: string): HeaderField[];
  /** The whole body. Rejects with `TooLarge` when it has more than `limit` bytes, with `NoRoom`, with `BodyLost` when it never came to its end. */
  body(limit: number): Promise<Uint8Array>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array<ArrayBuffer>;
}

/** The body has more bytes than are taken. */
export class TooLarge extends Error {
  override readonly name = "TooLarge";
}

/** The bodies of all requests together take all the memory they may. */
export class NoRoom extends Error {
  override readonly name = "NoRoom";
}

/** The sender went away, or broke the framing, before the body was whole. */
export class BodyLost extends Error {
  override readonly name = "BodyLost";
}

/** Says which acknowledgement was reached. */
export function storedHeaders(ack: string): Record<string, string> {
  return { "sparkngin-ack": ack, "cache-control": "no-store" };
}

/** The one answer to all requests that want no more than "it is safe": the shell may keep its response ready. */
export const accepted: Answer = Object.freeze({ status: 204, headers: Object.freeze(storedHeaders("disk")) });

/** The same with more headers. */
export function withHeaders(answer: Answer, more: Readonly<Record<string, string>>): Answer {
  return { ...answer, headers: { ...answer.headers, ...more } };
}

/** Tells the ids of what was stored. */
export function receipt(body: string, ack: string, status = 200): Answer {
  return { status, headers: { ...storedHeaders(ack), "content-type": "application/json" }, body };
}

export function text(body: string): Answer {
  return { status: 200, headers: { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" }, body };
}

export function json(body: string): Answer {
  return { status: 200, headers: { "content-type": "application/json", "cache-control": "no-store" }, body };
}

const pixelBytes = Uint8Array.from(
  atob("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"),
  (letter) => letter.charCodeAt(0),
);

/** One transparent pixel that no cache keeps. */
export const pixel: Answer = Object.freeze({
  status: 200,
  headers: Object.freeze({ "content-type": "image/gif", "cache-control": "no-store" }),
  body: pixelBytes,
});
