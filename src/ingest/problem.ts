/** Why a request is not taken: a value inside, problem+json (RFC 9457) outside. */
import type { Answer } from "./http.ts";

/** Each kind of problem: status, title, and whether the same request may pass later. */
const kinds = {
  "bad-message": [400, "The message cannot be taken", false],
  "bad-request": [400, "The request cannot be understood", false],
  "too-many-topics": [400, "There are too many topics", false],
  "unauthorized": [401, "A key is needed", false],
  "forbidden": [403, "The key does not allow this", false],
  "not-found": [404, "There is nothing here", false],
  "method-not-allowed": [405, "The method is not allowed here", false],
  "timeout": [408, "The request took too long", true],
  "under-way": [409, "The request is under way", true],
  "too-large": [413, "The request is too large", false],
  "unsupported-type": [415, "The type of the body is not supported", false],
  "key-reused": [422, "The key belongs to another request", false],
  "undeliverable": [422, "A destination refused the message", false],
  "too-many-requests": [429, "There are too many requests", true],
  "internal": [500, "Something went wrong inside", true],
  "keys-unreadable": [503, "The keys cannot be read", true],
  "busy": [503, "There is too much at once", true],
  "disk-full": [503, "The disk is full", true],
  "system-exhausted": [503, "The system has no files or memory left", true],
  "log-stopped": [503, "The log has stopped", true],
  "starting": [503, "The server is starting", true],
  "stopping": [503, "The server is stopping", true],
} as const satisfies Record<string, readonly [number, string, boolean]>;
export type ProblemCode = keyof typeof kinds;
export const problemCodes = Object.keys(kinds) as ProblemCode[];

export interface Problem {
  readonly code: ProblemCode;
  /** Where HTTP has a finer one than the kind's. */
  readonly status?: number;
  /** One sentence for a person. Whatever it quotes of a sender went through `quoted`. */
  readonly detail: string;
  /** Which line, or which element of an array, counted from 1. */
  readonly line?: number;
  readonly field?: string;
  /** "unknown": the messages may be stored all the same; "refused": they are not. */
  readonly outcome?: "unknown" | "refused";
  /** What HTTP says beside it. */
  readonly headers?: Readonly<Record<string, string>>;
}

export function isProblem(value: object): value is Problem {
  return "code" in value;
}

export function badMessage(field: string | undefined, detail: string, line?: number): Problem {
  return { code: "bad-message", detail, field, line };
}

export function problemAnswer(problem: Problem, headers: Record<string, string> = {}): Answer {
  const { code, detail, line, field, outcome, headers: own } = problem;
  const [usual, title, retryable] = kinds[code];
  const { status = usual } = problem;
  const body = JSON.stringify({ type: `/errors/${code}`, title, status, detail, line, field, retryable, outcome });
  const pause: Record<string, string> = status === 503 || status === 409 ? { "retry-after": "1" } : {};
  return {
    status,
    headers: { "content-type": "application/problem+json", "cache-control": "no-store", ...pause, ...own, ...headers },
    body,
  };
}

const quotedMax = 100;

/** A sender's text, safe to show anywhere: in quotes, printable ASCII only, at most 100 characters. */
export function quoted(text: string): string {
  let shown = "";
  for (let i = 0; i < text.length; i++) {
    const next = escaped(text.charCodeAt(i));
    if (shown.length + next.length > quotedMax - 5) return `"${shown}…"`;
    shown += next;
  }
  return `"${shown}"`;
}

/** A sender's name of something, as it may stand in `field`. */
export function shownName(name: string): string {
  return quoted(name).slice(1, -1);
}

function escaped(code: number): string {
  if (code === 0x22) return '\\"';
  if (code === 0x5c) return "\\\\";
  if (code >= 0x20 && code < 0x7f) return String.fromCharCode(code);
  return `\\u${code.toString(16).padStart(4, "0")}`;
}
