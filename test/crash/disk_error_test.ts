/** A disk whose syncs fail, by a library put in front of the system's: nothing may be accepted on the strength of a second try. */
import assert from "node:assert";
import { fileURLToPath } from "node:url";
import { makeTempDir, type Node, startNode, TempDir } from "../e2e/node.ts";
import { arrived } from "../e2e/output.ts";
import { eventually, pause, within } from "../e2e/waiting.ts";
import { Driver } from "./driver.ts";
import { examine } from "./oracle.ts";

const hasCompiler = Deno.build.os === "linux" &&
  new Deno.Command("sh", { args: ["-c", "command -v gcc"], stdout: "null" }).outputSync().success;
const needs = hasCompiler ? "" : " (needs gcc)";
const source = fileURLToPath(new URL("failing_sync.c", import.meta.url));
const failures = 20;

/** A directory whose syncs can be made to fail. */
class BadDisk extends TempDir {
  readonly env: Readonly<Record<string, string>>;

  private constructor(path: string) {
    super(path);
    this.env = { LD_PRELOAD: `${path}/failing.so`, FAIL_ONCE: `${path}/once`, FAIL_ALWAYS: `${path}/always` };
  }
  static async make(): Promise<BadDisk> {
    const { path } = await makeTempDir();
    const args = ["-shared", "-fPIC", "-O1", "-o", `${path}/failing.so`, source];
    const { success, stderr } = await new Deno.Command("gcc", { args }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
    return new BadDisk(path);
  }
  /** Resolves when a sync has failed. */
  async failOnce(): Promise<void> {
    const file = this.env.FAIL_ONCE!;
    await Deno.writeTextFile(file, "");
    await eventually("a failed sync", () => Deno.stat(file).then(() => false, () => true));
  }
  async failAlways(): Promise<void> {
    await Deno.writeTextFile(this.env.FAIL_ALWAYS!, "");
  }
  async heal(): Promise<void> {
    await Deno.remove(this.env.FAIL_ALWAYS!);
  }
}

/** Everything accepted must be there; a sync of the output that failed may bring copies, because it is unknown what it did. */
async function assertNothingLost(dir: string, driver: Driver): Promise<void> {
  const { arrived: there, copies: _copies, ...rest } = await examine(driver, `${dir}/data/out`);
  assert.deepEqual(rest, { lost: 0, unexpected: 0, altered: 0, inverted: 0, torn: 0 });
  assert.ok(there >= driver.count("ok") && driver.count("ok") > 0);
}

async function drain(node: Node): Promise<void> {
  assert.equal((await fetch(`http://${node.http}/log?topic=fresh&n=1`)).status, 204);
  await arrived(`${node.dir}/data/out`, "fresh");
  assert.equal(await node.stop(), 0, node.stderr());
}

Deno.test({
  name: `P1 P2 P10: ${failures} syncs that fail anywhere cost nothing that was accepted${needs}`,
  ignore: !hasCompiler,
  async fn() {
    await using disk = await BadDisk.make();
    const driver = new Driver(10, 4);
    await using node = await startNode({ dir: disk.path, env: disk.env });
    const stop = new AbortController();
    const offered = driver.offer(node.http, stop.signal);
    for (let i = 0; i < failures; i++) {
      await disk.failOnce();
      // Two in a row would rightly stop the log.
      const before = driver.count("ok");
      await eventually("messages to be accepted again", () => driver.count("ok") > before + 50);
    }
    stop.abort();
    await offered;
    await drain(node);
    assert.ok(!node.log().some(({ level }) => level === "error"), node.stderr());
    await assertNothingLost(disk.path, driver);
  },
});

Deno.test({
  name: `P4 P10: when no sync works the log stops with 503, the node ends with 70, and a start goes on${needs}`,
  ignore: !hasCompiler,
  async fn() {
    await using disk = await BadDisk.make();
    const driver = new Driver(11, 4);
    await using first = await startNode({ dir: disk.path, env: disk.env });
    const stop = new AbortController();
    const offered = driver.offer(first.http, stop.signal);
    await pause(300);
    await disk.failAlways();
    const code = await within("the end of a node whose disk failed", first.exited, () => first.stderr());
    assert.equal(code, 70, first.stderr());
    stop.abort();
    await offered;
    assert.ok(driver.count("fail") + driver.count("unknown") > 0);
    await disk.heal();
    await using second = await startNode({ dir: disk.path, env: disk.env });
    await drain(second);
    await assertNothingLost(disk.path, driver);
  },
});
