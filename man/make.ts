/**
 * Writes into the pages beside it what stands elsewhere already: the tables of keys and fields, and of every command its synopsis and its
 * options: `deno run -A man/make.ts`. What lies between two markers is made, the rest is prose; a command without a page gets
 * one. A test holds the pages in step.
 */
import type { Command } from "commander";
import { commandTree } from "../src/cli/program.ts";
import { head, options, overview } from "./commands.ts";
import { fieldTable } from "./fields.ts";
import { keyTables } from "./keys.ts";
import { fromMarkdown } from "./markdown.ts";

export const manDir = new URL("./", import.meta.url).pathname;

const formatPath = new URL("../src/log/FORMAT.md", import.meta.url);

/** Every page that has something made in it, by file name, as it should be. */
export async function madePages(read: (name: string) => string | undefined): Promise<Map<string, string>> {
  const program = commandTree();
  const pages = new Map([
    ["sparkngin.1", fill(read, "sparkngin.1", { commands: overview(program) })],
    ["sparkngin.7", fill(read, "sparkngin.7", { fields: fieldTable() })],
    ["sparkngin-log.5", fill(read, "sparkngin-log.5", { format: fromMarkdown(Deno.readTextFileSync(formatPath)) })],
    ["sparkngin.toml.5", fill(read, "sparkngin.toml.5", { keys: await keyTables() })],
  ]);
  for (const command of program.commands) {
    const name = `sparkngin-${command.name()}.1`;
    const made = { head: head(command), options: options(command) };
    const known = read(name) ?? skeleton(command);
    pages.set(name, fill(() => known, name, made));
  }
  return pages;
}

/** The page with what is made in its places. */
export function fill(
  read: (name: string) => string | undefined,
  name: string,
  made: Readonly<Record<string, string>>,
): string {
  let page = read(name) ?? "";
  for (const [what, text] of Object.entries(made)) {
    const [begin, end] = markers(what);
    const [before, rest] = page.split(begin);
    const after = rest?.split(end)[1];
    if (after === undefined) throw new Error(`Cannot write the ${what} into ${name}: its markers are gone`);
    page = `${before}${begin}${text}${end}${after}`;
  }
  return page;
}

function markers(what: string): [begin: string, end: string] {
  return [`.\\" ${what} begin: written by make.ts\n`, `.\\" ${what} end\n`];
}

/** The least that a page of a command says. */
function skeleton(command: Command): string {
  const place = (what: string) => markers(what).join("");
  return `.Dd November 23, 2026
.Dt SPARKNGIN-${command.name().toUpperCase()} 1
.Os
${place("head")}.Sh DESCRIPTION
The options are:
${place("options")}.Sh SEE ALSO
.Xr sparkngin 1
`;
}

function readPage(name: string): string | undefined {
  try {
    return Deno.readTextFileSync(manDir + name);
  } catch (problem) {
    if (problem instanceof Deno.errors.NotFound) return undefined;
    throw problem;
  }
}

if (import.meta.main) {
  for (const [name, page] of await madePages(readPage)) Deno.writeTextFileSync(manDir + name, page);
}
