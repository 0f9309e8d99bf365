/** Sends chunks, several at a time, until the fate of each is known: taken, or refused line by line. */
import type { Clock } from "../os/world.ts";
import { createHash } from "node:crypto";
import { bodyOf, type Chunk, type Line } from "./chunk.ts";
import { type Reply, type Verdict, verdictOf } from "./verdict.ts";

/** Ends the sending: nothing more of it would be taken. */
export class SendingEnded extends Error {
  readonly reason: "unreachable" | "bad line" | "not allowed" | "not found" | "refused";

  constructor(reason: SendingEnded["reason"], message: string) {
    super(message);
    this.reason = reason;
  }
}

export interface SenderParts {
  readonly clock: Clock;
  readonly random: () => number;
  /** Requests under way at once; with 1 the order of lines is kept. */
  readonly inFlight: number;
  /** Rejects when nobody answers. */
  post(chunk: Chunk, signal: AbortSignal): Promise<Reply>;
  /** How long a server may be away before the sending ends. */
  patienceMs(): number;
  /** Told of each line that is refused; throws to end the sending. */
  refuse(line: Line, why: string): void;
  /** Why it waits; `undefined` when the server takes messages again. */
  wait(why: string | undefined): void;
}
export interface Sent {
  lines: number;
  bytes: number;
  requests: number;
  refused: number;
}

const firstPauseMs = 100;
const pauseMaxMs = 30_000;

export class Sender {
  readonly sent: Sent = { lines: 0, bytes: 0, requests: 0, refused: 0 };
  readonly #parts: SenderParts;
  /** Nothing waits for another try any more. */
  readonly #ended = new AbortController();
  /** Requests under way are broken off. */
  readonly #stop = new AbortController();
  readonly #underWay = new Set<Promise<void>>();
  #awaySince: number | undefined;
  #failure: { readonly problem: unknown } | undefined;

  constructor(parts: SenderParts) {
    this.#parts = parts;
  }

  get underWay(): number {
    return this.#underWay.size;
  }

  /** Resolves as soon as it is under way; `settled` is called once each of its lines is taken or refused. Throws what ended the sending. */
  async offer(chunk: Chunk, settled: () => void): Promise<void> {
    while (this.#underWay.size >= this.#parts.inFlight && !this.#failure) await Promise.race(this.#underWay);
    this.#throwFailure();
    const work = this.#carry(chunk, chunk.lines).then(settled).catch((problem) => this.#fail(problem))
      .finally(() => void this.#underWay.delete(work));
    this.#underWay.add(work);
  }

  /** Resolves when everything offered is settled. */
  async finish(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.race(this.#underWay);
    this.#throwFailure();
  }

  /** Gives up what is under way: it is as if never offered, but may have been taken. */
  async abandon(): Promise<void> {
    this.#fail(new SendingEnded("unreachable", "told to stop"));
    this.#stop.abort();
    await Promise.allSettled(this.#underWay);
  }

  /** Nothing more is begun; what is under way may still be taken. */
  #fail(problem: unknown): void {
    this.#failure ??= { problem };
    this.#ended.abort();
  }

  #throwFailure(): void {
    if (this.#failure) throw this.#failure.problem;
  }

  async #carry(chunk: Chunk, lines: readonly Line[]): Promise<void> {
    while (lines.length > 0) {
      const verdict = await this.#send(partOf(chunk, lines));
      if (verdict.kind === "taken") return this.#count(lines);
      if (verdict.kind === "refused") throw refusal(verdict);
      if (verdict.kind === "split") {
        const middle = lines.length >> 1;
        await this.#carry(chunk, lines.slice(0, middle));
        return await this.#carry(chunk, lines.slice(middle));
      }
      this.sent.refused++;
      this.#parts.refuse(lines[verdict.index]!, verdict.why);
      lines = lines.toSpliced(verdict.index, 1);
    }
  }

  #count(lines: readonly Line[]): void {
    this.sent.lines += lines.length;
    this.sent.bytes += lines.reduce((sum, { bytes }) => sum + bytes.length + 1, 0);
  }

  /** Again and again, until there is an answer that says yes or no. */
  async #send(chunk: Chunk): Promise<Exclude<Verdict, { kind: "later" }>> {
    for (let tries = 0;; tries++) {
      if (this.#ended.signal.aborted) throw new SendingEnded("unreachable", "told to stop");
      const verdict = await this.#try(chunk);
      if (verdict.kind !== "later") {
        this.#back();
        return verdict;
      }
      this.#awayFor(verdict);
      const pauseMs = Math.max(verdict.pauseMs, this.#pauseAfter(tries));
      await this.#parts.clock.sleep(pauseMs, this.#ended.signal);
    }
  }

  async #try(chunk: Chunk): Promise<Verdict> {
    this.sent.requests++;
    try {
      return verdictOf(await this.#parts.post(chunk, this.#stop.signal), chunk);
    } catch (problem) {
      const why = problem instanceof Error ? problem.message : String(problem);
      return { kind: "later", pauseMs: 0, why, away: true };
    }
  }

  #awayFor({ why, away }: { readonly why: string; readonly away: boolean }): void {
    const { clock, patienceMs, wait } = this.#parts;
    wait(why);
    if (!away) return;
    this.#awaySince ??= clock.elapsed();
    if (clock.elapsed() - this.#awaySince >= patienceMs()) throw new SendingEnded("unreachable", why);
  }

  #back(): void {
    this.#awaySince = undefined;
    this.#parts.wait(undefined);
  }

  #pauseAfter(tries: number): number {
    const full = Math.min(pauseMaxMs, firstPauseMs * 2 ** Math.min(tries, 20));
    return full / 2 + this.#parts.random() * full / 2;
  }
}

/** Some of the lines of a chunk have a key of their own: a key stands for one body. */
function partOf(chunk: Chunk, lines: readonly Line[]): Chunk {
  if (lines.length === chunk.lines.length) return chunk;
  const part = { ...chunk, lines };
  return { ...part, key: `${chunk.key}-${createHash("sha256").update(bodyOf(part)).digest("hex").slice(0, 16)}` };
}

function refusal({ status, why }: { readonly status: number; readonly why: string }): SendingEnded {
  const reasons: Record<number, SendingEnded["reason"]> = { 401: "not allowed", 403: "not allowed", 404: "not found" };
  return new SendingEnded(reasons[status] ?? "refused", why);
}
