/** Which topics are taken: those of the patterns, or, without patterns, any as long as there are not too many. */
import { badMessage, type Problem, quoted } from "./problem.ts";

export interface TopicSettings {
  readonly topics_max: number;
  readonly topics_allow: readonly string[];
}

export class Topics {
  readonly #max: number;
  readonly #patterns: readonly string[];
  readonly #known = new Set<string>();
  /** New ones of the request at hand: they count once the whole of it is taken. */
  readonly #fresh = new Set<string>();

  constructor(settings: TopicSettings) {
    this.#max = settings.topics_max;
    this.#patterns = settings.topics_allow;
  }

  /** Forgets what a refused request brought. */
  begin(): void {
    if (this.#fresh.size > 0) this.#fresh.clear();
  }

  /** What is wrong with a message of this topic, whose letters were found good. */
  admit(topic: string | undefined): Problem | undefined {
    if (topic === undefined) return missing;
    if (this.#known.has(topic) || this.#fresh.has(topic)) return undefined;
    if (this.#patterns.length > 0) {
      return this.#patterns.some((one) => matches(one, topic)) ? undefined : notAllowed(topic);
    }
    if (this.#known.size + this.#fresh.size >= this.#max) return this.#tooMany(topic);
    this.#fresh.add(topic);
    return undefined;
  }

  /** The request was taken. */
  keep(): void {
    if (this.#fresh.size === 0) return;
    for (const topic of this.#fresh) this.#known.add(topic);
    this.#fresh.clear();
  }

  #tooMany(topic: string): Problem {
    const detail = `Topic ${quoted(topic)} would be one more than the ${this.#max} that are taken (http.topics_max)`;
    return { code: "too-many-topics", detail, field: "topic" };
  }
}

const missing = badMessage("topic", 'Field "topic" is missing: name it in the message or in the query');

function notAllowed(topic: string): Problem {
  return badMessage("topic", `Topic ${quoted(topic)} is none of those that are taken (http.topics_allow)`);
}

/** Whether the pattern, in which `*` stands for any letters, covers the whole text. Never slower than their lengths multiplied. */
export function matches(pattern: string, text: string): boolean {
  let at = 0;
  let star = -1;
  let resume = 0;
  let i = 0;
  while (i < text.length) {
    if (pattern[at] === "*") {
      star = at++;
      resume = i;
    } else if (pattern[at] === text[i]) {
      at++;
      i++;
    } else if (star >= 0) {
      at = star + 1;
      i = ++resume;
    } else return false;
  }
  while (pattern[at] === "*") at++;
  return at === pattern.length;
}
