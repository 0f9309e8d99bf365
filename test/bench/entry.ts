/** What the log holds of the load: its lines of NDJSON as entries. */
import { sections } from "../../src/config/keys.ts";
import { defaults } from "../../src/config/options.ts";
import { parseJson } from "../../src/ingest/json.ts";
import type { Rules } from "../../src/ingest/rules.ts";
import { EntryWriter } from "../../src/message/wire.ts";
import { lines } from "./body.ts";

export const arrival = 1_395_012_345_634;
export const entryHead = { timestamp: arrival, shared: { peerIp: "127.0.0.1" } };

const http = defaults(sections.http);
const rules: Rules = {
  messageMax: http.message_max,
  messagesMax: http.messages_max,
  depthMax: http.depth_max,
  topic: undefined,
  admit: () => undefined,
};

export function parseInto(entry: EntryWriter, body: Uint8Array): void {
  entry.begin(entryHead);
  entry.fields(entryHead.shared);
  const problem = parseJson(body, "lines", rules, entry);
  if (problem !== undefined) throw new Error(problem.detail);
}

/** Of so many lines. */
export function entryOf(count: number): Uint8Array {
  const entry = new EntryWriter();
  parseInto(entry, new TextEncoder().encode(lines(count)));
  return entry.bytes();
}
