/** Texts made of a message's fields, such as "%env%.%topic%". */
import type { Heading } from "../src/deliver/adaptor.ts";

const usual = ["topic", "env", "type", "level"] as const;
type Word = typeof usual[number] | "key";

/** What a message lacks becomes "". Throws a `TypeError` at an unknown word; `what` is the text's name there. */
export function fieldTemplate(
  what: string,
  template: string,
  words: readonly Word[] = usual,
): (message: Heading) => string {
  for (const [text, word] of template.matchAll(/%([^%]*)%?/g)) {
    if (!words.some((known) => text === `%${known}%`)) {
      throw new TypeError(`Cannot read ${what} "${template}": "%${word}%" is none of %${words.join("%, %")}%`);
    }
  }
  if (template === "%topic%") return (message) => message.topic;
  return (message) => template.replace(/%(\w+)%/g, (_, word: Word) => message[word] ?? "");
}

/** As `fieldTemplate`, of the message's key, too; `undefined` where nothing comes of it. */
export function keyTemplate(what: string, template: string): (message: Heading) => string | undefined {
  const keyOf = fieldTemplate(what, template, ["key", ...usual]);
  if (template === "%key%") return (message) => message.key;
  return (message) => keyOf(message) || undefined;
}
