/** [shell] `sparkngin run`: a node from its start to its end, and what to paste next. */
import type { Config } from "../config/keys.ts";
import { unreadableSegment } from "../log/mod.ts";
import { openJournal } from "../observe/journal.ts";
import { realWorld } from "../os/deno.ts";
import type { World } from "../os/world.ts";
import { schemeOf } from "./check.ts";
import { claim, explained } from "./claim.ts";
import { placedInOrder, receiversOf } from "./destinations.ts";
import { CommandError } from "./exit.ts";
import { type NodeParts, RunningNode } from "./node.ts";
import { openServiceManager } from "./service_manager.ts";
import { version } from "./version.ts";

export interface Running {
  readonly config: Config;
  readonly configPath: string | undefined;
  /** Throws a `CommandError` that names what is wrong with it. */
  readonly readAgain: () => Promise<Config>;
}

/** Resolves with the exit code when the node has stopped. */
export async function run({ config, configPath, readAgain }: Running): Promise<number> {
  const { form, level: least } = config.log;
  const world = realWorld();
  const journal = openJournal(world.clock, (line) => Deno.stderr.writeSync(new TextEncoder().encode(line)), {
    form: form === "auto" ? Deno.stderr.isTerminal() ? "text" : "json" : form,
    least,
  });
  const node = claim(world, config.data);
  await untilReadable(world, config.data, (text) => journal.say("warning", text)).catch((problem) => {
    throw explained(problem, config.data);
  });
  const placed = placedInOrder(config);
  const receivers = await receiversOf(placed);
  const manager = openServiceManager(Deno.env.toObject(), (text) => journal.say("warning", text));
  const running = prepare({ config, world, journal, node, placed, receivers, manager, readAgain });
  const stopped = running.untilStopped();
  try {
    // A start that waits for a disk does not hold up the end.
    await Promise.race([running.start(), stopped]);
    if (running.stopping) return await stopped;
  } catch (problem) {
    // Who is told to stop in the middle of a start cannot start, and that is no trouble.
    if (running.stopping) return await stopped;
    await running.stop();
    throw problem instanceof CommandError ? problem : explained(problem, config.data);
  }
  greet(config, running, configPath);
  return await stopped;
}

function prepare(parts: NodeParts): RunningNode {
  try {
    return new RunningNode(parts);
  } catch (problem) {
    throw explained(problem, parts.config.data);
  }
}

const readTries = 10;

/** What a disk gives a moment later is not lost; what it still does not give then counts as damaged, and the start goes on. */
async function untilReadable(world: World, dir: string, report: (text: string) => void): Promise<void> {
  for (let tries = 0; tries < readTries; tries++) {
    const segment = unreadableSegment(world.files, dir);
    if (segment === undefined) return;
    report(`the disk does not give segment ${segment}: it is asked again`);
    await world.clock.sleep(1000);
  }
}

function greet(config: Config, running: RunningNode, configPath: string | undefined): void {
  const url = `${schemeOf(config.http)}://${running.address}${config.http.root}`;
  const out = config.destination.find(({ kind, name }) => kind === "file" && name === "out");
  const key = config.http.keys ? ' -H "Authorization: Bearer $KEY"' : "";
  const lines = [
    `Sparkngin ${version} takes messages at ${url}/log${configPath ? ` (configuration: ${configPath})` : ""}`,
    "",
    config.http.keys ? "Send one (sparkngin key create makes the key):" : "Send one:",
    `  curl -i${key} '${url}/log?topic=hello&level=info&name=world'`,
    "See it arrive:",
    ...(out ? [`  tail -F ${config.data}/out/hello/*/*`] : []),
    `  sparkngin tail${
      running.managementAddress === "127.0.0.1:8081" ? "" : ` --url http://${running.managementAddress}`
    }`,
    `How it is: http://${running.managementAddress}/status`,
    "",
  ];
  console.log(lines.join("\n"));
}
