/** What a command's page and the overview take from the definition of the command itself. */
import type { Argument, Command, Option } from "commander";
import { argument, sentence } from "./mdoc.ts";

/** NAME and SYNOPSIS of sparkngin-COMMAND(1). */
export function head(command: Command): string {
  const synopses = leaves(command).map((leaf) => synopsis(leaf)).join("");
  return `.Sh NAME\n.Nm sparkngin-${command.name()}\n.Nd ${command.description().replaceAll('"', "\\(dq")}\n` +
    `.Sh SYNOPSIS\n${synopses}`;
}

/** What every argument and option does, for each command in turn if there are several. */
export function options(command: Command): string {
  return leaves(command).map((leaf) => `${leaf === command ? "" : subhead(leaf)}${optionList(leaf)}`).join("");
}

/** The commands of the program, with a word on each. */
export function overview(program: Command): string {
  const items = program.commands.map((command) =>
    `.It Cm ${command.name()}\n${sentence(command.description())}See\n.Xr sparkngin-${command.name()} 1 .\n`
  );
  return `.Bl -tag -width "completion"\n${items.join("")}.El\n`;
}

/** A command without commands below it is its own leaf. */
export function leaves(command: Command): Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);
}

/** "log verify" */
export function pathOf(command: Command): string {
  const above = command.parent;
  return above === null || above.parent === null ? command.name() : `${pathOf(above)} ${command.name()}`;
}

export function shownOptions(command: Command): Option[] {
  return command.options.filter(({ hidden }) => !hidden);
}

/** Beyond so many options, a synopsis that names them all would say nothing. */
const namedMax = 12;

function synopsis(leaf: Command): string {
  const all = shownOptions(leaf);
  const optional = all.filter(({ mandatory }) => !mandatory);
  const named = optional.length > namedMax
    ? [".Op Ar option ...\n"]
    : optional.map((option) => `.Op ${flag(option)}\n`);
  const needed = all.filter(({ mandatory }) => mandatory).map((option) => `.${flag(option)}\n`);
  const args = leaf.registeredArguments.map(argumentMacro);
  return `.Nm sparkngin\n.Cm ${pathOf(leaf)}\n${[...needed, ...named, ...args].join("")}`;
}

function subhead(leaf: Command): string {
  return `.Ss sparkngin ${pathOf(leaf)}\n${sentence(leaf.description())}`;
}

function optionList(leaf: Command): string {
  const args = leaf.registeredArguments.map((one) => `.It Ar ${one.name()}\n${sentence(explained(one))}`);
  const items = shownOptions(leaf).map((option) => `.It ${flag(option)}\n${sentence(explained(option))}`);
  if (args.length + items.length === 0) return "";
  return `.Bl -tag -width Ds\n${[...args, ...items].join("")}.El\n`;
}

/** As `--help` says it: default and choices behind the description. */
function explained({ description, defaultValue, argChoices }: Option | Argument): string {
  const more = [
    ...(argChoices ? [`one of ${argChoices.join(", ")}`] : []),
    ...(defaultValue !== undefined ? [`default: ${defaultValue}`] : []),
  ];
  return more.length === 0 ? description : `${description} (${more.join("; ")})`;
}

function argumentMacro(one: Argument): string {
  const name = `Ar ${one.name()}${one.variadic ? " ..." : ""}`;
  return one.required ? `.${name}\n` : `.Op ${name}\n`;
}

/** `Fl u , -url Ar url`: what follows the flag stands in <> or, when it may be left out, in []. */
function flag({ short, long, flags }: Option): string {
  const names = [short?.slice(1), long?.slice(1)].filter((name) => name !== undefined).join(" , Fl ");
  const value = /[<[](.*)[>\]]$/.exec(flags);
  if (value === null) return `Fl ${names}`;
  const words = value[1]!.replace(/\.\.\.$/, " ...").replaceAll("|", " | ");
  const written = /^[\w.| -]+$/.test(words) ? words : argument(words);
  return flags.endsWith("]") ? `Fl ${names} Op Ar ${written}` : `Fl ${names} Ar ${written}`;
}
