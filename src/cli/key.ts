/** `sparkngin key …`: the commands that give keys, list them and take them back. Their code is loaded when they are called. */
import type { Command } from "commander";
import type { Outcome } from "./log.ts";
import type { Terminal } from "./terminal.ts";

const scopeHelp = "what it may do: write, write:TOPICS (a pattern, or several with commas), read, admin";

export function addKey(program: Command, terminal: Terminal, outcome: Outcome): void {
  const key = program.command("key").description("give keys to senders, list them, take them back");
  const add = (name: string, does: string) =>
    key.command(name).description(does)
      .option("--data <directory>", "data directory (default: the configured one)")
      .option("--config <file>", "configuration file")
      .option("--json", "print JSON");

  add("create", "make a key, and print it this once; a running server knows it within a second")
    .requiredOption("--name <name>", "whose it is, for people")
    .requiredOption("--scope <scope...>", scopeHelp)
    .option("--ack <levels>", "acknowledgements it may ask for although http.ack does not list them")
    .option("--rate <rate>", 'most requests a second, e.g. "100/s"')
    .option("--quota <quota>", 'most messages a day (UTC), e.g. "100000/day"')
    .option("--pixel", "a public key for pages, given in the query as key_id; it may write to the topics it names only")
    .action(async (options) => {
      const { createKey } = await import("./key_create.ts");
      outcome.code = await createKey(terminal, options);
    });
  add("ls", "print the keys, but not their secrets").action(async (options) => {
    const { listKeys } = await import("./key_list.ts");
    outcome.code = await listKeys(terminal, options);
  });
  add("revoke", "take a key back; a running server refuses it within a second")
    .argument("<id>", "id of the key, as ls prints it")
    .action(async (id, options) => {
      const { revokeKey } = await import("./key_revoke.ts");
      outcome.code = await revokeKey(terminal, id, options);
    });
}
