/** `sparkngin config show`: what was understood, as a configuration file, and where each value came from. */
import { coreKeys, destinationKeys, pipeKeys, zeromqKeys } from "../config/keys.ts";
import type { Fields, Option } from "../config/options.ts";
import type { Origin } from "../config/read.ts";
import { printed } from "../config/printed.ts";
import { hasReference } from "../config/reference.ts";
import { type Configuration, type ConfigurationRequest, loadConfiguration } from "./configuration.ts";
import { type ExitCode, exitCodes } from "./exit.ts";
import { printable, printableJson } from "./printable.ts";
import type { Terminal } from "./terminal.ts";

export async function showConfig(
  terminal: Terminal,
  request: ConfigurationRequest,
  { json = false }: { readonly json?: boolean } = {},
): Promise<ExitCode> {
  const configuration = await loadConfiguration(terminal, request);
  terminal.out(json ? `${printableJson(JSON.stringify(asJson(configuration)))}\n` : renderConfig(configuration));
  return exitCodes.ok;
}

/** Can be read back, but for the secrets. */
export function renderConfig(configuration: Configuration): string {
  const lines: string[] = [];
  let open: Setting["place"];
  for (const setting of settingsOf(configuration)) {
    const { place } = setting;
    if (place !== open) lines.push("", headOf(place!));
    open = place;
    lines.push(...assignment(setting));
  }
  return `${lines.join("\n")}\n`;
}

function asJson(configuration: Configuration): object {
  const settings = settingsOf(configuration).filter(({ value }) => value !== undefined);
  const values = settings.map((setting) => [setting.path, { value: plain(setting), origin: setting.origin.source }]);
  return { file: configuration.path ?? null, values: Object.fromEntries(values) };
}

function settingsOf({ config, origins, kinds }: Configuration): Setting[] {
  const core = coreKeys().map(({ section, name, path, option }) => {
    const values = (section === undefined ? config : config[section]) as unknown as Record<string, unknown>;
    return { place: section, name, path, option, value: values[name], origin: origins[path]! };
  });
  const destinations = config.destination.flatMap((destination, number) => {
    const one = (fields: Fields, values: Readonly<Record<string, unknown>>) =>
      Object.entries(fields).map(([name, option]) => {
        const path = `destination.${destination.name}.${name}`;
        return { place: number, name, path, option, value: values[name], origin: origins[path]! };
      });
    return [
      ...one(destinationKeys, destination as unknown as Record<string, unknown>),
      ...one(kinds[destination.kind]!, destination.options),
    ];
  });
  const repeated = (table: "zeromq" | "pipe", fields: Fields, all: readonly object[]) =>
    all.flatMap((values, number) =>
      Object.entries(fields).map(([name, option]) => {
        const path = `${table}.${number}.${name}`;
        const value = (values as Readonly<Record<string, unknown>>)[name];
        return { place: `${table} ${number}`, name, path, option, value, origin: origins[path]! };
      })
    );
  return [
    ...core,
    ...repeated("zeromq", zeromqKeys, config.zeromq),
    ...repeated("pipe", pipeKeys, config.pipe),
    ...destinations,
  ];
}

function headOf(place: string | number): string {
  if (typeof place === "number") return "[[destination]]";
  const [table, number] = place.split(" ");
  return number === undefined ? `[${place}]` : `[[${table}]]`;
}

interface Setting {
  /** The section, "zeromq" or "pipe" and its number, or the number of the destination; nothing at the top. */
  readonly place: string | number | undefined;
  readonly name: string;
  readonly path: string;
  readonly option: Option<unknown>;
  readonly value: unknown;
  readonly origin: Origin;
}

function assignment(setting: Setting): string[] {
  if (setting.value === undefined) return [];
  const text = `${setting.name} = ${toml(plain(setting))}`;
  return [`${printable(text).padEnd(39)} # ${printable(setting.origin.source)}`];
}

/** As somebody would write it. */
function plain({ option, value, origin }: Setting): unknown {
  // References stay as they are written: what they bring may be a password inside an address.
  if (option.secret || hasReference(origin.written)) return printed(option, origin.written);
  if (option.kind === "duration") return inUnits(value as number, durationUnits);
  if (option.kind === "size") return inUnits(value as number, sizeUnits);
  return printed(option, value);
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
