/** A configuration file that says everything and changes nothing: every key, commented out, from where keys are declared. */
import { adaptors } from "../adaptors/mod.ts";
import { destinationKeys, sections, topKeys } from "../src/config/keys.ts";
import type { Fields, Option } from "../src/config/options.ts";

/** With `data` set to a directory, that line counts. */
export async function makeSample(data?: string): Promise<string> {
  const parts = [
    "# The configuration of Sparkngin. A line that counts has no # in front; the values shown are the defaults.\n" +
    "# All of it: man 5 sparkngin.toml. Whether it is sound: sparkngin check --config FILE\n",
    ...Object.entries(topKeys).map(([name, option]) =>
      name === "data" && data !== undefined
        ? `${comment(option.help)}${name} = ${JSON.stringify(data)}\n`
        : line(name, option)
    ),
    ...Object.entries(sections).map(([name, fields]) => `[${name}]\n${lines(fields)}`),
    comment("Where messages go. Without any destination they go to files, below the directory of the data."),
  ];
  for (const [kind, load] of Object.entries(adaptors)) {
    const { summary, options } = (await load()).default;
    const given: Record<string, string> = { name: `my-${kind}`, kind };
    const common = kind === Object.keys(adaptors)[0] ? destinationKeys : pick(destinationKeys, Object.keys(given));
    parts.push(`${comment(summary)}#[[destination]]\n${lines(common, given)}${lines(options)}`);
  }
  return parts.join("\n");
}

function pick(fields: Fields, names: readonly string[]): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => names.includes(name)));
}

function lines(fields: Fields, given: Readonly<Record<string, string>> = {}): string {
  return Object.entries(fields).map(([name, option]) => line(name, option, given[name])).join("");
}

function line(name: string, { help, kind, fallback }: Option<unknown>, given?: string): string {
  const value = given ?? fallback;
  return comment(help) + (value === undefined ? `# ${name} = ${kind}\n` : `#${name} = ${JSON.stringify(value)}\n`);
}

function comment(text: string): string {
  return text === "" ? "" : `# ${text[0]!.toUpperCase()}${text.slice(1)}\n`;
}
