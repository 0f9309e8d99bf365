import assert from "node:assert/strict";
import { leaves, pathOf, shownOptions } from "../../man/commands.ts";
import { askingWord } from "../../src/cli/completion.ts";
import { commandTree } from "../../src/cli/program.ts";
import { fullStatus } from "../../src/observe/status.ts";
import { someFacts } from "../observe/facts.ts";
import { type Given, sparkngin } from "./terminal.ts";

async function offered(line: string, given?: Given): Promise<string[]> {
  const { code, out, err } = await sparkngin([askingWord, ...line.split(" ")], given);
  assert.deepEqual([code, err], [0, ""]);
  return out.split("\n").slice(0, -1);
}

Deno.test("M8.2 completion offers every command and option that --help has", async () => {
  const program = commandTree();
  assert.deepEqual(await offered(""), program.commands.map((command) => command.name()));
  for (const command of leaves(program)) {
    const options = await offered(`${pathOf(command)} --`);
    assert.deepEqual(options, [...shownOptions(command).map(({ long }) => long), "--help"], pathOf(command));
  }
});

Deno.test("M8.2 completion offers what has begun: commands below, choices, values", async () => {
  assert.deepEqual(await offered("destination p"), ["pause"]);
  assert.deepEqual(await offered("send --on-bad s"), ["stop", "skip"]);
  assert.deepEqual(await offered("completion "), ["bash", "zsh", "fish"]);
  assert.deepEqual(await offered("run --config "), []);
  assert.deepEqual(await offered("nonsense "), commandTree().commands.map((command) => command.name()));
});

Deno.test("M8.2 completion asks the running server for its destinations, and is silent without one", async () => {
  const answers = { "/status": JSON.stringify(fullStatus(someFacts())) };
  assert.deepEqual(await offered("destination pause ", { answers }), ["bus", "out"]);
  assert.deepEqual(await offered("destination rewind --to 2h b", { answers }), ["bus"]);
  assert.deepEqual(await offered("destination pause bus ", { answers }), []);
  assert.deepEqual(await offered("destination pause "), []);
});
