/** What makes two messages the same one, sent again: the id its sender gave it, within a topic; of a CloudEvent, within its source. */
import { decodeEntry } from "./wire.ts";

/** Ids have no spaces, so nothing is taken for another. */
export function identityText(topic: string, id: string, source?: string): string {
  return source === undefined ? `${topic} ${id}` : `${topic}  ${JSON.stringify([source, id])}`;
}

/** Of all messages of an entry that have an id of their sender's. */
export function identitiesIn(entry: Uint8Array): string[] {
  const found: string[] = [];
  for (const { topic, id, attributes } of decodeEntry(entry)) {
    if (attributes !== undefined) found.push(...ofEvent(topic, id, attributes));
    else if (id !== undefined) found.push(identityText(topic, id));
  }
  return found;
}

function ofEvent(topic: string, id: string | undefined, attributes: string): string[] {
  const said = JSON.parse(attributes) as { readonly id?: unknown; readonly source?: unknown };
  const named = id ?? said.id;
  return typeof named === "string" && typeof said.source === "string" ? [identityText(topic, named, said.source)] : [];
}
