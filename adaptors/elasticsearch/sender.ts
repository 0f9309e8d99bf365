/** A batch becomes bulk requests, and what is said of each document becomes a verdict on its message. */
import assert from "node:assert";
import { Buffer } from "node:buffer";
import type { Delivery, Result } from "../../src/deliver/adaptor.ts";
import { type Answer, explain, explainItem, isAboutIndex, type Item, itemsIn, meaningOf, waitMsOf } from "./answer.ts";
import { badIndex, type Document, documentOf, type DocumentPlan } from "./wire.ts";

export interface Sending {
  readonly plan: DocumentPlan;
  readonly requestBytesMax: number;
  /** Rejects when nothing is certain. */
  readonly post: (body: Uint8Array, documents: number) => Promise<Answer & { readonly origin: string }>;
}

/** Rejects when nothing is decided; else what is not comes back as `again`. */
export async function sendBatch(batch: readonly Delivery[], sending: Sending): Promise<Result> {
  const fates = new Fates();
  const requests = requestsOf([...addressed(batch, sending.plan, fates)], sending.requestBytesMax);
  for (const documents of requests) {
    if (fates.isOver) fates.hold(documents);
    else await send(documents, sending, fates);
  }
  return fates.result(batch);
}

class Fates {
  readonly #refused = new Map<Delivery, string>();
  readonly #again = new Set<Delivery>();
  readonly #troubles = new Set<string>();
  readonly #stalled = new Set<string>();
  #taken = 0;
  #problem: unknown;
  #waitMs: number | undefined;
  #throttled = false;
  /** Nothing more is to be asked now. */
  isOver = false;

  take(): void {
    this.#taken++;
  }
  refuse(delivery: Delivery, reason: string): void {
    this.#refused.set(delivery, reason);
  }
  hold(documents: readonly Document[], trouble?: string): void {
    for (const { delivery } of documents) this.#again.add(delivery);
    if (trouble !== undefined && this.#troubles.size < 3) this.#troubles.add(trouble);
  }
  /** Because of its index, which others do not share. */
  stall({ delivery }: Document): void {
    this.#stalled.add(delivery.message.topic);
  }
  wait(ms: number | undefined): void {
    this.#waitMs = ms;
    this.#throttled = true;
    this.isOver = true;
  }
  /** Of some of its documents it said that it is too much. */
  throttle(): void {
    this.#throttled = true;
  }
  lose(documents: readonly Document[], problem: unknown): void {
    this.hold(documents, problem instanceof Error ? problem.message : String(problem));
    this.#problem = problem;
    this.isOver = true;
  }

  result(batch: readonly Delivery[]): Result {
    if (this.#problem !== undefined && this.#taken === 0) throw this.#problem;
    // Whoever is in neither list is counted as taken: nobody may be there by mistake.
    assert.equal(this.#taken + this.#refused.size + this.#again.size, batch.length);
    const refused = batch.filter((delivery) => this.#refused.has(delivery));
    return {
      refused: refused.map((delivery) => ({ delivery, reason: this.#refused.get(delivery)! })),
      again: batch.filter((delivery) => this.#again.has(delivery)),
      ...(this.#stalled.size > 0 && { stalled: [...this.#stalled] }),
      ...(this.#troubles.size > 0 && { trouble: [...this.#troubles].join("; ") }),
      ...(this.#throttled && { throttled: true }),
      ...(this.#waitMs !== undefined && { waitMs: this.#waitMs }),
    };
  }
}

function* addressed(batch: readonly Delivery[], plan: DocumentPlan, fates: Fates): Generator<Document> {
  for (const delivery of batch) {
    const index = plan.indexOf(delivery.message);
    const bad = badIndex(index);
    if (bad === undefined) yield documentOf(delivery, index, plan);
    else fates.refuse(delivery, bad);
  }
}

/** In order, each with as much as is allowed; one that alone is more has a request of its own. */
export function requestsOf(documents: readonly Document[], bytesMax: number): Document[][] {
  const requests: Document[][] = [];
  let bytes = Infinity;
  for (const document of documents) {
    bytes += document.lines.length;
    if (bytes > bytesMax) {
      requests.push([]);
      bytes = document.lines.length;
    }
    requests.at(-1)!.push(document);
  }
  return requests;
}

async function send(documents: readonly Document[], sending: Sending, fates: Fates): Promise<void> {
  if (fates.isOver) return fates.hold(documents);
  let answer: Awaited<ReturnType<Sending["post"]>>;
  let items: Item[];
  try {
    answer = await sending.post(Buffer.concat(documents.map(({ lines }) => lines)), documents.length);
    if (answer.status !== 200) return await sendLess(documents, answer, { sending, fates });
    items = itemsIn(answer.text, documents.length);
  } catch (problem) {
    return fates.lose(documents, problem);
  }
  items.forEach((item, at) => settle(documents[at]!, item, fates));
}

function settle(document: Document, item: Item, fates: Fates): void {
  const meaning = meaningOf(item);
  if (meaning === "taken") fates.take();
  else if (meaning === "bad") fates.refuse(document.delivery, explainItem(item));
  else {
    fates.hold([document], `index "${document.index}": ${explainItem(item)}`);
    if (isAboutIndex(item)) fates.stall(document);
    else if (item.status === 429) fates.throttle();
  }
}

/** The request as a whole was not taken. */
async function sendLess(
  documents: readonly Document[],
  answer: Answer & { readonly origin: string },
  { sending, fates }: { readonly sending: Sending; readonly fates: Fates },
): Promise<void> {
  const text = explain(answer, answer.origin);
  if (answer.status === 429 || answer.status === 503) {
    fates.hold(documents, text);
    return fates.wait(waitMsOf(answer));
  }
  // A request that is too large, or one that holds what cannot be read: halved until the message at fault stands alone.
  if (answer.status !== 413 && answer.status !== 400) return fates.lose(documents, new Error(`Cannot send: ${text}`));
  if (documents.length === 1) return fates.refuse(documents[0]!.delivery, text);
  const middle = documents.length >> 1;
  await send(documents.slice(0, middle), sending, fates);
  await send(documents.slice(middle), sending, fates);
}
