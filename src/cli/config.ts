/** `sparkngin config …`: the configuration as it is, as it could be, and as editors know it. */
import { type Command, Option } from "commander";
import { addConfigurationOptions, requestOf } from "./flags.ts";
import type { Outcome } from "./log.ts";
import type { Terminal } from "./terminal.ts";

export function addConfig(program: Command, terminal: Terminal, outcome: Outcome): void {
  const config = program.command("config").description(
    "print the configuration: as understood, as a sample, as a schema",
  );
  addConfigurationOptions(
    config.command("show", { isDefault: true })
      .description("print the configuration as understood, and where each value comes from")
      .option("--json", "print JSON"),
  )
    // What it does anyway.
    .addOption(new Option("--origin").hideHelp())
    .action(async ({ json, ...options }) => {
      const { showConfig } = await import("./config_show.ts");
      outcome.code = await showConfig(terminal, requestOf(options), { json });
    });
  config.command("sample").description("print a configuration file with every key, commented out, and its help")
    .action(async () => {
      const { printSample } = await import("./config_sample.ts");
      outcome.code = await printSample(terminal);
    });
  config.command("schema").description("print the configuration as JSON Schema, for editors").action(async () => {
    const { printSchema } = await import("./config_sample.ts");
    outcome.code = await printSchema(terminal);
  });
  config.command("import").description(
    "print what the nginx module of 2013 was told as a configuration that does the same",
  )
    .argument("<file>", "nginx's configuration, with sparkngin_ directives")
    .action(async (file) => {
      const { importConfig } = await import("./config_import.ts");
      outcome.code = await importConfig(terminal, file);
    });
  program.command("init").description("write a configuration file with every key, commented out, to begin with")
    .argument("[file]", "where to write it; it must not exist yet", "sparkngin.toml")
    .action(async (file) => {
      const { writeSample } = await import("./config_sample.ts");
      outcome.code = await writeSample(terminal, file);
    });
}
