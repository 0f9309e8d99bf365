/**
 * Writes the tables of keys into sparkngin.1, between its markers, from where the keys are declared:
 * `deno run -A man/make.ts`. A test holds the page in step.
 */
import { adaptors } from "../adaptors/mod.ts";
import { destinationKeys, sections, topKeys } from "../src/config/keys.ts";
import type { Fields, Option } from "../src/config/options.ts";

export const pagePath = new URL("./sparkngin.1", import.meta.url);
const begin = '.\\" keys begin: written by make.ts';
const end = '.\\" keys end';

/** The page with its tables as they should be. */
export async function madePage(page: string): Promise<string> {
  const [before, rest] = page.split(`${begin}\n`);
  const after = rest?.split(`${end}\n`)[1];
  if (after === undefined) throw new Error(`Cannot write the keys into ${pagePath.pathname}: its markers are gone`);
  return `${before}${begin}\n${await keyTables()}${end}\n${after}`;
}

async function keyTables(): Promise<string> {
  const tables = [
    table("Keys at the top of the file", "", topKeys),
    ...Object.entries(sections).map(([name, fields]) => table(`Keys of the section ${name}`, "", fields)),
    table("Keys of every destination", "", destinationKeys),
  ];
  for (const [name, load] of Object.entries(adaptors)) {
    const { summary, options } = (await load()).default;
    tables.push(table(`Keys of a destination of the kind ${name}`, summary, options));
  }
  return tables.join("");
}

function table(title: string, summary: string, fields: Fields): string {
  const keys = Object.entries(fields).map(([name, option]) => item(name, option)).join("");
  const list = keys === "" ? "" : `.Bl -tag -width Ds\n${keys}.El\n`;
  return `.Ss ${title}\n${summary === "" ? "" : sentence(summary)}${list}`;
}

function item(name: string, option: Option<unknown>): string {
  const head = `.It Ic ${name} No = Ar ${option.kind.replaceAll('"', "").replaceAll(", ", " | ")}\n`;
  return head + sentence(option.help) + fallback(option);
}

function fallback({ fallback, needed, secret }: Option<unknown>): string {
  if (fallback === undefined) return needed ? "This key is needed.\n" : secret ? "Never printed.\n" : "";
  const written = typeof fallback === "object"
    ? `[${fallback.map((one) => JSON.stringify(one)).join(", ")}]`
    : fallback;
  return `Default:\n.Ql ${
    argument(typeof written === "string" && written[0] !== "[" ? `"${written}"` : String(written))
  }\n`;
}

function sentence(help: string): string {
  const words = `${help[0]!.toUpperCase()}${help.slice(1)}${/[.?!]$/.test(help) ? "" : "."}`.split(" ");
  const lines = [""];
  for (const word of words) {
    const last = lines.at(-1)!;
    if (last === "") lines[lines.length - 1] = word;
    else if (last.length + word.length < 76) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  // A point or apostrophe in front would make a macro of the line.
  return lines.map((line) => `${/^[.']/.test(line) ? "\\&" : ""}${escaped(line)}\n`).join("");
}

/** One argument of a macro, whatever it holds. */
function argument(text: string): string {
  return `"${escaped(text).replaceAll('"', "\\(dq")}"`;
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\e").replaceAll("~", "\\(ti").replaceAll("^", "\\(ha");
}

if (import.meta.main) await Deno.writeTextFile(pagePath, await madePage(await Deno.readTextFile(pagePath)));
