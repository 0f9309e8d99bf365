/** `sparkngin dead …`: the commands for what destinations have refused for good. Their code is loaded when they are called. */
import { type Command, Option } from "commander";
import { addServerOptions } from "./context_commands.ts";
import type { Outcome } from "./log.ts";
import type { Terminal } from "./terminal.ts";

const dataHelp = "data directory of a server that does not run, instead of asking one";

export function addDead(program: Command, terminal: Terminal, outcome: Outcome): void {
  const dead = program.command("dead").description("see what destinations have refused for good, and send it again");
  const add = (name: string, does: string) =>
    addServerOptions(dead.command(name).description(does))
      .option("--data <directory>", dataHelp)
      .option("--json", "print JSON");
  const addFiltered = (name: string, does: string) =>
    add(name, does)
      .option("--reason <text>", "only those whose reason holds this")
      .option("--topic <pattern>", 'only topics like this, e.g. "web.*"')
      .option("--since <time>", "only those set aside then or later: RFC 3339, or 2h for two hours ago")
      .option("--until <time>", "only those set aside before that")
      .option("--position <number>", "only the one with this position");

  addFiltered("ls", "print the dead letters, one a line").argument("[name]", "name of the destination (default: all)")
    .action(async (name, options) => {
      const { listDead } = await import("./dead_list.ts");
      outcome.code = await listDead(terminal, name, options);
    });
  add("show", "print one with its message").argument("<name>", "name of the destination")
    .argument("<position>", "its position, as ls shows it")
    .action(async (name, position, options) => {
      const { showDead } = await import("./dead_list.ts");
      outcome.code = await showDead(terminal, name, { ...options, position });
    });
  addFiltered("export", "print their messages, one a line").argument("<name>", "name of the destination")
    .addOption(new Option("--format <format>", "how a message is written").choices(["json", "raw"]).default("json"))
    .option("--output <file>", "write into this file, which must not exist yet")
    .action(async (name, options) => {
      const { exportDead } = await import("./dead_list.ts");
      outcome.code = await exportDead(terminal, name, options);
    });
  addFiltered("replay", "send them to their destination once more").argument("<name>", "name of the destination")
    .action(async (name, options) => {
      const { orderDead } = await import("./dead_order.ts");
      outcome.code = await orderDead(terminal, { name, what: "replay" }, options);
    });
  addFiltered("purge", "throw them away").argument("<name>", "name of the destination")
    .option("--yes", "really; without it they are only counted")
    .action(async (name, options) => {
      const { orderDead } = await import("./dead_order.ts");
      outcome.code = await orderDead(terminal, { name, what: "purge" }, options);
    });
}
