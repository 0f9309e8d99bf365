/** What the service manager hears of a start, a life and an end: a datagram socket of ours takes its place. */
import assert from "node:assert";
import { makeTempDir, startNode } from "./node.ts";
import { eventually } from "./waiting.ts";

Deno.test({
  name: "a service manager is told when messages are taken, that the node is alive, and that it stops",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using dir = await makeTempDir();
    const path = `${dir.path}/notify`;
    const manager = Deno.listenDatagram({ transport: "unixpacket", path });
    const said: string[] = [];
    const listening = (async () => {
      for await (const [bytes] of manager) {
        said.push(new TextDecoder().decode(bytes));
        if (said.at(-1)!.startsWith("STOPPING=1")) return;
      }
    })();
    const env = { NOTIFY_SOCKET: path, RUNTIME_DIRECTORY: dir.path, WATCHDOG_USEC: "200000" };
    await using node = await startNode({ dir: dir.path, env });
    await eventually("signs of life", () => said.filter((text) => text === "WATCHDOG=1").length > 2);
    const ready = said.filter((text) => text.startsWith("READY=1\n"));
    assert.deepEqual(ready, [`READY=1\nSTATUS=takes messages on ${node.http}`]);
    assert.equal(await node.stop(), 0);
    await listening;
    manager.close();
    const left = [...Deno.readDirSync(dir.path)].map(({ name }) => name).filter((name) => name.startsWith("notify-"));
    assert.deepEqual(left, []);
  },
});
