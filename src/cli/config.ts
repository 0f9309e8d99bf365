/** `sparkngin config`: what was understood, as a configuration file, and where each value came from. */
import { coreKeys, type Destination, destinationKeys } from "../config/keys.ts";
import type { Fields, Option } from "../config/options.ts";
import type { Origin } from "../config/read.ts";
import { hasReference } from "../config/reference.ts";
import { type Configuration, type ConfigurationRequest, loadConfiguration } from "./configuration.ts";
import { type ExitCode, exitCodes } from "./exit.ts";
import { printable } from "./printable.ts";
import type { Terminal } from "./terminal.ts";

export async function showConfig(terminal: Terminal, request: ConfigurationRequest): Promise<ExitCode> {
  const configuration = await loadConfiguration(terminal, request);
  terminal.out(renderConfig(configuration));
  return exitCodes.ok;
}

/** Can be read back, but for the secrets. */
export function renderConfig(configuration: Configuration): string {
  const lines: string[] = [];
  let open: string | undefined;
  for (const { section, name, path, option } of coreKeys()) {
    if (section !== open) lines.push("", `[${section}]`);
    open = section;
    const { config } = configuration;
    const values = (section === undefined ? config : config[section]) as unknown as Record<string, unknown>;
    lines.push(...assignment(name, { option, value: values[name], origin: configuration.origins[path]! }));
  }
  for (const destination of configuration.config.destination) {
    lines.push(...destinationLines(destination, configuration));
  }
  return `${lines.join("\n")}\n`;
}

function destinationLines(destination: Destination, { origins, kinds }: Configuration): string[] {
  const show = (fields: Fields, values: Readonly<Record<string, unknown>>) =>
    Object.entries(fields).flatMap(([name, option]) =>
      assignment(name, { option, value: values[name], origin: origins[`destination.${destination.name}.${name}`]! })
    );
  return [
    "",
    "[[destination]]",
    ...show(destinationKeys, destination as unknown as Record<string, unknown>),
    ...show(kinds[destination.kind]!, destination.options),
  ];
}

interface Setting {
  readonly option: Option<unknown>;
  readonly value: unknown;
  readonly origin: Origin;
}

function assignment(name: string, { option, value, origin }: Setting): string[] {
  if (value === undefined) return [];
  const text = `${name} = ${shown({ option, value, origin })}`;
  return [`${printable(text).padEnd(39)} # ${printable(origin.source)}`];
}

function shown({ option, value, origin }: Setting): string {
  if (option.secret) return '"(secret)"';
  // References stay as they are written: what they bring may be a password inside an address.
  if (hasReference(origin.written)) return toml(origin.written);
  if (option.kind === "duration") return toml(inUnits(value as number, durationUnits));
  if (option.kind === "size") return toml(inUnits(value as number, sizeUnits));
  return toml(value);
}

const durationUnits = [["d", 86_400_000], ["h", 3_600_000], ["m", 60_000], ["s", 1000], ["ms", 1]] as const;
const sizeUnits = [["TiB", 2 ** 40], ["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 1024], ["B", 1]] as const;

/** In the largest unit that gives a whole number; "24h" stays "1d". */
function inUnits(value: number, units: readonly (readonly [string, number])[]): string {
  const [name, size] = units.find(([, size]) => value >= size && value % size === 0) ?? units.at(-1)!;
  return `${value / size}${name}`;
}

function toml(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(toml).join(", ")}]`;
  if (typeof value !== "object" || value === null) return typeof value === "string" ? quoted(value) : String(value);
  return `{ ${Object.entries(value).map(([key, part]) => `${key} = ${toml(part)}`).join(", ")} }`;
}

/** JSON's escapes are TOML's, too; DEL is the one TOML wants on top. */
function quoted(text: string): string {
  return JSON.stringify(text).replaceAll("\x7f", "\\u007f");
}
