/** `sparkngin context …`, and the options by which every command that talks to a server takes one. */
import type { Command } from "commander";
import { contextKeys } from "./context_keys.ts";
import { CommandError, exitCodes } from "./exit.ts";
import type { Outcome } from "./log.ts";
import type { Terminal } from "./terminal.ts";

const managementHelp = "management address of the server (default: SPARKNGIN_URL or http://127.0.0.1:8081)";

/** `--url` and `--context`. */
export function addServerOptions(command: Command, urlHelp = managementHelp): Command {
  return command.option("--url <url>", urlHelp)
    .option(
      "--context <name>",
      "the server by name: see sparkngin context (default: SPARKNGIN_CONTEXT, else the selected one)",
    );
}

/** Before a command is carried out, what it says to a server goes where the context says. */
export function useContext(program: Command, terminal: Terminal): void {
  program.hook("preAction", async (_, command) => {
    const { url, context, data } = command.opts();
    const asksServer = command.options.some(({ long }) => long === "--context");
    if (url !== undefined && context !== undefined) {
      throw new CommandError(exitCodes.usage, "Cannot take both --url and --context: name the server in one way");
    }
    if (!asksServer || data !== undefined || url !== undefined) return;
    const { chooseContext } = await import("./context.ts");
    terminal.context = chooseContext(terminal, context);
  });
}

const nameHelp = "name of the context";

export function addContexts(program: Command, terminal: Terminal, outcome: Outcome): void {
  const context = program.command("context").description("keep servers by name: where they are, and the key to show");
  context.command("ls").description("print the contexts; a star marks the selected one")
    .option("--json", "print JSON")
    .action(async (options) => {
      const { listContexts } = await import("./context_orders.ts");
      outcome.code = listContexts(terminal, options);
    });
  const add = context.command("add").description("keep a server by name").argument("<name>", nameHelp);
  for (const [key, { help }] of Object.entries(contextKeys)) {
    const what = key.endsWith("url") ? "url" : "file";
    add.option(`--${key.replaceAll("_", "-")} <${what}>`, help);
  }
  add.option("--select", "select it, too")
    .option("--replace", "also where there is one of this name")
    .action(async (name, { select, replace, ...given }) => {
      const { addContext } = await import("./context_orders.ts");
      outcome.code = addContext(terminal, name, { given, select, replace });
    });
  context.command("select").description("use a context from now on where none is named; without a name, none")
    .argument("[name]", nameHelp)
    .action(async (name) => {
      const { selectContext } = await import("./context_orders.ts");
      outcome.code = selectContext(terminal, name);
    });
  context.command("rm").description("forget a context").argument("<name>", nameHelp).action(async (name) => {
    const { removeContext } = await import("./context_orders.ts");
    outcome.code = removeContext(terminal, name);
  });
}
