/** From messages to the log and back to the sender: appends, waits for the commit, answers, counts. */
import { LogExhausted, LogFull, LogStopped, type LogWriter, type Position } from "../log/mod.ts";
import { decodeEntry, type EntryWriter } from "../message/wire.ts";
import type { NodeCell, Table } from "../observe/table.ts";
import type { Clock } from "../os/world.ts";
import type { Ack } from "./ack.ts";
import type { BadRows } from "./bad_rows.ts";
import type { Coming, Deliveries, Outcome } from "./deliveries.ts";
import type { RequestIds } from "./known_ids.ts";
import { accepted, type Answer, pixel, receipt, storedHeaders, withHeaders } from "./http.ts";
import { type Problem, problemAnswer, type ProblemCode, quoted } from "./problem.ts";
import type { Kept } from "./repeats.ts";

export interface IntakeParts {
  readonly deliveries: Deliveries;
  readonly log: LogWriter;
  readonly clock: Clock;
  readonly table: Table;
  readonly node: string;
  epoch(): number;
}

/** What a sender wants to see once its messages are safe. */
export type Wish = "nothing" | "receipt" | "pixel";
/** What a request asks for besides being taken. */
export interface Asked {
  readonly wish: Wish;
  readonly ack: Ack;
  /** Where the messages are already: the request came before. */
  readonly kept?: Kept | undefined;
  /** Those of the request, where it asks for them to be taken. */
  readonly badRows?: BadRows | undefined;
  /** Those of its messages, where any has one. */
  readonly ids?: RequestIds | undefined;
  /** Told where the messages are once the log has taken them, before they are safe. */
  readonly noted?: ((kept: Kept) => void) | undefined;
}

/** Refusals that are counted of their own, too. */
const refusalCells: Partial<Record<ProblemCode, NodeCell>> = {
  "unauthorized": "denied",
  "forbidden": "denied",
  "too-many-requests": "limited",
};
/** The log takes no longer entries. */
const entryBytesMax = 16 * 1024 * 1024;
/** Beyond this a receipt tells the first id and the count. */
const idsMax = 100;

/** What one commit has of requests, and the answer to all of them. */
interface Commit {
  readonly durable: Promise<void>;
  readonly answer: Promise<Answer>;
  requests: number;
  messages: number;
  bytes: number;
}

export class Intake {
  readonly #parts: IntakeParts;
  #commit: Commit | undefined;

  constructor(parts: IntakeParts) {
    this.#parts = parts;
  }

  /** Stores all of a request as one entry, and answers once it would survive a power cut. */
  store(entry: EntryWriter, asked: Asked): Answer | Promise<Answer> {
    const { log, deliveries } = this.#parts;
    const { wish, ack } = asked;
    const bytes = entry.bytes();
    const { count } = entry;
    const notes = notesOf(asked);
    if (asked.kept !== undefined) return this.#again(asked.kept, entry, { ...asked, notes });
    // As many as it holds came before.
    if (count === 0) return this.#known({ ...asked, notes });
    if (bytes.length > entryBytesMax) return this.refuse(tooLong, wish);
    const who = ack.level === "delivered" ? deliveries.whoFor(ack, this.#coming(bytes, asked)) : undefined;
    if (who !== undefined && "code" in who) return this.refuse(who, wish);
    const isPlain = wish === "pixel" || (wish === "nothing" && ack.level === "disk" && notes === undefined);
    const before = asked.ids?.repeated ? asked.ids.before() : undefined;
    before?.catch(() => {});
    const ids = isPlain ? [] : idsIn(bytes);
    let first: Position;
    try {
      first = log.append(bytes, count);
    } catch (problem) {
      return this.#unavailable(problemOf(problem), 1, wish);
    }
    asked.noted?.({ first, epoch: this.#parts.epoch(), count });
    const outcome = who && deliveries.wait(who, first, count);
    const { answer, durable } = this.#join(count, bytes.length);
    asked.ids?.keep(durable);
    if (asked.badRows) this.#parts.table.add("diverted", asked.badRows.count);
    if (asked.ids?.repeated) this.#parts.table.add("known", asked.ids.repeated);
    if (isPlain) return wish === "pixel" ? answer.then(() => pixel) : answer;
    const stored: Stored = { first, epoch: this.#parts.epoch(), count, ids, wish, notes };
    if (ack.level === "memory") return this.#told(stored, "memory");
    return answer.then(async (all) => {
      if (all !== accepted) return all;
      const lost = await failureOf(before);
      if (lost !== undefined) return this.#unavailable(problemOf(lost.problem), 0, wish);
      return outcome ? this.#delivered(stored, await outcome) : this.#told(stored, "disk");
    });
  }

  /**
   * Stores what came by a way that has answers of its own: in the log when this returns, safe once `durable` resolves. Throws and
   * rejects as the log does.
   */
  keep(bytes: Uint8Array, count: number, requests = 0): Kept & { readonly durable: Promise<void> } {
    const first = this.#parts.log.append(bytes, count);
    const { durable } = this.#join(count, bytes.length, requests);
    return { first, epoch: this.#parts.epoch(), count, durable };
  }

  /** What a sender is told of messages that are safe; `ids` are the senders' own. */
  receiptOf(kept: Kept, ids: readonly (string | undefined)[]): string {
    const told = ids.slice(0, idsMax);
    return this.#receiptOf({ ...kept, ids: told, wish: "receipt", notes: undefined }, "disk");
  }

  /** Of what is in the log already. Whether it was delivered, too, nobody has kept in mind. */
  #again(kept: Kept, entry: EntryWriter, { wish, ack, notes }: Asked & { readonly notes: Notes | undefined }): Answer {
    this.#parts.table.add("requests", 1);
    this.#parts.table.add("repeated", 1);
    if (wish === "pixel") return pixel;
    const repeated = entry.count - kept.count;
    // Which of them came before it under their ids, nobody has kept in mind.
    const stored: Stored = repeated === 0
      ? { ...kept, ids: idsIn(entry.bytes()), wish, notes }
      : { ...kept, ids: undefined, wish, notes: { ...notes, repeated } };
    return withHeaders(this.#told(stored, "disk", ack.level === "delivered" ? 202 : 200), {
      "idempotent-replayed": "true",
    });
  }

  /** Of messages that all came before under their ids. */
  async #known({ wish, ack, ids, notes }: Asked & { readonly notes: Notes | undefined }): Promise<Answer> {
    const { table } = this.#parts;
    const lost = await failureOf(ids?.before());
    if (lost !== undefined) return this.#unavailable(problemOf(lost.problem), 1, wish);
    table.add("requests", 1);
    table.add("known", ids?.repeated ?? 0);
    if (wish === "pixel") return pixel;
    const stored: Stored = { first: 0 as Position, epoch: 0, count: 0, ids: undefined, wish, notes };
    // Whether they were delivered, too, nobody has kept in mind.
    return this.#told(stored, "disk", ack.level === "delivered" ? 202 : 200);
  }

  /** The answer that says which level was reached. */
  #told(stored: Stored, ack: string, status = 200): Answer {
    const answer = stored.wish === "nothing" && status === 200
      ? { status: 204, headers: storedHeaders(ack) }
      : receipt(this.#receiptOf(stored, ack), ack, status);
    const { repeated, diverted } = stored.notes ?? {};
    return stored.notes === undefined ? answer : withHeaders(answer, {
      ...(repeated !== undefined && { "sparkngin-repeated": String(repeated) }),
      ...(diverted !== undefined && { "sparkngin-diverted": String(diverted) }),
    });
  }

  #delivered(stored: Stored, outcome: Outcome): Answer {
    if (outcome.kind === "delivered") return this.#told(stored, "delivered");
    // It is on the disk and will be delivered: sending it again would only make copies.
    if (outcome.kind === "late") return this.#told(stored, "disk", 202);
    const { name, position, reason } = outcome;
    const detail = `Destination ${quoted(name)} refused the message for good: ${
      quoted(reason)
    }. It is with the dead letters`;
    return problemAnswer({ code: "undeliverable", detail, line: position - stored.first + 1 });
  }

  refuse(problem: Problem, wish: Wish = "nothing", headers?: Record<string, string>): Answer {
    if (problem.code === "keys-unreadable" || problem.code === "busy") return this.#unavailable(problem, 1, wish);
    const cell = refusalCells[problem.code];
    this.#parts.table.add("requests", 1);
    this.#parts.table.add("refused", 1);
    if (cell !== undefined) this.#parts.table.add(cell, 1);
    return wish === "pixel" ? pixel : problemAnswer(problem, headers);
  }

  /** Requests of one commit share one promise and one answer; their counts are added when it is over. */
  #join(messages: number, bytes: number, requests = 1): Commit {
    const durable = this.#parts.log.durable();
    let commit = this.#commit;
    if (commit === undefined || commit.durable !== durable) {
      commit = this.#begin(durable);
      this.#commit = commit;
    }
    commit.requests += requests;
    commit.messages += messages;
    commit.bytes += bytes;
    return commit;
  }

  #begin(durable: Promise<void>): Commit {
    const answer = durable.then(
      () => this.#safe(commit),
      (problem) => this.#unavailable(problemOf(problem), commit.requests, "nothing"),
    );
    const commit: Commit = { durable, answer, requests: 0, messages: 0, bytes: 0 };
    return commit;
  }

  #safe(commit: Commit): Answer {
    const { table } = this.#parts;
    table.add("requests", commit.requests);
    table.add("accepted", commit.messages);
    table.add("acceptedBytes", commit.bytes);
    return accepted;
  }

  /** What a destination is asked to confirm, in an entry that is stored next. By its name: bad rows go where they can. */
  #coming(entry: Uint8Array, { ack, badRows }: Asked): Coming[] {
    const { log, node } = this.#parts;
    const epoch = this.#parts.epoch();
    const coming = decodeEntry(entry).map((message, i) => {
      return { message, id: message.id ?? `${node}-${epoch}-${log.next + i}` };
    });
    const all = badRows === undefined || ack.level !== "delivered" || ack.name === undefined;
    return all ? coming : coming.filter(({ message }) => !badRows.made(message));
  }

  #unavailable(problem: Problem, requests: number, wish: Wish): Answer {
    this.#parts.table.add("requests", requests);
    this.#parts.table.add("unavailable", requests);
    return wish === "pixel" ? pixel : problemAnswer(problem);
  }

  #receiptOf({ first, epoch, count, ids: given, notes }: Stored, ack: string): string {
    if (given === undefined) return JSON.stringify({ count, ...notes, ack });
    const ids = given.map((id, i) => id ?? `${this.#parts.node}-${epoch}-${first + i}`);
    return JSON.stringify(count > idsMax ? { first: ids[0], count, ...notes, ack } : { ids, ...notes, ack });
  }
}

/** What a request left in the log. */
interface Stored extends Kept {
  /** The senders' own ids of the first messages; nothing where it is not known which they are. */
  readonly ids: readonly (string | undefined)[] | undefined;
  readonly wish: Wish;
  readonly notes: Notes | undefined;
}

/** What a sender has to know beyond what was stored. */
interface Notes {
  /** Messages that were left out: they came before under their ids. */
  readonly repeated?: number;
  /** Bad lines that were stored as bad rows. */
  readonly diverted?: number;
}

function notesOf({ ids, badRows }: Asked): Notes | undefined {
  if (badRows === undefined && !ids?.repeated) return undefined;
  return { ...(ids?.repeated && { repeated: ids.repeated }), ...(badRows && { diverted: badRows.count }) };
}

async function failureOf(wait: Promise<void> | undefined): Promise<{ readonly problem: unknown } | undefined> {
  try {
    await wait;
    return undefined;
  } catch (problem) {
    return { problem };
  }
}

function idsIn(entry: Uint8Array): (string | undefined)[] {
  return decodeEntry(entry).slice(0, idsMax).map(({ id }) => id);
}

const tooLong: Problem = { code: "too-large", detail: `The request takes more than ${entryBytesMax} bytes of the log` };

/** What the log complains about, as senders see it. Anything else is a mistake of ours and goes on. */
export function problemOf(problem: unknown): Problem {
  if (problem instanceof LogExhausted) {
    return {
      code: "system-exhausted",
      detail: "The system lacks files or memory now; nothing of this request was kept",
    };
  }
  if (problem instanceof LogFull) {
    return { code: "disk-full", detail: "There is no room for messages now; nothing of this request was kept" };
  }
  if (!(problem instanceof LogStopped)) throw problem;
  const { outcome } = problem;
  const fate = outcome === "unknown" ? "whether this request was kept is unknown" : "nothing of this request was kept";
  return { code: "log-stopped", detail: `The log takes no messages now; ${fate}`, outcome };
}
