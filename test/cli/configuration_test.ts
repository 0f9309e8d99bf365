import assert from "node:assert/strict";
import { loadConfiguration, readingAgain } from "../../src/cli/configuration.ts";
import { CommandError, exitCodes } from "../../src/cli/exit.ts";
import { terminalOf } from "./terminal.ts";

const destination = (name: string) => `[[destination]]\nname = "${name}"\nkind = "file"\n`;

async function reading(files: Record<string, string | Error>) {
  const terminal = terminalOf({ files });
  const again = readingAgain(terminal, { flags: {} }, await loadConfiguration(terminal, { flags: {} }));
  return async () => (await again()).destination.map(({ name }) => name);
}

function refused(what: RegExp) {
  return (problem: unknown) => {
    assert.ok(problem instanceof CommandError);
    assert.equal(problem.code, exitCodes.configuration);
    assert.match(problem.sentences.join("\n"), what);
    return true;
  };
}

Deno.test("M8.1 a file that has become empty is no configuration until it is whole again", async () => {
  const files: Record<string, string> = { "./sparkngin.toml": destination("a") };
  const names = await reading(files);
  files["./sparkngin.toml"] = "";
  await assert.rejects(names(), refused(/^Cannot read sparkngin\.toml: it is empty/));
  files["./sparkngin.toml"] = "# about to be written\n";
  await assert.rejects(names(), refused(/^Cannot read sparkngin\.toml: it is empty/));
  files["./sparkngin.toml"] = destination("b");
  assert.deepEqual(await names(), ["b"]);
  files["./sparkngin.toml"] = "destination = []\n";
  assert.deepEqual(await names(), ["out", "pub"]);
});

Deno.test("M8.1 a directory that is gone takes no destination away, until an empty one is there", async () => {
  const files: Record<string, string> = { "./sparkngin.toml": destination("a"), "conf.d/b.toml": destination("b") };
  const names = await reading(files);
  assert.deepEqual(await names(), ["a", "b"]);
  delete files["conf.d/b.toml"];
  for (let i = 0; i < 2; i++) {
    await assert.rejects(
      names(),
      refused(/^Cannot read conf\.d: the directory is gone, and with it "b", .*mkdir conf\.d/),
    );
  }
  files["conf.d/README"] = "nothing here";
  assert.deepEqual(await names(), ["a"]);
  delete files["conf.d/README"];
  assert.deepEqual(await names(), ["a"]);
  files["conf.d/b.toml"] = destination("b");
  assert.deepEqual(await names(), ["a", "b"]);
  delete files["conf.d/b.toml"];
  files["./sparkngin.toml"] += destination("b");
  assert.deepEqual(await names(), ["a", "b"]);
});

Deno.test("M8.1 who began without a word may go on so", async () => {
  const files: Record<string, string> = { "./sparkngin.toml": "# all as by default\n" };
  const names = await reading(files);
  assert.deepEqual(await names(), ["out", "pub"]);
  files["./sparkngin.toml"] = destination("a");
  assert.deepEqual(await names(), ["a"]);
});

Deno.test("M8.1 a file is read again where it was found first, though it is gone or one stands before it", async () => {
  const files: Record<string, string> = { "/etc/sparkngin/sparkngin.toml": destination("a") };
  const names = await reading(files);
  files["./sparkngin.toml"] = destination("other");
  assert.deepEqual(await names(), ["a"]);
  delete files["/etc/sparkngin/sparkngin.toml"];
  await assert.rejects(names(), refused(/^Cannot read \/etc\/sparkngin\/sparkngin\.toml: there is no such file/));
});
