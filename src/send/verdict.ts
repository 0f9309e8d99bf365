/** What an answer of the server means for the lines that were sent. */
import type { Chunk } from "./chunk.ts";

export interface Reply {
  readonly status: number;
  /** "Retry-After", as it came. */
  readonly retryAfter: string | undefined;
  readonly text: string;
}

export type Verdict =
  | { readonly kind: "taken" }
  /** Not now; `pauseMs` is what the server asks for. `away`: it cannot take anything from anybody. */
  | { readonly kind: "later"; readonly pauseMs: number; readonly why: string; readonly away: boolean }
  /** This line is refused for good, and nothing of the request was kept. */
  | { readonly kind: "bad"; readonly index: number; readonly why: string }
  /** Too much for one request. */
  | { readonly kind: "split"; readonly why: string }
  /** Nothing we send will be taken. */
  | { readonly kind: "refused"; readonly status: number; readonly why: string };

export function verdictOf(reply: Reply, chunk: Chunk): Verdict {
  const { status } = reply;
  if (status === 200 || status === 202 || status === 204) return { kind: "taken" };
  const { detail, line, field, retryable } = problemIn(reply.text);
  const why = detail ?? `it answered ${status}`;
  if (status === 408 || status === 409 || status === 429 || status >= 500 || retryable) {
    return { kind: "later", pauseMs: pauseIn(reply.retryAfter), why, away: status >= 500 };
  }
  // Of lines that are the message itself only their length can be wrong: what else is refused is refused for all of them.
  const isOne = line !== undefined && (chunk.kind === "ndjson" || status === 413);
  if (isOne && line <= chunk.lines.length && field !== "topics") return { kind: "bad", index: line - 1, why };
  if (status === 413) return chunk.lines.length > 1 ? { kind: "split", why } : { kind: "bad", index: 0, why };
  if (chunk.kind === "ndjson" && chunk.lines.length === 1 && status === 400) return { kind: "bad", index: 0, why };
  return { kind: "refused", status, why };
}

interface Told {
  readonly detail?: string;
  readonly line?: number;
  readonly field?: string;
  readonly retryable?: boolean;
}

/** The problem of RFC 9457 in the text; whoever stands between us and the server may answer something else. */
function problemIn(text: string): Told {
  try {
    const { detail, line, field, retryable } = JSON.parse(text);
    return {
      ...(typeof detail === "string" && { detail }),
      ...(Number.isSafeInteger(line) && line > 0 && { line }),
      ...(typeof field === "string" && { field }),
      ...(retryable === true && { retryable }),
    };
  } catch {
    return {};
  }
}

const pauseMaxMs = 300_000;

/** Seconds; a date is not worth a second clock. */
function pauseIn(text: string | undefined): number {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Math.min(pauseMaxMs, Number(text) * 1000) : 0;
}
