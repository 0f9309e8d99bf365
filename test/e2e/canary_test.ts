/** Secrets and payloads planted wherever they can come from: nothing that the program says of itself may hold one. */
import assert from "node:assert";
import { makeTempDir, runCommand, startNode } from "./node.ts";
import { arrived } from "./output.ts";
import { eventually } from "./waiting.ts";

const canary = (where: string) => `CANARY-${where}`;

const config = (broker: string) =>
  `[[destination]]
name = "bus"
kind = "kafka"
brokers = ["${broker}"]
sasl = "PLAIN"
username = "u"
password = "${canary("config")}"
timeout = "1s"

[[destination]]
name = "bus2"
kind = "kafka"
brokers = ["${broker}"]
sasl = "PLAIN"
username = "u"
password = "\${PASSWORD}"
timeout = "1s"

[[destination]]
name = "bus3"
kind = "kafka"
brokers = ["${broker}"]
sasl = "PLAIN"
username = "u"
password = "\${file:password}"
timeout = "1s"

[[destination]]
name = "hook"
kind = "webhook"
url = "http://${broker}/${canary("path-of-url")}/in?sig=${canary("query-of-url")}"

[[destination]]
name = "out"
kind = "file"
`;

Deno.test("M8.1 no secret and no payload is in what run logs, nor in what commands say of it", async () => {
  await using dir = await makeTempDir();
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  await Deno.writeTextFile(`${dir.path}/password`, `${canary("file")}\n`);
  const setup = { dir: dir.path, env: { PASSWORD: canary("environment"), SPARKNGIN_KEY: canary("key") } };
  await using node = await startNode({ ...setup, config: config(`127.0.0.1:${listener.addr.port}`) });
  const headers = {
    authorization: `Bearer ${canary("authorization")}`,
    cookie: `session=${canary("cookie")}`,
    referer: `http://x/${canary("referer")}`,
    "idempotency-key": canary("idempotency"),
  };
  const send = async (target: string, body: string, type: string) => {
    const answer = await fetch(`http://${node.http}${target}`, {
      method: "POST",
      body,
      headers: { ...headers, "content-type": type },
    });
    await answer.body?.cancel();
    return answer.status;
  };
  const body = canary("payload");
  assert.strictEqual(
    await send(`/log?topic=t`, JSON.stringify({ data: body }), "application/json"),
    204,
  );
  const asked = await fetch(`http://${node.http}/log?topic=t&field=${canary("query")}`, {
    headers: { ...headers, "idempotency-key": canary("another") },
  });
  assert.strictEqual(asked.status, 204);
  for (const type of ["application/json", "application/x-ndjson", `text/${canary("type")}`]) {
    assert.ok(await send(`/log?topic=${canary("topic")}/`, `{"${body}": ${body}`, type) >= 400);
  }
  assert.ok(await send(`/${canary("path")}`, body, "text/plain") >= 400);
  await arrived(`${dir.path}/data/out`, "t");
  await eventually("trouble with all brokers", () => {
    const told = new Set(node.log().filter(({ level }) => level !== "info").map(({ destination }) => destination));
    return ["bus", "bus2", "bus3", "hook"].every((name) => told.has(name));
  });
  const url = ["--url", `http://${node.management}`];
  const said: Record<string, string> = {};
  for (
    const args of [
      ["check", "--connect"],
      ["check", "--json"],
      ["config", "show"],
      ["config", "show", "--json"],
      ["status", ...url],
      ["status", "--json", ...url],
      ["top", "--once", ...url],
      ["destination", "ls", "--json", ...url],
      ["log", "stat", "data"],
      ["log", "verify", "data"],
      ["send", "--url", node.http, "--topic", "a/b", "password"],
      ["run", "--http-listen", "8080"],
      ["status", "--url", `http://me:${canary("login")}@${node.http}`],
      ["reload", "--url", `http://me:${canary("login")}@${node.http}`],
      ["status", "--url", `ftp://me:${canary("login")}@${node.http}`],
      ["send", "--url", `http://me:${canary("login")}@${node.management}`, "--topic", "t", "password"],
    ]
  ) {
    const { stdout, stderr } = await runCommand(args, setup);
    said[args.join(" ")] = stdout + stderr;
  }
  for (const path of ["/status", "/metrics"]) {
    said[path] = await (await fetch(`http://${node.management}${path}`)).text();
  }
  assert.strictEqual(await node.stop(), 0);
  said.run = node.stdout() + node.stderr();
  for (const [what, text] of Object.entries(said)) {
    assert.ok(text !== "", what);
    assert.ok(!text.includes("CANARY"), `${what}: ${text}`);
  }
});
