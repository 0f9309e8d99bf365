/** `sparkngin check`: whether the configuration is sound, and what it comes to. */
import { adaptors } from "../../adaptors/mod.ts";
import type { Config, Destination } from "../config/keys.ts";
import { type ConfigurationRequest, loadConfiguration } from "./configuration.ts";
import { readTls } from "../ingest/tls.ts";
import { CommandError, type ExitCode, exitCodes } from "./exit.ts";
import { printable, printableJson } from "./printable.ts";
import type { Terminal } from "./terminal.ts";
import { type Trial, tryAll } from "./trial.ts";

export interface CheckWish {
  /** Connect to the destinations, too. */
  readonly connect?: boolean;
  readonly json?: boolean;
}

export async function check(
  terminal: Terminal,
  request: ConfigurationRequest,
  wish: CheckWish = {},
): Promise<ExitCode> {
  if (!wish.json) return await checkFor(terminal, request, wish);
  try {
    return await checkFor(terminal, request, wish);
  } catch (problem) {
    if (!(problem instanceof CommandError)) throw problem;
    printJson(terminal, { ok: false, problems: problem.sentences });
    return problem.code;
  }
}

async function checkFor(terminal: Terminal, request: ConfigurationRequest, wish: CheckWish): Promise<ExitCode> {
  const { config, path } = await loadConfiguration(terminal, request);
  if (config.http.tls_cert !== "") readCertificate(config.http);
  const lines = [`ok: ${path ?? "no configuration file, so everything is as by default"}`, ...summary(config)];
  for (const destination of config.destination) lines.push(await describe(destination));
  if (!wish.json) terminal.out(printed(lines));
  const trials = wish.connect ? await tryAll(config, terminal.world("write")) : [];
  const ok = trials.every(({ problem }) => problem === undefined);
  if (wish.json) printJson(terminal, { ok, file: path ?? null, summary: lines.slice(1), destinations: trials });
  else terminal.out(printed(trials.flatMap(told)));
  return ok ? exitCodes.ok : exitCodes.unreachable;
}

function told({ name, problem, notices }: Trial): string[] {
  return [`${name}: ${problem ?? "can be delivered to"}`, ...notices.map((notice) => `${name}: ${notice}`)];
}

function printed(lines: readonly string[]): string {
  return lines.map((line) => `${printable(line)}\n`).join("");
}

function printJson(terminal: Terminal, value: object): void {
  terminal.out(`${printableJson(JSON.stringify(value))}\n`);
}

function summary({ http, management, data }: Config): string[] {
  return [
    `takes messages at ${schemeOf(http)}://${http.listen}${http.root}/log${http.keys ? ", from who shows a key" : ""}`,
    `shows status and metrics at http://${management.listen}/${management.keys ? ", to who shows a key" : ""}`,
    `keeps its log in ${data}`,
  ];
}

function readCertificate(http: Config["http"]): void {
  try {
    readTls(http);
  } catch (problem) {
    throw new CommandError(exitCodes.configuration, (problem as Error).message);
  }
}

/** What stands in front of the intake's addresses. */
export function schemeOf({ tls_cert }: Config["http"]): "http" | "https" {
  return tls_cert === "" ? "http" : "https";
}

async function describe({ name, kind, required, filter, sample, options }: Destination): Promise<string> {
  const { default: adaptor } = await adaptors[kind]!();
  const which = filter
    ? Object.entries(filter).map(([field, pattern]) => `${field} ${pattern}`).join(", ")
    : "everything";
  const words = [kind, adaptor.promise(options), required ? "required" : "not required", which];
  if (sample < 1) words.push(`a share of ${sample} of that`);
  return `delivers to "${name}": ${words.join("; ")}`;
}
