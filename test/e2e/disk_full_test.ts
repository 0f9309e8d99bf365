/** A disk that fills up, and has room again. */
import assert from "node:assert";
import { Driver } from "../crash/driver.ts";
import { examine } from "../crash/oracle.ts";
import { makeTempDir, type Node, startNode } from "./node.ts";
import { arrived } from "./output.ts";
import { eventually } from "./waiting.ts";

const mayMount = Deno.build.os === "linux" && Deno.uid() === 0;
const needs = mayMount ? "" : " (needs root)";
const diskBytes = 96 << 20;

/** A small disk of its own, mounted at a directory. */
class Disk implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }
  static async mount(path: string): Promise<Disk> {
    await Deno.mkdir(path);
    await carryOut("mount", ["-t", "tmpfs", "-o", `size=${diskBytes}`, "none", path]);
    return new Disk(path);
  }
  /** Takes all the room there is. */
  async fill(): Promise<void> {
    using file = await Deno.open(`${this.path}/hog`, { create: true, write: true });
    const block = new Uint8Array(1 << 20);
    try {
      for (;;) await file.write(block);
    } catch {
      // Now it is full.
    }
  }
  async free(): Promise<void> {
    await Deno.remove(`${this.path}/hog`);
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await carryOut("umount", ["-l", this.path]);
  }
}

async function carryOut(command: string, args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, { args }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

/** The output stays beside the small disk, so that only the log has no room. */
function configFor(out: string): string {
  return `[log]\nsegment = "1MiB"\nretain_max = "4MiB"\n[[destination]]\nname = "out"\nkind = "file"\ndir = "${out}"\n`;
}

async function post(node: Node, body: Uint8Array<ArrayBuffer>): Promise<Response> {
  return await fetch(`http://${node.http}/log?topic=t`, { method: "POST", body });
}

const large = new TextEncoder().encode(`{"data":"${"x".repeat(500_000)}"}`);

Deno.test({
  name: `P12: a full disk is told with 503, loses nothing, and is taken up again by itself${needs}`,
  ignore: !mayMount,
  async fn() {
    await using home = await makeTempDir();
    await using disk = await Disk.mount(`${home.path}/data`);
    const config = configFor(`${home.path}/out`);
    await using node = await startNode({ dir: home.path, config });
    const driver = new Driver(12, 4);
    for (let round = 0; round < 3; round++) {
      const offering = new AbortController();
      const offered = driver.offer(node.http, offering.signal);
      const before = driver.count("fail");
      await disk.fill();
      await eventually("a refusal", () => driver.count("fail") > before);
      offering.abort();
      await offered;
      await assertFull(node);
      await disk.free();
      await eventually("messages to be taken again", async () => {
        const answer = await post(node, large);
        await answer.body?.cancel();
        return answer.status === 204;
      }, 30_000);
      assert.equal((await fetch(`http://${node.http}/readyz`)).status, 200);
    }
    await arrived(`${home.path}/out`, "t", 3);
    assert.equal(await node.stop(), 0);
    const { arrived: there, ...rest } = await examine(driver, `${home.path}/out`);
    assert.deepEqual(rest, { copies: 0, lost: 0, unexpected: 0, altered: 0, inverted: 0, torn: 0 });
    assert.ok(there >= driver.count("ok") && driver.count("ok") > 0);
  },
});

async function assertFull(node: Node): Promise<void> {
  // The commit in which the disk became full may be told that its outcome is unknown.
  const answer = await eventually("503 disk-full for a large message", async () => {
    const found = await post(node, large);
    const text = await found.text();
    return found.status === 503 && text.includes("/errors/disk-full") && { text, headers: found.headers };
  });
  assert.ok(Number(answer.headers.get("retry-after")) > 0);
  assert.equal(JSON.parse(answer.text).retryable, true);
  const readiness = await eventually("/readyz to be 503", async () => {
    const found = await fetch(`http://${node.http}/readyz`);
    const text = await found.text();
    return found.status === 503 && text;
  });
  assert.equal(JSON.parse(readiness).type, "/errors/disk-full");
}

Deno.test({
  name: `P12 P20: a node stops in order while its disk is full, and starts when there is room${needs}`,
  ignore: !mayMount,
  async fn() {
    await using home = await makeTempDir();
    await using disk = await Disk.mount(`${home.path}/data`);
    const config = configFor(`${home.path}/out`);
    {
      await using node = await startNode({ dir: home.path, config });
      assert.equal((await post(node, large)).status, 204);
      await disk.fill();
      await assertFull(node);
      assert.equal(await node.stop(), 0, node.stderr());
    }
    await disk.free();
    await using node = await startNode({ dir: home.path, config });
    assert.equal((await post(node, large)).status, 204);
    assert.ok(!node.log().some(({ level }) => level === "error"), node.stderr());
  },
});

Deno.test({
  name: `M1: a disk that is full at the start ends it with 74${needs}`,
  ignore: !mayMount,
  async fn() {
    await using home = await makeTempDir();
    await using disk = await Disk.mount(`${home.path}/data`);
    await disk.fill();
    await assert.rejects(startNode({ dir: home.path, config: configFor(`${home.path}/out`) }), /ended with 74/);
  },
});
