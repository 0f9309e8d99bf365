/** What Elasticsearch and OpenSearch answer to a bulk request, and what that means for messages. Pure. Answers come from outside: nothing of them is shown as it is. */

export interface Answer {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly text: string;
}
/** Of one document. */
export interface Item {
  readonly status: number;
  readonly type: string;
  readonly reason: string;
}

/** taken; bad: this message will never be taken; held: not now, because of the index, the rights or the load. */
export type Meaning = "taken" | "bad" | "held";

export function meaningOf(item: Item): Meaning {
  const { status } = item;
  // 409: it has a document with that id, so this is a repeat.
  if ((status >= 200 && status < 300) || status === 409) return "taken";
  if (status === 400 || status === 413 || status === 422) return isOfTheIndex(item) ? "held" : "bad";
  return "held";
}

/** Held for the sake of this index (not there, closed, read-only, not ours to write), and not of the load. */
export function isAboutIndex({ status }: Item): boolean {
  return status < 500 && status !== 429;
}

/** They say 400 for some things that no message is to blame for. */
function isOfTheIndex({ type, reason }: Item): boolean {
  if (type === "index_closed_exception") return true;
  if (/maximum (normal |data )?shards open|no write index is defined/.test(reason)) return true;
  return /^pipeline with id \[.*\] does not exist/.test(reason);
}

/** The items of a bulk request's answer, in the order of the documents. Throws when it cannot be understood. */
export function itemsIn(text: string, count: number): Item[] {
  let items: unknown;
  try {
    ({ items } = JSON.parse(text));
  } catch {
    throw new Error(`its answer cannot be understood: ${quoted(text)}`);
  }
  if (!Array.isArray(items) || items.length !== count) {
    throw new Error(`its answer is about ${Array.isArray(items) ? items.length : 0} of ${count} documents`);
  }
  return items.map((one) => itemOf(one?.create));
}

function itemOf(given: unknown): Item {
  const { status, error } = (given ?? {}) as { status?: unknown; error?: unknown };
  if (typeof status !== "number") throw new Error("its answer does not say what became of a document");
  return { status, ...errorOf(error) };
}

function errorOf(error: unknown): { type: string; reason: string } {
  if (typeof error === "string") return { type: "", reason: error };
  const { type, reason, caused_by: cause } = (error ?? {}) as Record<string, unknown>;
  const deeper = (cause as { reason?: unknown } | undefined)?.reason;
  const texts = [reason, deeper].filter((one) => typeof one === "string");
  return { type: typeof type === "string" ? type : "", reason: [...new Set(texts)].join(": ") };
}

/** In a sentence for the operator. */
export function explainItem({ status, type, reason }: Item): string {
  const hint = type === "index_not_found_exception"
    ? " (create it, or let it be created: action.auto_create_index)"
    : "";
  return `${status} ${plain(type)}${reason === "" ? "" : `: ${plain(reason)}`}${hint}`;
}

export function explain({ status, text }: Answer, origin: string): string {
  const hint = hints.get(status);
  const { type, reason } = problemIn(text);
  const said = type === "" && reason === "" ? quoted(text.trim()) : `${plain(type)}: ${plain(reason)}`;
  return `${origin} answers ${status}${hint === undefined ? "" : ` (${hint})`}${text.trim() === "" ? "" : `: ${said}`}`;
}

function problemIn(text: string): { type: string; reason: string } {
  try {
    return errorOf(JSON.parse(text).error);
  } catch {
    return { type: "", reason: "" };
  }
}

const hints = new Map([
  [301, "a redirect: none is followed, check nodes"],
  [302, "a redirect: none is followed, check nodes"],
  [401, "check username and password, or api_key"],
  [403, "the login may not write there, or the disk is full"],
  [404, "check nodes: there is no _bulk"],
  [413, "request_max is larger than http.max_content_length"],
  [429, "too many requests"],
]);

/** In ms, from seconds. */
export function waitMsOf({ retryAfter = "" }: Answer): number | undefined {
  return /^\s*\d{1,6}\s*$/.test(retryAfter) ? Number(retryAfter) * 1000 : undefined;
}

const shownMax = 400;

/** In plain ASCII, and short: it ends in logs, dead letters and terminals. */
export function plain(text: string): string {
  const short = text.length > shownMax ? `${text.slice(0, shownMax)}…` : text;
  return short.replace(/\s+/g, " ").replace(
    /[^\x20-\x7e…]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function quoted(text: string): string {
  return `"${plain(text.slice(0, 200)).replaceAll('"', "'")}"`;
}
