/** `sparkngin destination …`: the commands that tell a destination what to do. Their code is loaded when they are called. */
import type { Command } from "commander";
import type { Order } from "../deliver/control.ts";
import { addServerOptions } from "./context_commands.ts";
import type { Outcome } from "./log.ts";
import type { Terminal } from "./terminal.ts";

const dataHelp = "data directory of a server that does not run, instead of asking one";
const point = "position, time (RFC 3339, or 2h for two hours ago), oldest or now";

export function addDestination(program: Command, terminal: Terminal, outcome: Outcome): void {
  const destination = program.command("destination").description("see what destinations do, and tell them what to do");
  const add = (name: string, does: string) =>
    addServerOptions(destination.command(name).description(does))
      .option("--data <directory>", dataHelp)
      .option("--json", "print JSON");
  const addOrder = (what: Order["do"], does: string) => add(what, does).argument("<name>", "name of the destination");

  add("ls", "print the destinations and how they are").action(async (options) => {
    const { listDestinations } = await import("./destination_list.ts");
    outcome.code = await listDestinations(terminal, options);
  });
  for (
    const [what, does] of [["pause", "deliver nothing until told otherwise"], ["resume", "deliver again"]] as const
  ) {
    addOrder(what, does).action(async (name, options) => {
      const { giveOrder } = await import("./destination_order.ts");
      outcome.code = await giveOrder(terminal, { name, order: { do: what } }, options);
    });
  }
  const moves = [
    ["rewind", "deliver once more, from there on"],
    ["skip", "do not deliver what comes before that"],
  ] as const;
  for (const [what, does] of moves) {
    addOrder(what, does).requiredOption("--to <where>", point).action(async (name, { to, ...options }) => {
      const { giveOrder } = await import("./destination_order.ts");
      outcome.code = await giveOrder(terminal, { name, order: { do: what, to } }, options);
    });
  }
}
