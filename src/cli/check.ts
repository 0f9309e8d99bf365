/** `sparkngin check`: whether the configuration is sound, and what it comes to. */
import { adaptors } from "../../adaptors/mod.ts";
import type { Config, Destination } from "../config/keys.ts";
import { type ConfigurationRequest, loadConfiguration } from "./configuration.ts";
import { type ExitCode, exitCodes } from "./exit.ts";
import type { Terminal } from "./terminal.ts";

export async function check(terminal: Terminal, request: ConfigurationRequest): Promise<ExitCode> {
  const { config, path } = await loadConfiguration(terminal, request);
  const lines = [`ok: ${path ?? "no configuration file, so everything is as by default"}`, ...summary(config)];
  for (const destination of config.destination) lines.push(await describe(destination));
  terminal.out(`${lines.join("\n")}\n`);
  return exitCodes.ok;
}

function summary({ http, management, data }: Config): string[] {
  return [
    `takes messages at http://${http.listen}${http.root}/log`,
    `shows status and metrics at http://${management.listen}/`,
    `keeps its log in ${data}`,
  ];
}

async function describe({ name, kind, required, filter, options }: Destination): Promise<string> {
  const { default: adaptor } = await adaptors[kind]!();
  const which = filter
    ? Object.entries(filter).map(([field, pattern]) => `${field} ${pattern}`).join(", ")
    : "everything";
  const words = [kind, adaptor.promise(options), required ? "required" : "not required", which];
  return `delivers to "${name}": ${words.join("; ")}`;
}
