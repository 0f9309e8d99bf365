/** `sparkngin send` against a node that comes, goes and dies; and the sender itself dying. */
import assert from "node:assert";
import { makeTempDir, runCommand, type Running, startCommand, startNode, type TempDir } from "./node.ts";
import { arrived, readOutput } from "./output.ts";
import { eventually } from "./waiting.ts";

function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  return listener.addr.port;
}

async function writeLines(path: string, from: number, to: number): Promise<void> {
  const lines = Array.from({ length: to - from }, (_, i) => `{"data":${from + i}}\n`).join("");
  await Deno.writeTextFile(path, lines, { append: true });
}

/** The numbers that came, in the order of the log. */
async function numbers(dir: TempDir): Promise<number[]> {
  return (await readOutput(`${dir.path}/data/out`, "t")).map(({ data }) => Number(data));
}

const count = 3000;
const args = ["send", "--topic", "t", "--batch", "50"];

async function nodeAt(port: number, dir: TempDir) {
  return await startNode({ dir: dir.path, args: ["--http-listen", `127.0.0.1:${port}`] });
}
const sent = ({ stderr }: { readonly stderr: string }) => /^(\d+) lines taken/m.exec(stderr)?.[1];

Deno.test("M6 what the spool holds while no server is there is sent when one is, and stored once", async () => {
  const [dir, port] = [await makeTempDir(), freePort()];
  await using _ = dir;
  const url = ["--url", `127.0.0.1:${port}`, "--spool", "spool"];
  await writeLines(`${dir.path}/in.ndjson`, 0, count);
  const away = await runCommand([...args, ...url, "--patience", "100ms", "in.ndjson"], { dir: dir.path });
  assert.strictEqual(away.code, 0, away.stderr);
  assert.match(away.stderr, /60 requests wait in "spool", because/);
  await using _node = await nodeAt(port, dir);
  await Deno.writeTextFile(`${dir.path}/empty.ndjson`, "");
  const there = await runCommand([...args, ...url, "empty.ndjson"], { dir: dir.path });
  assert.deepStrictEqual([there.code, sent(there)], [0, String(count)]);
  await arrived(`${dir.path}/data/out`, "t", count);
  const found = await numbers(dir);
  assert.deepStrictEqual(found.sort((a, b) => a - b), Array.from({ length: count }, (_, i) => i));
  assert.deepStrictEqual([...Deno.readDirSync(`${dir.path}/spool`)].map(({ name }) => name), ["LOCK"]);
});

Deno.test("M6 a server that is killed and comes back while lines are sent has each of them once", async () => {
  const [dir, port] = [await makeTempDir(), freePort()];
  await using _ = dir;
  await writeLines(`${dir.path}/in.ndjson`, 0, count);
  await using sender = await startCommand([...args, "--url", `127.0.0.1:${port}`, "--patience", "60s", "in.ndjson"], {
    dir: dir.path,
  });
  for (let life = 0; life < 3; life++) {
    await using node = await nodeAt(port, dir);
    const before = (await numbers(dir)).length;
    await eventually("some more", async () => sender.ended || (await numbers(dir)).length > before);
    node.kill("SIGKILL");
    await node.exited;
  }
  await using _last = await nodeAt(port, dir);
  assert.strictEqual(await sender.exited, 0, sender.stderr());
  await arrived(`${dir.path}/data/out`, "t", count);
  const found = await numbers(dir);
  assert.deepStrictEqual(found.sort((a, b) => a - b), Array.from({ length: count }, (_, i) => i));
});

Deno.test("M6 a follower that is killed goes on at its checkpoint, over renames, and leaves nothing out", async () => {
  const dir = await makeTempDir();
  await using _ = dir;
  await using node = await startNode({ dir: dir.path });
  const follow = async () =>
    await startCommand([...args, "--url", node.http, "--follow", "--checkpoint", "state", "in.ndjson"], {
      dir: dir.path,
    });
  const has = async (end: number, follower: Running) => {
    await eventually(`the number ${end - 1}; ${follower.stderr()}`, async () => (await numbers(dir)).includes(end - 1));
  };
  const path = `${dir.path}/in.ndjson`;
  await writeLines(path, 0, 100);
  {
    await using follower = await follow();
    await has(100, follower);
    await writeLines(path, 100, 200);
    await has(200, follower);
    await eventually("a checkpoint", () => Deno.readTextFile(`${dir.path}/state`));
  } // kill -9
  await writeLines(path, 200, 300);
  await Deno.rename(path, `${path}.1`);
  await writeLines(path, 300, 400);
  await using follower = await follow();
  await has(400, follower);
  assert.strictEqual(await follower.stop(), 0, follower.stderr());
  const found = await numbers(dir);
  assert.deepStrictEqual([...new Set(found)].sort((a, b) => a - b), Array.from({ length: 400 }, (_, i) => i));
});
