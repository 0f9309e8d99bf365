/** The tables of keys for sparkngin.toml(5), from where the keys are declared. */
import { adaptors } from "../adaptors/mod.ts";
import { destinationKeys, pipeKeys, sections, topKeys, zeromqKeys } from "../src/config/keys.ts";
import { liveKeys } from "../src/config/reload.ts";
import type { Fields, Option } from "../src/config/options.ts";
import { argument, sentence } from "./mdoc.ts";

export async function keyTables(): Promise<string> {
  const tables = [
    table("Keys at the top of the file", "", topKeys),
    ...Object.entries(sections).map(([name, fields]) => table(`Keys of the section ${name}`, "", fields, name)),
    table("Keys of every way in over ZeroMQ", "Written as [[zeromq]], any number of times.", zeromqKeys),
    table("Keys of every named pipe", "Written as [[pipe]], any number of times.", pipeKeys),
    table("Keys of every destination", "", destinationKeys),
  ];
  for (const [name, load] of Object.entries(adaptors)) {
    const { summary, options } = (await load()).default;
    tables.push(table(`Keys of a destination of the kind ${name}`, summary, options));
  }
  return tables.join("");
}

function table(title: string, summary: string, fields: Fields, section = ""): string {
  const keys = Object.entries(fields).map(([name, option]) =>
    item(name, option) + (liveKeys.includes(`${section}.${name}`) ? "A reload takes it over.\n" : "")
  ).join("");
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
