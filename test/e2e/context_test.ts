/** Servers by name: kept, listed, selected, forgotten, and used over TLS with a key, by the executable. */
import assert from "node:assert";
import { makeTempDir, runCommand, startNode } from "./node.ts";

Deno.test("M8.1 contexts are kept in a file each that only its owner reads, and used where none is named", async () => {
  await using home = await makeTempDir();
  await using node = await startNode();
  const setup = { dir: home.path, env: { HOME: home.path, XDG_CONFIG_HOME: "" } };
  const say = async (...args: string[]) => await runCommand(args, setup);
  const added = await say(
    "context",
    "add",
    "here",
    "--url",
    `http://${node.management}`,
    "--send-url",
    `http://${node.http}`,
  );
  assert.deepStrictEqual([added.code, added.stderr], [0, 'Context "here" is kept: --context here\n']);
  const path = `${home.path}/.config/sparkngin/contexts/here.toml`;
  assert.strictEqual((await Deno.stat(path)).mode! & 0o777, 0o600);
  assert.strictEqual((await say("context", "add", "here", "--url", "http://x")).code, 64);
  for (const bad of ["../x", ".x", "a/b", "", "selected\n", "a".repeat(65)]) {
    assert.strictEqual((await say("context", "add", "--url", "http://x", "--", bad)).code, 64, bad);
  }
  assert.strictEqual((await say("status", "--context", "here")).code, 0);
  assert.strictEqual((await say("context", "select", "here")).code, 0);
  assert.match((await say("context", "ls")).stdout, /^\* +here /m);
  assert.match((await say("status")).stdout, /^sparkngin /);
  await Deno.writeTextFile(`${home.path}/lines`, "a\nb\n");
  assert.match((await say("send", "--topic", "t", "lines")).stderr, /^2 lines taken/);
  assert.strictEqual((await say("bench", "--duration", "100ms", "--connections", "1")).code, 0);
  assert.strictEqual((await say("context", "rm", "here")).code, 0);
  assert.match((await say("context", "ls")).stderr, /^There are no contexts yet/);
  assert.strictEqual((await say("context", "select", "here")).code, 64);
  assert.deepStrictEqual([...Deno.readDirSync(path.slice(0, path.lastIndexOf("/")))], []);
  const homeless = await runCommand(["context", "add", "x", "--url", "http://x"], {
    dir: home.path,
    env: { HOME: "", XDG_CONFIG_HOME: "" },
  });
  assert.deepStrictEqual([homeless.code, homeless.stderr], [
    73,
    "Cannot keep contexts: neither HOME nor XDG_CONFIG_HOME is set\n",
  ]);
});
