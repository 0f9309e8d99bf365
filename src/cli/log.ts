/** `sparkngin log …`: the commands that look at a data directory, and mend it. Their code is loaded when they are called. */
import { Argument, type Command } from "commander";
import type { Terminal } from "./terminal.ts";

/** Where a command leaves its exit code. */
export interface Outcome {
  code: number;
}

const directory = () => new Argument("[directory]", "data directory (default: the configured one)");
const point = "position, time (RFC 3339, or 2h for two hours ago), oldest or now";

export function addLog(program: Command, terminal: Terminal, outcome: Outcome): void {
  const log = program.command("log").description("look at the files of a log, and mend them");
  const add = (name: string, does: string, argument: Argument = directory()) =>
    log.command(name).description(does)
      .addArgument(argument)
      .option("--config <file>", "configuration file")
      .option("--json", "print JSON");

  add("verify", "say whether everything that was accepted is still as it was; exit code 65 if not")
    .option("--deep", "look into every message, too")
    .action(async (dir, options) => {
      const { verifyLog } = await import("./log_verify.ts");
      outcome.code = await verifyLog(terminal, dir, options);
    });
  add("stat", "print what there is, in numbers").action(async (dir, options) => {
    const { statLog } = await import("./log_stat.ts");
    outcome.code = await statLog(terminal, dir, options);
  });
  add("dump", "print what stands in the files, one thing a line")
    .option("--from <where>", `begin there: ${point}`)
    .option("--to <where>", "end before that")
    .option("--headers", "leave the messages out")
    .action(async (dir, options) => {
      const { dumpLog } = await import("./log_dump.ts");
      outcome.code = await dumpLog(terminal, dir, options);
    });
  add("export", "print the messages, one a line")
    .option("--from <where>", `begin there: ${point}`)
    .option("--to <where>", "end before that")
    .option("--topic <pattern>", 'only topics like this, e.g. "web.*"')
    .option("--format <format>", "how a message is written, as the destinations' key format says it", "json")
    .option("--fields <fields>", "which fields, as the destinations' key fields says it")
    .option("--output <file>", "write into this file, which must not exist yet")
    .action(async (dir, options) => {
      const { exportLog } = await import("./log_export.ts");
      outcome.code = await exportLog(terminal, dir, options);
    });
  add("repair", "show what can be mended while the server does not run")
    .option("--yes", "mend it; what is changed is copied to quarantine/ first")
    .action(async (dir, options) => {
      const { repairLog } = await import("./log_repair.ts");
      outcome.code = await repairLog(terminal, dir, options);
    });
  const other = new Argument("<directory>", "data directory of the other node, which is no more");
  add("adopt", "take over what another node still owed to its destinations; neither may run", other)
    .option("--data <directory>", "our data directory (default: the configured one)")
    .option("--without <names>", "destinations, with commas between, whose messages are given up")
    .action(async (dir, options) => {
      const { adoptLog } = await import("./log_adopt.ts");
      outcome.code = await adoptLog(terminal, dir, options);
    });
}
