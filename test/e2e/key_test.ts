/** Keys from the command line to a running node: given, used, taken back, without a restart. */
import assert from "node:assert";
import { type Node, runCommand, startNode } from "./node.ts";
import { eventually } from "./waiting.ts";

const config = '[http]\nkeys = true\nip = "hashed"\n[management]\nkeys = true\n';

interface Made {
  readonly id: string;
  readonly key: string;
}

async function make(dir: string, ...args: string[]): Promise<Made> {
  const { code, stdout, stderr } = await runCommand(["key", "create", "--name", "test", "--json", ...args], { dir });
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

async function statusOf({ http }: Node, key?: string, target = "/log?topic=t"): Promise<number> {
  const headers: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const answer = await fetch(`http://${http.replace("0.0.0.0", "127.0.0.1")}${target}`, { headers });
  await answer.body?.cancel();
  return answer.status;
}

Deno.test("M1.10: a key is good, and no longer good, within a second on a running node", async () => {
  await using node = await startNode({ config });
  const { dir } = node;
  assert.ok(node.log().some(({ message }) => message.includes("there are no keys")));
  assert.equal(await statusOf(node), 401);
  const { id, key } = await make(dir, "--scope", "write:t");
  await eventually("a key that is known", async () => await statusOf(node, key) === 204);
  assert.equal(await statusOf(node, key, "/log?topic=other"), 403);
  assert.equal(await statusOf(node), 401);
  const listed = await runCommand(["key", "ls"], { dir });
  assert.match(listed.stdout, new RegExp(`^${id}  test  write:t `, "m"));
  assert.equal((await runCommand(["key", "revoke", id], { dir })).code, 0);
  await eventually("a key that is refused", async () => await statusOf(node, key) === 401);
  assert.equal(await node.stop(), 0);
  for (const text of [node.stderr(), node.stdout(), await Deno.readTextFile(`${dir}/data/keys`)]) {
    assert.ok(!text.includes(key.split("_")[2]!));
  }
});

Deno.test("M1.10: management asks for keys too, and commands take theirs from SPARKNGIN_KEY or the context", async () => {
  await using node = await startNode({ config });
  const url = ["--url", `http://${node.management}`];
  const reader = await make(node.dir, "--scope", "read");
  const admin = await make(node.dir, "--scope", "admin");
  const refused = await runCommand(["status", ...url]);
  assert.equal(refused.code, 77);
  assert.match(refused.stderr, /^Cannot ask .*Requests need a key here.*SPARKNGIN_KEY\n$/);
  const asked = (command: string[], key: string) => runCommand([...command, ...url], { env: { SPARKNGIN_KEY: key } });
  await eventually("a key that is known", async () => (await asked(["status"], admin.key)).code === 0);
  assert.equal((await asked(["status"], reader.key)).code, 0);
  const env = { HOME: node.dir, XDG_CONFIG_HOME: "", SPARKNGIN_KEY: admin.key };
  assert.equal((await runCommand(["context", "add", "here", ...url, "--select"], { env })).code, 0);
  const withoutKey = await runCommand(["status"], { env });
  assert.deepEqual(
    [withoutKey.code, withoutKey.stderr.includes('"here" has no key_file')],
    [77, true],
    withoutKey.stderr,
  );
  await Deno.writeTextFile(`${node.dir}/read.key`, `${reader.key}\n`);
  const withKey = ["context", "add", "here", ...url, "--key-file", `${node.dir}/read.key`, "--replace"];
  assert.equal((await runCommand(withKey, { env })).code, 0);
  assert.equal((await runCommand(["status"], { env })).code, 0);
  assert.equal((await runCommand(["destination", "pause", "out"], { env })).code, 77);
  assert.equal((await asked(["destination", "pause", "out"], reader.key)).code, 77);
  assert.equal((await asked(["destination", "pause", "out"], admin.key)).code, 0);
  const livez = await fetch(`http://${node.management}/livez`);
  assert.deepEqual([livez.status, await livez.text()], [200, "ok\n"]);
});

Deno.test("M1.10: a quota outlives a restart", async () => {
  await using first = await startNode({ config });
  const { dir } = first;
  const { key } = await make(dir, "--scope", "write", "--quota", "3/day");
  await eventually("a key that is known", async () => await statusOf(first, key) === 204);
  assert.equal(await statusOf(first, key), 204);
  await first.stop();
  await using second = await startNode({ dir });
  assert.deepEqual([await statusOf(second, key), await statusOf(second, key)], [204, 429]);
});

Deno.test("M1.10: beyond loopback a node starts with keys, and takes nothing without", async () => {
  await using node = await startNode({ config, args: ["--http-listen", "0.0.0.0:0"] });
  assert.equal(await statusOf(node), 401);
});
