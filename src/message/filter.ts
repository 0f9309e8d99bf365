/**
 * Which messages a destination gets: `{ topic = "web.*, app.*", level = "error" }`. All that is written must fit; commas
 * separate alternatives; `*` stands for any characters, none included. A field that a message lacks counts as empty.
 */
import type { Message } from "./message.ts";

export const filterNames = ["topic", "env", "level", "type"] as const;
type FilterName = typeof filterNames[number];

/** Throws a `TypeError` saying what is wrong with the patterns. Without any, every message passes. */
export function filterOf(patterns: Readonly<Record<string, string>> = {}): (message: Message) => boolean {
  const tests = Object.entries(patterns).map(([name, pattern]) => {
    if (!isFilterName(name)) throw new TypeError(`one of ${filterNames.join(", ")} instead of "${name}"`);
    return { name, fits: patternOf(pattern) };
  });
  return (message) => tests.every(({ name, fits }) => fits(message[name] ?? ""));
}

/** One pattern with its alternatives. Time grows with the text, whatever the pattern: there is no going back. */
export function patternOf(pattern: string): (text: string) => boolean {
  const alternatives = pattern.split(",").map((part) => globOf(part.trim()));
  return (text) => alternatives.some((fits) => fits(text));
}

function globOf(glob: string): (text: string) => boolean {
  const [first = "", ...rest] = glob.split("*");
  const last = rest.pop();
  if (last === undefined) return (text) => text === glob;
  const middle = rest.filter((part) => part !== "");
  return (text) => {
    let at = first.length;
    const end = text.length - last.length;
    if (at > end || !text.startsWith(first) || !text.endsWith(last)) return false;
    // The leftmost place for each part leaves the most room for those after it, so no other need be tried.
    for (const part of middle) {
      const found = text.indexOf(part, at);
      if (found < 0 || found + part.length > end) return false;
      at = found + part.length;
    }
    return true;
  };
}

function isFilterName(name: string): name is FilterName {
  return (filterNames as readonly string[]).includes(name);
}
