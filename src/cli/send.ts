/** `sparkngin send` and `sparkngin bench`: what they take. Their code is loaded when they are called. */
import { type Command, Option } from "commander";
import { duration, size, whole } from "../config/options.ts";
import { addServerOptions } from "./context_commands.ts";
import { CommandError, exitCodes } from "./exit.ts";
import type { Outcome } from "./log.ts";
import type { Terminal } from "./terminal.ts";

const intakeUrlHelp =
  "intake address of the server, with its root (default: SPARKNGIN_SEND_URL, else SPARKNGIN_URL, else http://127.0.0.1:8080)";
const keyFileHelp =
  "file that holds the key to show (default: that of the context; without one, the key in SPARKNGIN_KEY)";

export function addSend(program: Command, terminal: Terminal, outcome: Outcome): void {
  const command = program.command("send").description(
    "send lines of files or of standard input, a message each, and wait until they are safe",
  )
    .argument("[files...]", "files to send; - is standard input, and so is none");
  addServerOptions(command, intakeUrlHelp)
    .option("--key-file <file>", keyFileHelp)
    .option("--topic <topic>", "topic of the messages that name none")
    .option("--env <env>", "environment of the messages that name none")
    .option("--type <type>", "type of the messages that name none")
    .option("--level <level>", "level of the messages that name none")
    .option("--field <name=value>", "any other field, e.g. version=1.2; may be given several times", gathered)
    .addOption(
      new Option("--format <format>", "whether lines are messages or JSON objects; auto goes by .ndjson and .jsonl")
        .choices(["auto", "lines", "ndjson"]).default("auto"),
    )
    .option("--ack <level>", "acknowledgement to ask for: disk, delivered, delivered:NAME, memory")
    .addOption(
      new Option("--on-bad <what>", "what to do about a line that the server refuses: stop there, or skip it")
        .choices(["stop", "skip"]).default("stop"),
    )
    .option(
      "--in-flight <number>",
      "requests under way at once; 1 keeps the order",
      read(whole("", 4, 1, 256), "--in-flight"),
      4,
    )
    .option("--batch <lines>", "most lines in a request", read(whole("", 1000, 1, 50_000), "--batch"), 1000)
    .option("--batch-bytes <size>", "most bytes in a request, about", "512KiB")
    .option("--linger <duration>", "how long a line may wait for others to fill a request", "100ms")
    .option("--patience <duration>", "how long the server may be away at a time before it gives up", "1m")
    .option("--spool <directory>", "keep what is not taken yet there, over restarts, and send what an earlier run left")
    .option("--spool-max <size>", "how much may wait in the spool before reading pauses", "1GiB")
    .option("--follow", "wait for more at the end of the files, over renames, until told to stop")
    .option("--checkpoint <file>", "keep there how far each file was taken, and go on from there")
    .option("--json", "print JSON")
    .action(async (files: string[], options) => {
      const { send } = await import("./send_files.ts");
      const [batchBytes, spoolMax] = [size("", undefined, 1), size("", undefined, 1)];
      const patience = duration("");
      outcome.code = await send(terminal, files, {
        ...options,
        batchBytes: read(batchBytes, "--batch-bytes")(options.batchBytes),
        spoolMax: read(spoolMax, "--spool-max")(options.spoolMax),
        linger: read(patience, "--linger")(options.linger),
        patience: read(patience, "--patience")(options.patience),
      });
    });
}

export function addBench(program: Command, terminal: Terminal, outcome: Outcome): void {
  const command = program.command("bench").description(
    "put load on a server and tell how long its answers take; the messages stay there",
  );
  addServerOptions(command, intakeUrlHelp)
    .option("--key-file <file>", keyFileHelp)
    .option("--topic <topic>", "topic of the messages", "bench")
    .option("--connections <number>", "connections at once", read(whole("", 16, 1, 10_000), "--connections"), 16)
    .option("--duration <duration>", "how long (default: 10s)", read(duration(""), "--duration"))
    .option(
      "--rate <number>",
      "requests a second, whether answers come or not; left out, each connection asks again when it is answered",
      read(whole("", 1, 1, 1_000_000), "--rate"),
    )
    .option("--size <bytes>", "bytes of a message's payload", read(whole("", 200, 12, 8_388_608), "--size"), 200)
    .option("--batch <number>", "messages in a request", read(whole("", 1, 1, 50_000), "--batch"), 1)
    .option("--ack <level>", "acknowledgement to ask for: disk, delivered, delivered:NAME, memory")
    .option("--json", "print JSON")
    .action(async (options) => {
      const { bench } = await import("./bench.ts");
      outcome.code = await bench(terminal, { ...options, duration: options.duration ?? 10_000 });
    });
}

function gathered(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

/** Reads what follows a flag as a key of the configuration is read. */
export function read<T>(option: { read(value: unknown): T }, flag: string): (written: string) => T {
  return (written) => {
    try {
      return option.read(written);
    } catch (problem) {
      if (!(problem instanceof TypeError)) throw problem;
      const sentence = `Cannot do that: ${flag} is ${JSON.stringify(written)}; expected ${problem.message}`;
      throw new CommandError(exitCodes.usage, sentence);
    }
  };
}
