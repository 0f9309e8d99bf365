/** What the nginx module of 2013 was told, imported and run: its subscribers find what they always found. */
import assert from "node:assert/strict";
import { makeOf, missing } from "../services/zeromq.ts";
import { makeTempDir, runCommand, startNode } from "./node.ts";
import { eventually, within } from "./waiting.ts";

const lacks = missing("pyzmq");
const sample = Deno.readTextFileSync(new URL("../golden/nginx/sample-2013.conf", import.meta.url));
/** One plain message, unpacked. */
const subscriber = `
import gzip, sys, zmq
socket = zmq.Context().socket(zmq.SUB)
socket.subscribe(b"")
socket.connect(sys.argv[1])
parts = socket.recv_multipart()
print(len(parts), gzip.decompress(parts[0]).decode(), flush=True)
`;

Deno.test({
  name: `M2.1 M2.3 M8.1 the sample of 2013, imported: /sparkngin/log takes, and a plain SUB gets gzip JSON${lacks}`,
  ignore: lacks !== "",
  async fn() {
    await using dir = await makeTempDir();
    // Ports that are free, and reach no further than this machine.
    const nginx = sample.replace("sparkngin_listen 7000", "sparkngin_listen 127.0.0.1:0").replace(
      /listen +80/,
      "listen 127.0.0.1:0",
    );
    await Deno.writeTextFile(`${dir.path}/nginx.conf`, nginx);
    const imported = await runCommand(["config", "import", "nginx.conf"], { dir: dir.path });
    assert.equal(imported.code, 0, imported.stderr);
    await Deno.writeTextFile(`${dir.path}/sparkngin.toml`, imported.stdout);
    const check = await runCommand(["check"], { dir: dir.path });
    assert.equal(check.code, 0, check.stderr);
    await using node = await startNode({ dir: dir.path });
    const address = await eventually("the address of pub", () => {
      const line = node.log().find(({ message }) => message.startsWith("peers find it at "));
      return line && `tcp://${line.message.split(" ").at(-1)}`;
    });
    const { command } = await makeOf("pyzmq");
    const python = new Deno.Command(command, { args: ["-c", subscriber, address], stdout: "piped" }).spawn();
    try {
      const query = "level=info&type=http&stimestamp=134545634345&ver=1.0&topic=test&env=testdata&ip=1.1.1.1";
      const headers = { cookie: "user_id=7", "user-agent": "test", referer: "http://www.example.com/" };
      // Before it subscribes it may be told nothing: what waits is kept for it.
      const { status } = await fetch(`http://${node.http}/sparkngin/log?${query}`, { headers });
      assert.equal(status, 204);
      const { stdout } = await within("a message", python.output());
      const [count, json] = new TextDecoder().decode(stdout).trim().split(/ (.*)/s);
      const { time_stamp, ...fields } = JSON.parse(json!);
      assert.equal(count, "1");
      assert.equal(typeof time_stamp, "number");
      assert.deepEqual(fields, {
        ...{ version: "1.0", ip: "1.1.1.1", level: "info", topic: "test", "user-agent": "test" },
        ...{ referrer: "http://www.example.com/", cookie: { user_id: "7" } },
      });
    } finally {
      try {
        python.kill("SIGKILL");
      } catch {
        // It has ended.
      }
      await python.status;
    }
    assert.equal(await node.stop(), 0);
  },
});
