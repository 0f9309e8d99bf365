/** [shell] The command line: which commands there are, what they take, and the exit code they come to. */
import { Command, CommanderError, Option as CommandOption } from "commander";
import { coreKeys, type Key } from "../config/keys.ts";
import type { ConfigurationRequest } from "./configuration.ts";
import { addDestination } from "./destination.ts";
import { CommandError, type ExitCode, exitCodes } from "./exit.ts";
import { addKey } from "./key.ts";
import { addLog, type Outcome } from "./log.ts";
import { realTerminal, type Terminal } from "./terminal.ts";
import { version } from "./version.ts";

/** Carries out what the arguments ask for. Never rejects: what goes wrong is said, and is in the exit code. */
export async function runProgram(args: readonly string[], terminal: Terminal): Promise<number> {
  const outcome: Outcome = { code: exitCodes.ok };
  const program = buildProgram(terminal, outcome);
  try {
    if (args.length === 0) terminal.out(program.helpInformation());
    else await program.parseAsync(args, { from: "user" });
    return outcome.code;
  } catch (problem) {
    return explain(problem, terminal);
  }
}

function explain(problem: unknown, terminal: Terminal): ExitCode {
  if (problem instanceof CommanderError) return problem.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  if (problem instanceof CommandError) {
    for (const sentence of problem.sentences) terminal.err(`${sentence}\n`);
    return problem.code;
  }
  terminal.err(
    `Something unexpected happened; please report it: ${problem instanceof Error ? problem.stack : problem}\n`,
  );
  return exitCodes.unexpected;
}

const summary = "Takes events over HTTP, has them safely on disk before it says yes, and delivers every one of them.";

/** Every command with its options, for who describes them: nothing of it is carried out. */
export function commandTree(): Command {
  return buildProgram(realTerminal(), { code: exitCodes.ok });
}

function buildProgram(terminal: Terminal, outcome: Outcome): Command {
  const program = new Command("sparkngin")
    .description(summary)
    .version(`sparkngin ${version}`, "-V, --version", "print the version")
    .helpOption("-h, --help", "print help")
    .exitOverride()
    .configureOutput({
      writeOut: terminal.out,
      writeErr: terminal.err,
      outputError: (text, write) => write(`Cannot do that: ${text.replace(/^error: /, "").replace(/\n\(D/, " (d")}`),
    });
  addConfigured(program, terminal, outcome);
  addAsking(program, terminal, outcome);
  addDestination(program, terminal, outcome);
  addKey(program, terminal, outcome);
  addLog(program, terminal, outcome);
  return program;
}

/** The commands that read the configuration. Their code is loaded when they are called: start time counts. */
function addConfigured(program: Command, terminal: Terminal, outcome: Outcome): void {
  const add = (name: string, does: string, action: (request: ConfigurationRequest) => Promise<number>) => {
    const command = program.command(name).description(does);
    addConfigurationOptions(command);
    command.action(async (options: Record<string, unknown>) => {
      outcome.code = await action(requestOf(options));
    });
  };
  add("run", "take messages and deliver them", async (request) => {
    const { loadConfiguration } = await import("./configuration.ts");
    const { config, path } = await loadConfiguration(terminal, request);
    const { run } = await import("./run.ts");
    return await run(config, { configPath: path });
  });
  add("check", "say whether the configuration is sound", async (request) => {
    const { check } = await import("./check.ts");
    return await check(terminal, request);
  });
  add("config", "print the configuration as understood, and where each value comes from", async (request) => {
    const { showConfig } = await import("./config.ts");
    return await showConfig(terminal, request);
  });
}

/** The commands that ask a running server. */
function addAsking(program: Command, terminal: Terminal, outcome: Outcome): void {
  const add = (name: string, does: string) =>
    program.command(name).description(does)
      .option("--url <url>", "management address of the server (default: SPARKNGIN_URL or http://127.0.0.1:8081)")
      .option("--json", "print JSON");
  add("status", "print how a running server and its destinations are").action(async (options) => {
    const { showStatus } = await import("./status.ts");
    outcome.code = await showStatus(terminal, options);
  });
  add("tail", "print messages as they come in")
    .option("--topic <pattern>", 'only topics like this, e.g. "web.*"')
    .option("--env <pattern>", "only environments like this")
    .option("--level <pattern>", 'only levels like this, e.g. "warning, error"')
    .option("--type <pattern>", "only types like this")
    .action(async (options) => {
      const { tail } = await import("./tail.ts");
      outcome.code = await tail(terminal, options);
    });
}

const configHelp = "configuration file (default: ./sparkngin.toml, else SPARKNGIN_CONFIG, " +
  "else /etc/sparkngin/sparkngin.toml, if there is one)";

function addConfigurationOptions(command: Command): void {
  command.option("--config <file>", configHelp);
  for (const key of coreKeys()) command.addOption(flagOf(key));
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

function requestOf(options: Readonly<Record<string, unknown>>): ConfigurationRequest {
  const given = coreKeys().map((key) => [key.path, options[flagOf(key).attributeName()]] as const);
  const flags = Object.fromEntries(given.filter(([, value]) => value !== undefined)) as ConfigurationRequest["flags"];
  return typeof options.config === "string" ? { path: options.config, flags } : { flags };
}
