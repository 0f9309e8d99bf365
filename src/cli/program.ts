/** [shell] The command line: which commands there are, what they take, and the exit code they come to. */
import { Argument, Command, CommanderError } from "commander";
import { duration } from "../config/options.ts";
import { askingWord, complete, printCompletion, shells } from "./completion.ts";
import { addConfig } from "./config.ts";
import { addContexts, addServerOptions, useContext } from "./context_commands.ts";
import { addDead } from "./dead.ts";
import { addDestination } from "./destination.ts";
import { CommandError, type ExitCode, exitCodes } from "./exit.ts";
import { addConfigurationOptions, requestOf } from "./flags.ts";
import { addKey } from "./key.ts";
import { addLog, type Outcome } from "./log.ts";
import { addBench, addSend, read } from "./send.ts";
import { realTerminal, type Terminal } from "./terminal.ts";
import { version } from "./version.ts";

/** Carries out what the arguments ask for. Never rejects: what goes wrong is said, and is in the exit code. */
export async function runProgram(args: readonly string[], terminal: Terminal): Promise<number> {
  const outcome: Outcome = { code: exitCodes.ok };
  const program = buildProgram(terminal, outcome);
  try {
    if (args[0] === askingWord) {
      return await complete(terminal, program, args.slice(1));
    }
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
  addDead(program, terminal, outcome);
  addKey(program, terminal, outcome);
  addLog(program, terminal, outcome);
  addSend(program, terminal, outcome);
  addBench(program, terminal, outcome);
  addContexts(program, terminal, outcome);
  addSmall(program, terminal, outcome);
  useContext(program, terminal);
  return program;
}

/** The commands that read the configuration. Their code is loaded when they are called: start time counts. */
function addConfigured(program: Command, terminal: Terminal, outcome: Outcome): void {
  const add = (name: string, does: string) => addConfigurationOptions(program.command(name).description(does));
  add("run", "take messages and deliver them").action(async (options) => {
    const { loadConfiguration, readingAgain } = await import("./configuration.ts");
    const request = requestOf(options);
    const configuration = await loadConfiguration(terminal, request);
    const { config, path } = configuration;
    const { run } = await import("./run.ts");
    const readAgain = readingAgain(terminal, request, configuration);
    outcome.code = await run({ config, configPath: path, readAgain });
  });
  add("check", "say whether the configuration is sound")
    .option("--connect", "connect to every destination, too, and say how that went")
    .option("--json", "print JSON")
    .action(async ({ connect, json, ...options }) => {
      const { check } = await import("./check.ts");
      outcome.code = await check(terminal, requestOf(options), { connect, json });
    });
  addConfig(program, terminal, outcome);
}

/** The commands that ask a running server. */
function addAsking(program: Command, terminal: Terminal, outcome: Outcome): void {
  const add = (name: string, does: string) =>
    addServerOptions(program.command(name).description(does)).option("--json", "print JSON");
  add("status", "print how a running server and its destinations are").action(async (options) => {
    const { showStatus } = await import("./status.ts");
    outcome.code = await showStatus(terminal, options);
  });
  add("reload", "tell a running server to read its configuration again").action(async (options) => {
    const { orderReload } = await import("./reload_order.ts");
    outcome.code = await orderReload(terminal, options);
  });
  add("top", "show rates, lag, destinations and disk of a running server, renewed while you look")
    .option("--once", "print it once, as is done where the output is no terminal")
    .option(
      "--every <duration>",
      "how often, and how long a rate is measured (default: 1s)",
      read(duration(""), "--every"),
    )
    .action(async (options) => {
      const { top } = await import("./top.ts");
      outcome.code = await top(terminal, options);
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

function addSmall(program: Command, terminal: Terminal, outcome: Outcome): void {
  program.command("completion").description("print the completion script of a shell")
    .addArgument(new Argument("<shell>", "which shell").choices(shells))
    .action((shell) => {
      outcome.code = printCompletion(terminal, shell);
    });
  program.command("version").description("print the version").option("--json", "print JSON").action(({ json }) => {
    terminal.out(json ? `${JSON.stringify({ version })}\n` : `sparkngin ${version}\n`);
  });
}
