/** While the disk does not answer: the operator is answered all the same, a stop ends the process, and afterwards all goes on. */
import assert from "node:assert/strict";
import { compileLibrary } from "../crash/library.ts";
import { missing } from "../crash/needs.ts";
import { Connection, getRequest } from "./connection.ts";
import { launchNode, makeTempDir, type Node, startNode } from "./node.ts";
import { arrived } from "./output.ts";
import { eventually, hangMs, pause } from "./waiting.ts";

const lacks = missing(["gcc"]);
const needs = lacks && ` (${lacks})`;
/** Longer than a step of a spare and the pause behind it, and than a call takes to reach the disk. */
const momentMs = 500;

/** Of a node whose disk answers no more where its path goes on after `below`, once `stall` was called; `more` says which calls. */
async function stallable(dir: string, below: string, more: Readonly<Record<string, string>>) {
  const stalled = `${dir}/stalled`;
  const env = {
    LD_PRELOAD: await compileLibrary("slow_disk", dir),
    SLOW_DIR: `${await Deno.realPath(dir)}/data/${below}`,
    SLOW_STALL: stalled,
    ...more,
  };
  return { env, stall: () => Deno.writeTextFile(stalled, ""), goOn: () => Deno.remove(stalled) };
}

async function assertAnswers(node: Node): Promise<void> {
  const signal = AbortSignal.timeout(hangMs);
  assert.equal((await fetch(`http://${node.management}/status`, { signal })).status, 200);
}

async function assertAnswersAndStops(node: Node): Promise<void> {
  await assertAnswers(node);
  assert.equal(await node.stop(), 0, node.stderr());
}

async function hasFile(dir: string, ending: string): Promise<boolean> {
  for await (const { name } of Deno.readDir(`${dir}/data/log`)) if (name.endsWith(ending)) return true;
  return false;
}

for (
  const [what, more, waits] of [
    ["a spare may be half made", {}, () => pause(momentMs)],
    ["a spare may be whole but for the sync of its name", { SLOW_DIRECTORIES: "1" }, hasSpare],
    ["a spare may be whole but for its name", { SLOW_NAMES: "1" }, hasWholeSpare],
  ] as const
) {
  Deno.test({
    name: `P16 P20: while the disk does not answer, status and SIGTERM are answered; ${what}${needs}`,
    ignore: lacks !== "",
    async fn() {
      await using home = await makeTempDir();
      const dir = home.path;
      const { env, stall } = await stallable(dir, "", more);
      await using node = await startNode({ dir, env, config: '[log]\nsegment = "4 MiB"\n' });
      await eventually("a spare that is being made", () => hasFile(dir, ".spare.tmp"));
      await stall();
      await waits(dir);
      await assertAnswersAndStops(node);
    },
  });
}

function hasSpare(dir: string): Promise<boolean> {
  return eventually("a spare that has its name", () => hasFile(dir, ".spare"));
}

/** Filled to its end, and its last step has long been synced. */
async function hasWholeSpare(dir: string): Promise<void> {
  await eventually("a spare that is filled", async () => {
    for await (const { name } of Deno.readDir(`${dir}/data/log`)) {
      if (name.endsWith(".spare.tmp")) return (await Deno.stat(`${dir}/data/log/${name}`)).size === 4 << 20;
    }
  });
  await pause(momentMs);
}

const destination = (name: string) => `[[destination]]\nname = "${name}"\nkind = "file"\ndir = "${name}"\n`;
const both = destination("early") + destination("late");

/** What does not answer, and how large the new cursor is then. */
const cursorStalls = [
  ["the content", {}, 0],
  ["the sync of the name", { SLOW_DIRECTORIES: "1" }, 8192],
] as const;

for (const [what, more, bytes] of cursorStalls) {
  Deno.test({
    name:
      `P16 P20 M8.1: while a reload waits for the disk because of ${what} of a new cursor, status and SIGTERM are answered${needs}`,
    ignore: lacks !== "",
    async fn() {
      await using home = await makeTempDir();
      const { env, stall } = await stallable(home.path, "cursor", more);
      await using node = await startNode({ dir: home.path, env, config: destination("early") });
      await stall();
      void askReload(node).catch(() => {});
      await stands(home.path, bytes);
      await assertAnswersAndStops(node);
    },
  });
}

Deno.test({
  name:
    `P2 M8.1: a reload that waited for the disk is carried out when that answers: the new destination has what comes from then on${needs}`,
  ignore: lacks !== "",
  async fn() {
    await using home = await makeTempDir();
    const dir = home.path;
    const { env, stall, goOn } = await stallable(dir, "cursor", {});
    await using node = await startNode({ dir, env, config: destination("early") });
    await stall();
    const reloaded = askReload(node);
    await stands(dir, 0);
    await assertAnswers(node);
    await goOn();
    assert.equal((await reloaded).status, 200);
    using connection = await Connection.open(node.http);
    assert.equal((await connection.ask(getRequest("/log?topic=t&n=1"))).status, 204);
    for (const name of ["early", "late"]) assert.equal((await arrived(`${dir}/${name}`, "t", 1)).length, 1);
    assert.equal(await node.stop(), 0, node.stderr());
  },
});

Deno.test({
  name: `P20: SIGTERM ends a start that waits for the disk to take a cursor${needs}`,
  ignore: lacks !== "",
  async fn() {
    await using home = await makeTempDir();
    const { env, stall } = await stallable(home.path, "cursor", {});
    await stall();
    await using node = await launchNode({ dir: home.path, env, config: both });
    await stands(home.path, 0, "early");
    assert.equal(await node.stop(), 0, node.stderr());
  },
});

async function askReload(node: Node): Promise<Response> {
  await Deno.writeTextFile(`${node.dir}/sparkngin.toml`, both);
  const headers = { "content-type": "application/json" };
  return await fetch(`http://${node.management}/reload`, { method: "POST", headers, body: "{}" });
}

/** Until the cursor is so far, and then long enough for who waits to be waiting. */
async function stands(dir: string, bytes: number, name = "late"): Promise<void> {
  await eventually("a cursor that is being made", async () => {
    const found = await Deno.stat(`${dir}/data/cursors/${name}`).catch(() => undefined);
    return found?.size === bytes;
  });
  await pause(momentMs);
}
