/** What an answer means for the messages it is about. Pure. Answers come from outside: nothing of them is shown as it is. */

export interface Answer {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly location: string | undefined;
  /** The beginning of its body. */
  readonly text: string;
}

/** taken; bad: a message of it will never be taken; later: not now; trouble: the destination's own. */
export type Meaning = "taken" | "bad" | "later" | "trouble";

export function meaningOf({ status }: Answer): Meaning {
  if (status >= 200 && status < 300) return "taken";
  if ([400, 413, 415, 422].includes(status)) return "bad";
  return status === 429 || status === 503 ? "later" : "trouble";
}

/** In ms, from seconds or a date; undefined when there is none that can be read. */
export function waitMsOf({ retryAfter = "" }: Answer, nowMs: number): number | undefined {
  if (/^\s*\d{1,9}\s*$/.test(retryAfter)) return Number(retryAfter) * 1000;
  const date = /^\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT$/.test(retryAfter) ? Date.parse(retryAfter) : NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
}

/** Who answered, and what of what we said may stand in no log although an answer repeats it. */
export interface Receiver {
  readonly origin: string;
  readonly secrets: readonly string[];
}

/** In a sentence for the operator. */
export function explain(answer: Answer, { origin, secrets }: Receiver): string {
  const { status, location, text } = answer;
  const said = text.trim() === "" ? "" : `: ${quoted(without(secrets, text.trim()))}`;
  if (status >= 300 && status < 400) {
    const where = location === undefined ? "" : ` to ${quoted(without(secrets, location.replace(/[?#].*$/s, "")))}`;
    return `${origin} answers ${status}, a redirect${where}: none is followed; set url to where messages shall go`;
  }
  const hint = hints.get(status);
  return `${origin} answers ${status}${hint === undefined ? "" : ` (${hint})`}${said}`;
}

/** What may be secret in a URL: parts of its path, such as those of chat rooms, and of its query. */
export function secretsIn({ pathname, search }: URL): string[] {
  return `${pathname}${search}`.split(/[/?&=]/).flatMap((part) => [part, decoded(part)]);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Shorter ones are words, without which nothing could be read any more. */
const secretLengthMin = 6;

function without(secrets: readonly string[], text: string): string {
  const longest = secrets.filter(({ length }) => length >= secretLengthMin).sort((a, b) => b.length - a.length);
  return longest.reduce((left, secret) => left.replaceAll(secret, "…"), text);
}

const hints = new Map([
  [401, "check bearer, or username and password"],
  [403, "it does not allow it: check bearer, username, headers"],
  [404, "check the path in url"],
  [405, "it takes no POST at this path: check url"],
  [407, "a proxy wants a login"],
  [429, "too many requests"],
]);

const shownMax = 200;

/** In quotes, in plain ASCII, and short: it ends in logs, status pages and terminals. */
export function quoted(text: string): string {
  const short = text.length > shownMax ? `${text.slice(0, shownMax)}…` : text;
  const plain = short.replace(/[^\x20-\x7e…]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return `"${plain.replaceAll('"', "'")}"`;
}
