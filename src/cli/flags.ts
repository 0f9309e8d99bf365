/** The flags of the commands that read the configuration: one for every key of the core. */
import { type Command, Option as CommandOption } from "commander";
import { coreKeys, type Key } from "../config/keys.ts";
import type { ConfigurationRequest } from "./configuration.ts";

const configHelp = "configuration file (default: ./sparkngin.toml, else SPARKNGIN_CONFIG, " +
  "else /etc/sparkngin/sparkngin.toml, if there is one)";

export function addConfigurationOptions(command: Command): Command {
  command.option("--config <file>", configHelp);
  for (const key of coreKeys()) command.addOption(flagOf(key));
  return command;
}

/** What the flags said. */
export function requestOf(options: Readonly<Record<string, unknown>>): ConfigurationRequest {
  const given = coreKeys().map((key) => [key.path, options[flagOf(key).attributeName()]] as const);
  const flags = Object.fromEntries(given.filter(([, value]) => value !== undefined)) as ConfigurationRequest["flags"];
  return typeof options.config === "string" ? { path: options.config, flags } : { flags };
}

/** What the help puts behind a flag, where that is not the kind itself. A flag alone is `true`. */
const placeholders: Readonly<Record<string, string>> = {
  "true or false": "[true|false]",
  "list of texts": "<a,b,…>",
  "whole number": "<number>",
};

function flagOf({ flag, option }: Key): CommandOption {
  const value = placeholders[option.kind] ?? `<${option.kind}>`;
  const { fallback } = option;
  const shown = typeof fallback === "object" ? fallback.join(",") : String(fallback);
  return new CommandOption(`${flag} ${value}`, `${option.help}${shown === "" ? "" : ` (default: ${shown})`}`);
}
