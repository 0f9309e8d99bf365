/** Texts made of a message's fields, such as "%env%.%topic%". */
import type { Message } from "../src/message/message.ts";

const words = ["topic", "env", "type", "level"] as const;

/** What a message lacks becomes "". Throws a `TypeError` at an unknown word; `what` is the text's name there. */
export function fieldTemplate(what: string, template: string): (message: Message) => string {
  for (const [text, word] of template.matchAll(/%([^%]*)%?/g)) {
    if (!words.some((known) => text === `%${known}%`)) {
      throw new TypeError(`Cannot read ${what} "${template}": "%${word}%" is none of %${words.join("%, %")}%`);
    }
  }
  if (template === "%topic%") return (message) => message.topic;
  return (message) => template.replace(/%(\w+)%/g, (_, word: typeof words[number]) => message[word] ?? "");
}
