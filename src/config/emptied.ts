/** A configuration file that says nothing any more: most often it was read in the moment when somebody writes it anew. */
import type { ConfigFile } from "./document.ts";

/** A sentence for each of `files` that is empty now and was not `before`; the first of them is the one beside which the others lie. */
export function emptied(files: readonly ConfigFile[], before: readonly ConfigFile[]): string[] {
  const spoke = new Map(before.filter((file) => !isEmpty(file)).map((file) => [file.name, file]));
  return files.filter((file) => isEmpty(file) && spoke.has(file.name)).map(({ name }) =>
    `Cannot read ${name}: it is empty, and was not when it was read last, so it may be about to be written: ` +
    `reload again when it is whole; ${meant(name, name === files[0]!.name, spoke.get(name)!)}`
  );
}

/** What to do when it is meant to be empty. */
function meant(name: string, isFirst: boolean, before: ConfigFile): string {
  if (!isFirst) return `if nothing of it should stay, remove ${name}`;
  return hasDestination(before)
    ? "if the default destinations are meant, write destination = [] into it, or restart"
    : "if the defaults are meant, restart";
}

/** White space and comments alone. */
function isEmpty({ text }: ConfigFile): boolean {
  return text.split("\n").every((line) => /^\s*(#|$)/.test(line));
}

function hasDestination({ text }: ConfigFile): boolean {
  return /^\s*\[\[\s*destination\s*\]\]|^\s*destination\s*=/m.test(text);
}
