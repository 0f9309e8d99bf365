/**
 * Which trace a message belongs to (W3C Trace Context): kept with it and passed on. What is none is dropped, as the standard has it,
 * and never a reason to refuse anything.
 */
import { fieldLengthMax } from "../message/message.ts";
import { type EntryWriter, tagOf } from "../message/wire.ts";
import type { HttpRequest } from "./http.ts";

export type TraceField = "traceparent" | "tracestate";

/** Version, trace, parent and flags; a later version may say more behind them. Section 3.2.2. */
const parentShape = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-|$)/;
const parentLength = 55;
/** Section 3.3.1; a member may be empty. */
const stateMember = /^[a-z0-9][a-z0-9_*\/@-]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;
const stateMembersMax = 32;

export function isTraceparent(text: string): boolean {
  if (text.length > fieldLengthMax || !parentShape.test(text)) return false;
  return text.length === parentLength || !text.startsWith("00");
}

export function isTracestate(text: string): boolean {
  if (text.length > fieldLengthMax) return false;
  const members = text.split(",").map((member) => member.trim()).filter((member) => member !== "");
  return members.length > 0 && members.length <= stateMembersMax && members.every((member) => stateMember.test(member));
}

/** What one message, or one query, says of its trace. */
export class Trace {
  #parent: string | undefined;
  #state: string | undefined;

  forget(): void {
    this.#parent = this.#state = undefined;
  }

  /** What is none is passed over. */
  take(field: TraceField, value: string): void {
    if (field === "traceparent") this.#parent = isTraceparent(value) ? value : undefined;
    else this.#state = isTracestate(value) ? value : undefined;
  }

  get isKnown(): boolean {
    return this.#parent !== undefined;
  }

  /** Into what is being written; a state without its parent says nothing. `shared`: nothing is there that it would replace. */
  put(into: EntryWriter, shared: boolean): void {
    if (this.#parent === undefined) return;
    into.text(parentTag, this.#parent);
    into.text(stateTag, this.#state ?? (shared ? undefined : ""));
  }
}

const parentTag = tagOf("traceparent");
const stateTag = tagOf("tracestate");

/** Puts the trace of the request itself. */
export function putTraceOf(request: HttpRequest, into: EntryWriter): void {
  const parent = request.header("traceparent");
  if (parent === null || !isTraceparent(parent)) return;
  into.text(parentTag, parent);
  const state = request.header("tracestate");
  if (state !== null && isTracestate(state)) into.text(stateTag, state);
}
