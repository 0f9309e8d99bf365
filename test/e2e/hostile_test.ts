/** What senders say never reaches the operator's terminal or the file system raw. */
import assert from "node:assert";
import { Connection, postRequest } from "./connection.ts";
import { runCommand, startCommand, startNode } from "./node.ts";
import { arrived } from "./output.ts";
import { eventually } from "./waiting.ts";

/** Colours a terminal, fakes a line of the log, ends a text, climbs a path, adds a header. */
const hostile = '\x1b[31mX\x07\r\n{"level":"info","message":"FAKED"}\0../../../../etc/x\u202e\u2028\x9b2J';
const escaped = JSON.stringify(hostile);

const bodies: Readonly<Record<string, string>> = {
  "in the topic": `{"topic":${escaped},"data":1}`,
  "in the name of a member": `{${escaped}:1,"topic":"t","data":1}`,
  "in a control field": `{"topic":"t","ack":${escaped},"data":1}`,
  "in the id": `{"topic":"t","id":${escaped},"data":1}`,
  "in broken JSON": `{"topic":"t","data":${escaped}`,
  "in fields and data": `{"topic":"t","env":${escaped},"type":${escaped},"key":${escaped},"data":${escaped}}`,
};

/** Whether something in it could move a cursor, end a line or turn the writing round. */
function drivesTerminal(text: string): boolean {
  // deno-lint-ignore no-control-regex
  return /[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e]/.test(text);
}

async function names(dir: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(dir)) {
    found.push(name, ...(isDirectory ? await names(`${dir}/${name}`) : []));
  }
  return found;
}

Deno.test("M1: hostile texts reach neither the log lines, nor paths, nor the answers raw", async () => {
  await using node = await startNode();
  using connection = await Connection.open(node.http);
  for (const [place, body] of Object.entries(bodies)) {
    const reply = await connection.ask(postRequest("/log", "application/json", new TextEncoder().encode(body)));
    assert.equal(reply.status, place === "in fields and data" ? 204 : 400, `${place}: ${reply.body}`);
    assert.ok(!drivesTerminal(reply.body), `${place}: ${reply.body}`);
  }
  const query = encodeURIComponent(hostile);
  for (const target of [`/${query}`, `/log?topic=${query}`, `/log?topic=t&${query}=%zz`, `/log?topic=t&ack=${query}`]) {
    const reply = await connection.ask(`GET ${target} HTTP/1.1\r\nHost: x"><b>\r\nUser-Agent: \x1b[31m\r\n\r\n`);
    assert.ok(reply.status >= 400 && reply.status < 500, target);
    assert.ok(!drivesTerminal(reply.body), reply.body);
    if (reply.headers.get("connection") === "close") break;
  }
  const [message] = await arrived(`${node.dir}/data/out`, "t");
  assert.equal(message!.data, escaped);
  assert.deepEqual(message!.fields.env, hostile);
  assert.equal(await node.stop(), 0);
  assert.ok(!drivesTerminal(node.stderr()) && !node.stderr().includes("FAKED"), node.stderr());
  assert.ok((await names(node.dir)).every((name) => /^[A-Za-z0-9._-]+$/.test(name)));
});

Deno.test("M1: tail and status show hostile texts without what drives a terminal", async () => {
  await using node = await startNode();
  const url = ["--url", `http://${node.management}`];
  await using plain = await startCommand(["tail", ...url]);
  await using json = await startCommand(["tail", "--json", ...url]);
  const body = new TextEncoder().encode(bodies["in fields and data"]!);
  await eventually("both tails", async () => {
    using connection = await Connection.open(node.http);
    await connection.ask(postRequest("/log", "application/json", body));
    return plain.stdout() !== "" && json.stdout() !== "";
  });
  for (const text of [plain.stdout(), json.stdout(), (await runCommand(["status", ...url])).stdout]) {
    assert.ok(!drivesTerminal(text), JSON.stringify(text));
  }
  assert.equal(JSON.parse(json.stdout().split("\n")[0]!).data, hostile);
});

Deno.test("M1: secrets of the configuration are shown nowhere", async () => {
  const config = `
[[destination]]
name = "bus"
kind = "kafka"
brokers = ["127.0.0.1:1"]
sasl = "PLAIN"
username = "u"
password = "CANARY-\${PLACE}"
`;
  const env = { PLACE: "in-the-coal-mine" };
  await using node = await startNode({ config, env });
  using connection = await Connection.open(node.http);
  await connection.ask(postRequest("/log?topic=t", "application/json", new TextEncoder().encode("{}")));
  const found = await eventually("an error of the destination", async () => {
    const text = await (await fetch(`http://${node.management}/status`)).text();
    return JSON.parse(text).destinations[0].last_error !== "" && text;
  });
  const metrics = await (await fetch(`http://${node.management}/metrics`)).text();
  const shown = await runCommand(["config"], { config, env });
  const checked = await runCommand(["check"], { config, env });
  assert.equal(await node.stop(), 0);
  const texts = [
    found,
    metrics,
    shown.stdout,
    shown.stderr,
    checked.stdout,
    checked.stderr,
    node.stdout(),
    node.stderr(),
  ];
  for (const text of texts) assert.ok(!/CANARY|coal/.test(text), text);
});
