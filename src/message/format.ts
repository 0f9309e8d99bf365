/** How a message is written for a destination: the one place where `Delivery.body` comes from, whatever the destination. */
import { assertListable, type ListedName, originalFields, parseFields, parseFormat } from "../config/format.ts";
import { binaryFormatter } from "./binary.ts";
import { cloudEventFormatter } from "./cloud_event.ts";
import { Envelope } from "./envelope.ts";
import { columnsOf } from "./field_list.ts";
import { payloadBytes, payloadMember, quoted } from "./json_text.ts";
import type { Message } from "./message.ts";
import { plainFormatter } from "./plain.ts";
import { Slab } from "./slab.ts";
import { StoredEnvelope } from "./stored_envelope.ts";

/** Turns messages and their ids into bytes. These may lie in a buffer that others share: don't change or transfer them. */
export interface Formatter {
  (message: Message, id: string): Uint8Array;
  /** Does the same from the bytes of an entry, where that can be done. */
  readonly stored?: StoredEnvelope;
}

/** Of plain lines, where nobody says which: those of 2013, and what they left out. */
const plainFields = `${originalFields} %data%`;

/**
 * The formatter of a format and a list of fields as they are written in the configuration; throws a `TypeError` when they cannot
 * be understood. `raw` is the payload exactly as it was received; all others but `binary` give one line, without its end.
 */
export function formatter(format: string, fields = ""): Formatter {
  const parsed = parseFormat(format);
  assertListable(parsed, fields);
  switch (parsed.name) {
    case "raw":
      return ({ data }) => data;
    case "binary":
      return binaryFormatter();
    case "cloudevents":
      return cloudEventFormatter();
    case "plain":
      return plainFormatter(parseFields(fields || plainFields), parsed.delimiter);
    case "json-v2":
      return envelopeFormatter("v2");
    case "json":
      return fields === "" ? envelopeFormatter("v1") : listFormatter(parseFields(fields));
  }
}

/** What a message is in this format, as a media type. */
export function contentTypeOf(format: string): (message: Message) => string {
  switch (parseFormat(format).name) {
    case "raw":
      return ({ dataIsJson }) => dataIsJson ? "application/json" : "application/octet-stream";
    case "binary":
      return () => "application/octet-stream";
    case "cloudevents":
      return () => "application/cloudevents+json; charset=UTF-8";
    case "plain":
      return () => "text/plain; charset=UTF-8";
    case "json-v2":
    case "json":
      return () => "application/json";
  }
}

function envelopeFormatter(version: "v1" | "v2"): Formatter {
  const envelope = new Envelope(version);
  const line = (message: Message, id: string) => envelope.line(message, id);
  return Object.assign(line, { stored: new StoredEnvelope(version) });
}

/** A JSON object of the fields asked for that the message has; its payload, if asked for, always last. */
function listFormatter(names: readonly ListedName[]): Formatter {
  const columns = columnsOf(names);
  const hasPayload = names.includes("data");
  const slab = new Slab();
  const nothing = new Uint8Array(0);
  return (message, id) => {
    let members = "";
    for (const { name, json } of columns) {
      const value = json(message, id);
      if (value !== undefined) members += `,${quoted(name)}:${value}`;
    }
    if (hasPayload) members += payloadMember(message);
    return slab.object(`{${members.slice(1)}`, hasPayload ? payloadBytes(message) : nothing);
  };
}
