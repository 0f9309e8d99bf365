/** A new configuration while it runs: no request is dropped, no message lost, and who is not changed does not notice. */
import assert from "node:assert/strict";
import { Driver } from "../crash/driver.ts";
import { examine } from "../crash/oracle.ts";
import { Connection, getRequest } from "./connection.ts";
import { makeTempDir, type Node, runCommand, startNode } from "./node.ts";
import { arrived, readOutput } from "./output.ts";
import { eventually } from "./waiting.ts";

interface Known {
  readonly name: string;
  readonly position: number;
  readonly pending: number;
  readonly generation: number;
  readonly conserved: boolean;
  readonly filtered: number;
}

async function write(node: Node, config: string): Promise<void> {
  await Deno.writeTextFile(`${node.dir}/sparkngin.toml`, config);
}

async function reload(node: Node) {
  return await runCommand(["reload", "--url", `http://${node.management}`]);
}

async function status(
  node: Node,
): Promise<{ destinations: Known[]; reload: { ok: boolean; needs_restart: string[] } }> {
  return await (await fetch(`http://${node.management}/status`)).json();
}

const files = (name: string, more = "") =>
  `[[destination]]\nname = "${name}"\nkind = "file"\ndir = "${name}"\n${more}\n`;

async function send(node: Node, topic: string, count = 1): Promise<void> {
  using connection = await Connection.open(node.http);
  for (let i = 0; i < count; i++) {
    assert.equal((await connection.ask(getRequest(`/log?topic=${topic}&n=${i}`))).status, 204);
  }
}

/** How many messages there are: a thread that has no time to stop is cut off, which costs copies. */
function differing(messages: readonly { readonly id: string }[]): number {
  return new Set(messages.map(({ id }) => id)).size;
}

Deno.test("M8.1 a reload adds, changes and removes destinations under load: no request fails, nothing is lost", async () => {
  await using node = await startNode({ config: files("stays") + files("goes") });
  const driver = new Driver(7, 4);
  const stop = new AbortController();
  const offered = driver.offer(node.http, stop.signal);
  const told: string[] = [];
  for (let round = 0; round < 5; round++) {
    await eventually("load", () => driver.count("ok") > 200 * (round + 1));
    await write(node, files("stays") + files("comes", `from = "oldest"\nbatch = ${100 + round}`));
    told.push((await reload(node)).stdout);
    await write(node, files("stays") + files("goes", `batch = ${200 + round}`) + files("comes", `from = "oldest"`));
    told.push((await reload(node)).stdout);
  }
  stop.abort();
  await offered;
  assert.equal(driver.count("fail"), 0);
  assert.equal(told[0], "added: comes; removed: goes\n");
  assert.equal(told[1], "added: goes; changed: comes\n");
  const found = await eventually("everything to be delivered", async () => {
    const { destinations } = await status(node);
    return destinations.every(({ pending }) => pending === 0) && destinations;
  });
  assert.deepEqual(found.map(({ name }) => name), ["stays", "goes", "comes"]);
  assert.deepEqual(found.filter(({ conserved }) => !conserved), []);
  await node.stop();
  for (const name of ["stays", "comes", "goes"]) {
    const { lost, altered, unexpected, inverted, torn } = await examine(driver, `${node.dir}/${name}`);
    assert.deepEqual({ name, lost, altered, unexpected, inverted, torn }, {
      ...{ name, lost: 0, altered: 0, unexpected: 0, inverted: 0, torn: 0 },
    });
  }
  assert.ok(!node.stderr().includes('"level":"error"'), node.stderr());
});

Deno.test("M8.1 a new destination is owed what comes after the reload; one that went is owed nothing", async () => {
  await using node = await startNode({ config: files("first") });
  await send(node, "before");
  await write(node, files("second"));
  assert.equal((await reload(node)).stdout, "added: second; removed: first\n");
  await send(node, "after");
  await arrived(`${node.dir}/second`, "after");
  assert.deepEqual(await readOutput(`${node.dir}/second`, "before"), []);
  assert.deepEqual(await readOutput(`${node.dir}/first`, "after"), []);
  await write(node, files("first"));
  assert.equal((await reload(node)).code, 0);
  // It goes on where it was.
  await arrived(`${node.dir}/first`, "after");
  assert.equal(differing(await arrived(`${node.dir}/first`, "before")), 1);
});

Deno.test("M8.1 a filter that is changed holds for what comes; the cursor stays", async () => {
  await using node = await startNode({ config: files("out") });
  await send(node, "a");
  await arrived(`${node.dir}/out`, "a");
  await write(node, files("out", 'filter = { topic = "b" }'));
  assert.equal((await reload(node)).stdout, "changed: out\n");
  await send(node, "a");
  await send(node, "b");
  await arrived(`${node.dir}/out`, "b");
  const out = await eventually("the verdicts", async () => {
    const [out] = (await status(node)).destinations;
    return out!.pending === 0 && out;
  });
  assert.deepEqual([out.filtered, out.generation, out.conserved], [1, 1, true]);
  assert.equal(differing(await readOutput(`${node.dir}/out`, "a")), 1);
});

Deno.test("M8.1 a faulty configuration changes nothing and says what is wrong", async () => {
  await using node = await startNode({ config: files("out") });
  await write(node, `[http]\nlissten = "x"\n${files("out")}`);
  const { code, stderr } = await reload(node);
  assert.equal(code, 78);
  assert.match(stderr, /kept as it was[\s\S]*line 2: unknown key "lissten"/);
  assert.equal((await status(node)).reload.ok, false);
  await send(node, "t");
  await arrived(`${node.dir}/out`, "t");
  node.kill("SIGHUP");
  assert.match(node.stderr(), /kept as it was/);
  const metrics = async () => await (await fetch(`http://${node.management}/metrics`)).text();
  await eventually(
    "the second try",
    async () => /^sparkngin_config_reloads_total\{result="failed"\} 2$/m.test(await metrics()),
  );
  assert.match(await metrics(), /^sparkngin_config_reload_successful 0$/m);
});

Deno.test("M8.1 a file that is empty when it is read again takes no destination away", async () => {
  await using node = await startNode({ config: files("first") + files("second") });
  for (const text of ["", "# about to be written\n\n"]) {
    await write(node, text);
    const { code, stderr } = await reload(node);
    assert.equal(code, 78);
    assert.match(stderr, /kept as it was[\s\S]*sparkngin\.toml: it is empty.*write destination = \[\] into it/);
  }
  assert.deepEqual((await status(node)).destinations.map(({ name }) => name), ["first", "second"]);
  await send(node, "t");
  await arrived(`${node.dir}/first`, "t");
  await arrived(`${node.dir}/second`, "t");
  await write(node, files("first"));
  assert.equal((await reload(node)).stdout, "removed: second\n");
});

Deno.test("M8.1 a conf.d that is gone when it is read again takes no destination away, an empty one does", async () => {
  await using dir = await makeTempDir();
  await Deno.mkdir(`${dir.path}/conf.d`);
  await Deno.writeTextFile(`${dir.path}/conf.d/more.toml`, files("second"));
  await using node = await startNode({ dir: dir.path, config: files("first") });
  await Deno.rename(`${dir.path}/conf.d`, `${dir.path}/aside`);
  const { code, stderr } = await reload(node);
  assert.equal(code, 78);
  assert.match(stderr, /kept as it was[\s\S]*conf\.d: the directory is gone, and with it "second"/);
  assert.deepEqual((await status(node)).destinations.map(({ name }) => name), ["first", "second"]);
  await Deno.mkdir(`${dir.path}/conf.d`);
  assert.equal((await reload(node)).stdout, "removed: second\n");
});

Deno.test("M8.1 what a running node can take over it does, and it names what waits for a restart", async () => {
  await using node = await startNode({ config: files("out") });
  await write(node, `[http]\ntopic = "usual"\nconnections_max = 7\n${files("out")}`);
  assert.equal((await reload(node)).stdout, "taken over: http.topic; waiting for a restart: http.connections_max\n");
  using connection = await Connection.open(node.http);
  assert.equal((await connection.ask(getRequest("/log?n=1"))).status, 204);
  await arrived(`${node.dir}/out`, "usual");
  assert.deepEqual((await status(node)).reload.needs_restart, ["http.connections_max"]);
});

Deno.test("M3.2 M8.1 an order that comes while a reload changes its destination is carried out", async () => {
  await using node = await startNode({ config: files("one") });
  const asOrder = { method: "POST", headers: { "content-type": "application/json" }, body: "{}" };
  const answers: number[] = [];
  let asking = true;
  const asked = (async () => {
    for (let i = 0; asking; i++) {
      const url = `http://${node.management}/destinations/one/${i % 2 === 0 ? "pause" : "resume"}`;
      const answer = await fetch(url, asOrder);
      answers.push(answer.status);
      await answer.body?.cancel();
    }
  })();
  for (let round = 1; round <= 6; round++) {
    await write(node, files("one", `batch = ${100 + round}`));
    assert.match((await reload(node)).stdout, /changed: one/);
  }
  asking = false;
  await asked;
  assert.deepEqual([...new Set(answers)], [200], `${answers.length} orders`);
  assert.equal((await fetch(`http://${node.management}/destinations/two/pause`, asOrder)).status, 404);
  assert.equal(await node.stop(), 0);
});
