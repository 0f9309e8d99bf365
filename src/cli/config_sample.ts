/** `sparkngin config sample`, `config schema` and `init`: what can be configured, for people and for editors. */
import { adaptors } from "../../adaptors/mod.ts";
import { sampleConfig } from "../config/sample.ts";
import { configSchema, type KindOfDestination } from "../config/schema.ts";
import { type ExitCode, exitCodes } from "./exit.ts";
import { printable } from "./printable.ts";
import type { Terminal } from "./terminal.ts";
import { cannotWrite } from "./unwritable.ts";

export async function printSample(terminal: Terminal): Promise<ExitCode> {
  terminal.out(sampleConfig(await allKinds()));
  return exitCodes.ok;
}

export async function printSchema(terminal: Terminal): Promise<ExitCode> {
  terminal.out(`${JSON.stringify(configSchema(await allKinds()), null, 2)}\n`);
  return exitCodes.ok;
}

export async function writeSample(terminal: Terminal, path: string): Promise<ExitCode> {
  const bytes = new TextEncoder().encode(sampleConfig(await allKinds()));
  try {
    const file = terminal.world("write").files.create(path);
    try {
      file.write(0, bytes);
    } finally {
      file.close();
    }
  } catch (problem) {
    throw cannotWrite(path, problem);
  }
  terminal.err(
    `${printable(path)} is written: every key is in it, commented out. Then: sparkngin check, sparkngin run\n`,
  );
  return exitCodes.ok;
}

async function allKinds(): Promise<Record<string, KindOfDestination>> {
  const kinds: Record<string, KindOfDestination> = {};
  for (const [name, load] of Object.entries(adaptors)) kinds[name] = (await load()).default;
  return kinds;
}
