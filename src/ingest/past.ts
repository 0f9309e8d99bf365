/** What came before: a request whose Idempotency-Key was seen, and messages whose ids were, are not stored again. */
import type { Idempotency } from "../message/wire.ts";
import type { Answer, HttpRequest } from "./http.ts";
import type { Asked, Intake, Wish } from "./intake.ts";
import { type KnownIds, RequestIds } from "./known_ids.ts";
import { isProblem, type Problem } from "./problem.ts";
import { identityOf, type Kept, type Repeats } from "./repeats.ts";

export interface PastParts {
  /** Without it, nobody looks for an Idempotency-Key. */
  readonly repeats?: Repeats | undefined;
  /** Without it, nobody looks for ids that come again. */
  readonly ids?: KnownIds | undefined;
}

/** A request with an Idempotency-Key. */
export interface Keyed {
  readonly key: string;
  /** By the name of its key of access, where it showed one. */
  readonly sender: string | undefined;
  /** What makes it this request and no other. */
  readonly parts: readonly Uint8Array[];
}

/** What makes it be stored once. */
export interface Once extends Pick<Asked, "kept" | "noted"> {
  readonly identity: Idempotency;
}

type MayAnswer = Answer | Promise<Answer>;

/** Instead of an answer: what came before this start has to be known first. Never sent. */
export const tooEarly: Answer = { status: 503, headers: {} };
const unknownPast: Problem = {
  code: "busy",
  detail: "Whether this request came before cannot be told now: the log cannot be read. Nothing of it was kept",
};

export class Past {
  readonly #intake: Intake;
  readonly #repeats: Repeats | undefined;
  readonly #ids: KnownIds | undefined;

  constructor(intake: Intake, { repeats, ids }: PastParts) {
    this.#intake = intake;
    this.#repeats = repeats;
    this.#ids = ids;
  }

  get looksForIds(): boolean {
    return this.#ids !== undefined;
  }

  /** Its Idempotency-Key, if anybody looks for it. */
  keyOf(request: HttpRequest): string | null {
    return this.#repeats === undefined ? null : request.header("idempotency-key");
  }

  /** Takes a request with a key, unless it was taken before. */
  async once(
    { key, sender = "", parts }: Keyed,
    wish: Wish | undefined,
    take: (once: Once) => MayAnswer,
  ): Promise<Answer> {
    const repeats = this.#repeats!;
    const identity = identityOf(key, sender, parts);
    if (isProblem(identity)) return this.#intake.refuse(identity, wish);
    try {
      await repeats.ready();
    } catch {
      // Whoever asks again makes it be read again.
      return this.#intake.refuse(unknownPast, wish);
    }
    const found = repeats.find(identity);
    if (found !== undefined) {
      return isProblem(found) ? this.#intake.refuse(found, wish) : await take({ identity, kept: found });
    }
    repeats.begin(identity);
    let kept: Kept | undefined;
    let answer: Answer | undefined;
    try {
      answer = await take({ identity, noted: (there) => kept = there });
      return answer;
    } finally {
      repeats.settle(identity, answer !== undefined && answer.status < 500 ? kept : undefined);
    }
  }

  /** Takes a request whose messages may have come before; once more when what came before this start has to be known first. */
  withIds(
    { kept, wish }: Pick<Asked, "kept" | "wish">,
    take: (ids: RequestIds | undefined) => MayAnswer,
  ): MayAnswer {
    const known = this.#ids;
    const fresh = () => known === undefined || kept !== undefined ? undefined : new RequestIds(known);
    const answer = take(fresh());
    if (answer !== tooEarly) return answer;
    // Whoever asks again makes it be read again.
    return known!.ready().then(() => take(fresh()), () => this.#intake.refuse(unknownPast, wish));
  }
}
