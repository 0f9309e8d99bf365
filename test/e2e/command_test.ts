/** What the program says from the outside: endpoints that tell, commands, and exit codes. */
import assert from "node:assert";
import { type LogLine, makeTempDir, type Node, runCommand, startCommand, startNode } from "./node.ts";
import { arrived } from "./output.ts";
import { eventually } from "./waiting.ts";

async function get(address: string, path: string): Promise<{ status: number; type: string | null; text: string }> {
  const answer = await fetch(`http://${address}${path}`);
  return { status: answer.status, type: answer.headers.get("content-type"), text: await answer.text() };
}

async function sendOne(node: Node, target = "/log?topic=t&n=1"): Promise<void> {
  const { status, text } = await get(node.http, target);
  assert.equal(status, 204, text);
}

function lastSentences(stderr: string): string {
  return stderr.split("\n").filter((line) => line !== "" && !line.startsWith("{")).join("\n");
}

/** But for the port of the publisher that there is by default: another node may have it. */
function errorsIn(log: readonly LogLine[]): LogLine[] {
  return log.filter(({ level, destination }) => level !== "info" && destination !== "pub");
}

Deno.test("M1: the public endpoints tell how the node is, and nothing of its inside", async () => {
  await using node = await startNode();
  await sendOne(node);
  await arrived(`${node.dir}/data/out`, "t");
  for (const path of ["/status", "/stat", "/sparkngin/status"]) {
    const { status, text } = await get(node.http, path);
    assert.equal(status, 200);
    const found = JSON.parse(text);
    assert.deepEqual(Object.keys(found).sort(), ["accepted", "destinations", "ready", "uptime_s", "version"]);
    assert.deepEqual([found.accepted, found.ready], [1, true]);
    const [out, pub] = found.destinations;
    assert.deepEqual([out, Object.keys(pub), pub.name], [
      { name: "out", state: "delivering" },
      ["name", "state"],
      "pub",
    ]);
  }
  assert.equal((await get(node.http, "/imok")).text, "imok");
  for (const path of ["/livez", "/readyz", "/sparkngin/livez"]) assert.equal((await get(node.http, path)).status, 200);
  assert.ok((await get(node.http, "/")).text.includes(`http://${node.http}/log?topic=`));
});

Deno.test("M1: a root stands in front of every endpoint, and replaces the others", async () => {
  await using node = await startNode({ config: '[http]\nroot = "/sn"\n' });
  await sendOne(node, "/sn/log?topic=t&n=1");
  await arrived(`${node.dir}/data/out`, "t");
  for (const path of ["/sn/status", "/sn/stat", "/sn/imok", "/sn/livez", "/sn/readyz", "/livez", "/readyz", "/sn/"]) {
    assert.equal((await get(node.http, path)).status, 200, path);
  }
  for (const path of ["/log?topic=t", "/status", "/imok", "/sparkngin/log?topic=t", "/sn/sn/log"]) {
    assert.equal((await get(node.http, path)).status, 404, path);
  }
});

Deno.test("P2: management tells that every message has a verdict, once the destination has it", async () => {
  await using node = await startNode();
  for (let i = 0; i < 5; i++) await sendOne(node);
  const status = await eventually("five taken", async () => {
    const found = JSON.parse((await get(node.management, "/status")).text);
    return found.destinations[0].taken === 5 && found;
  });
  const [out] = status.destinations;
  assert.deepEqual([status.accepted, status.log.durable, status.ready, status.epoch], [5, 5, true, 1]);
  assert.deepEqual([out.name, out.kind, out.state, out.required], ["out", "file", "delivering", true]);
  assert.deepEqual([out.position, out.pending, out.dead, out.conserved, out.last_error], [5, 0, 0, true, ""]);
  assert.match(status.node, /^[0-9a-f]{16}$/);
});

Deno.test("M1: metrics are Prometheus text, and count", async () => {
  await using node = await startNode();
  for (let i = 0; i < 3; i++) await sendOne(node);
  await get(node.http, "/log?no=topic");
  const { text, type } = await get(node.management, "/metrics");
  assert.match(type!, /^text\/plain; version=0\.0\.4/);
  const samples = parseMetrics(text);
  assert.equal(samples.get("sparkngin_messages_accepted_total"), 3);
  assert.equal(samples.get("sparkngin_requests_total"), 4);
  assert.equal(samples.get("sparkngin_requests_refused_total"), 1);
  assert.equal(samples.get("sparkngin_ready"), 1);
});

/** By name and labels; every sample has its TYPE and HELP before it. */
function parseMetrics(text: string): Map<string, number> {
  assert.ok(text.endsWith("\n"));
  const described = new Set<string>();
  const samples = new Map<string, number>();
  for (const line of text.trimEnd().split("\n")) {
    const about = /^# (HELP|TYPE) ([a-z_]+) \S/.exec(line);
    if (about) {
      described.add(`${about[1]} ${about[2]}`);
      continue;
    }
    const [, name, labels = "", value] =
      /^([a-z_]+)(\{(?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)+\})? (-?[0-9.e+-]+|NaN|\+Inf)$/.exec(line) ?? assert.fail(line);
    assert.ok(described.has(`HELP ${name}`) && described.has(`TYPE ${name}`), line);
    assert.ok(!samples.has(name + labels), line);
    samples.set(name + labels, Number(value));
  }
  return samples;
}

Deno.test("M1: tail shows messages as they come in, those of a topic if asked, as JSON if asked", async () => {
  await using node = await startNode();
  const url = ["--url", `http://${node.management}`];
  await using all = await startCommand(["tail", ...url]);
  await using some = await startCommand(["tail", ...url, "--topic", "web.*", "--json"]);
  // A tail begins with what comes after it: send until both are there.
  await eventually("a line in both tails", async () => {
    await sendOne(node, "/log?topic=web.shop&n=0&level=info");
    return all.stdout() !== "" && some.stdout() !== "";
  });
  await sendOne(node, "/log?topic=app&secret=hidden");
  await sendOne(node, "/log?topic=web.shop&last=%1b[31m");
  await eventually("the last message", () => all.stdout().includes('"last"') && some.stdout().includes('"last"'));
  assert.match(all.stdout(), /^\d{4}-\d\d-\d\dT\S+ web\.shop .*level=info.* \{"n":"0"\}$/m);
  assert.ok(all.stdout().includes(' {"secret":"hidden"}\n'));
  assert.ok(!some.stdout().includes("hidden"));
  for (const line of some.stdout().trim().split("\n")) assert.equal(JSON.parse(line).topic, "web.shop");
  assert.ok(!all.stdout().includes("\x1b") && !some.stdout().includes("\x1b"));
  assert.equal(await node.stop(), 0);
  assert.deepEqual([await all.exited, await some.exited], [69, 69]);
});

Deno.test("M1: status shows a running node, and exits with 69 where there is none", async () => {
  await using node = await startNode();
  await sendOne(node);
  const args = ["status", "--url", `http://${node.management}`];
  const shown = await runCommand(args);
  assert.equal(shown.code, 0, shown.stderr);
  assert.match(shown.stdout, /^sparkngin \d+\.\d+\.\d+, node [0-9a-f]{16}, start 1, up /);
  assert.match(shown.stdout, /^out +file +delivering/m);
  const { stdout } = await runCommand([...args, "--json"]);
  assert.equal(JSON.parse(stdout).accepted, 1);
  await node.stop();
  const gone = await runCommand(args);
  assert.equal(gone.code, 69);
  assert.match(gone.stderr, /nothing listens there; is sparkngin running\?/);
});

Deno.test("M1: check says that a configuration is sound, config what it comes to, and it can be read back", async () => {
  await using home = await makeTempDir();
  const dir = home.path;
  const config = '[http]\nroot = "/sn"\n[[destination]]\nname = "a"\nkind = "file"\nfilter = { topic = "web.*" }\n';
  assert.equal((await runCommand(["check"], { dir, config })).code, 0);
  const shown = await runCommand(["config", "--http-topic", "t"], { dir, env: { SPARKNGIN_LOG__RETAIN: "1h" } });
  assert.equal(shown.code, 0, shown.stderr);
  assert.match(shown.stdout, /^root = "\/sn" +# sparkngin\.toml:2$/m);
  assert.match(shown.stdout, /^topic = "t" +# --http-topic$/m);
  assert.match(shown.stdout, /^retain = "1h" +# SPARKNGIN_LOG__RETAIN$/m);
  const again = await runCommand(["config"], { dir, config: shown.stdout });
  assert.equal(again.code, 0, again.stderr);
  const values = (text: string) => text.replaceAll(/ +#.*$/gm, "");
  assert.equal(values(again.stdout), values(shown.stdout));
});

Deno.test("M1: --version and --help print and exit with 0, and every command has a --help of its own", async () => {
  assert.match((await runCommand(["--version"])).stdout, /^sparkngin \d+\.\d+\.\d+\n$/);
  const help = await runCommand(["--help"]);
  assert.equal(help.code, 0);
  for (const name of ["run", "check", "config", "status", "tail"]) {
    assert.match(help.stdout, new RegExp(`^  ${name}\\b`, "m"));
    const own = await runCommand([name, "--help"]);
    assert.equal(own.code, 0);
    assert.ok(own.stdout.startsWith(`Usage: sparkngin ${name}`), own.stdout);
  }
});

Deno.test("M1: unknown commands, flags and addresses exit with 64", async () => {
  for (const args of [["rnu"], ["run", "--no-such"], ["status", "--url", "ftp://x"], ["tail", "--topic"]]) {
    const { code, stderr } = await runCommand(args);
    assert.equal(code, 64, args.join(" "));
    assert.match(stderr, /^Cannot /);
  }
});

Deno.test("M1: a broken configuration exits with 78 and names every line and key", async () => {
  const config = '[http]\nlisten = "127.0.0.1:0"\nbody_maxx = "1M"\n\n[log]\nretain = 5\n';
  for (const command of ["run", "check", "config"]) {
    const { code, stderr } = await runCommand([command], { config });
    assert.equal(code, 78);
    assert.match(stderr, /sparkngin\.toml: line 3: .*"body_maxx".*body_max/);
    assert.match(stderr, /sparkngin\.toml: line 6: .*retain.* is 5; expected a duration/);
  }
  const broken = await runCommand(["run"], { config: '[http\nlisten = "x"\n' });
  assert.equal(broken.code, 78);
  assert.match(broken.stderr, /line 1/);
  const missing = await runCommand(["run", "--config", "none.toml"]);
  assert.equal(missing.code, 78);
  assert.match(missing.stderr, /Cannot read none\.toml: there is no such file/);
});

Deno.test("M1: an address beyond loopback that nobody said is public exits with 78", async () => {
  const { code, stderr } = await runCommand(["run", "--http-listen", "0.0.0.0:0"]);
  assert.equal(code, 78);
  assert.match(stderr, /write public = true in \[http\]/);
});

Deno.test("M1: a port that another has exits with 71, and tells what to do", async () => {
  await using first = await startNode();
  const flags = { http: ["--http-listen", first.http], management: ["--management-listen", first.management] };
  const other = ["--http-listen", "127.0.0.1:0", "--management-listen", "127.0.0.1:0"];
  for (const [name, taken] of Object.entries(flags)) {
    const { code, stderr } = await runCommand(["run", ...other, ...taken]);
    assert.equal(code, 71, stderr);
    const address = taken[1]!.replaceAll(".", "\\.");
    assert.match(lastSentences(stderr), new RegExp(`^Cannot listen on ${address}.*something else.*${name}\\.listen`));
  }
  await sendOne(first);
});

Deno.test("M1: a directory that cannot be written exits with 73", async () => {
  await using home = await makeTempDir();
  await Deno.writeTextFile(`${home.path}/file`, "");
  for (const data of ["file", "file/below"]) {
    const { code, stderr } = await runCommand(["run", "--data", data], { dir: home.path });
    assert.equal(code, 73, stderr);
    assert.match(lastSentences(stderr), new RegExp(`^Cannot write to directory "${data}"`));
  }
});

Deno.test("P18: a second process on a directory exits with 75, names the holder and changes nothing", async () => {
  await using first = await startNode();
  const second = await runCommand(["run", "--http-listen", "127.0.0.1:0"], { dir: first.dir });
  assert.equal(second.code, 75);
  assert.match(lastSentences(second.stderr), new RegExp(`^Cannot use directory "\\./data": process ${first.pid} on `));
  await sendOne(first);
  await arrived(`${first.dir}/data/out`, "t");
  await first.stop();
  await using third = await startNode({ dir: first.dir });
  assert.deepEqual(errorsIn(third.log()), []);
});

Deno.test("P18: a copied directory starts, and keeps its node id", async () => {
  await using home = await makeTempDir();
  await using first = await startNode({ dir: home.path });
  await sendOne(first);
  await first.stop();
  const node = (await Deno.readTextFile(`${home.path}/data/node`)).slice(0, 16);
  await using copy = await makeTempDir();
  await new Deno.Command("cp", { args: ["-a", `${home.path}/data`, copy.path] }).output();
  await using second = await startNode({ dir: copy.path });
  assert.equal(second.log().find(({ message }) => message === "ready")!.node, node);
  await sendOne(second);
  assert.equal((await arrived(`${copy.path}/data/out`, "t", 2)).length, 2);
});

Deno.test("P18: a directory with another node's segments exits with 65 and is left as it is", async () => {
  await using home = await makeTempDir();
  await using first = await startNode({ dir: home.path });
  await sendOne(first);
  await first.stop();
  await using elsewhere = await makeTempDir();
  await using other = await startNode({ dir: elsewhere.path });
  await other.stop();
  await Deno.copyFile(`${elsewhere.path}/data/node`, `${home.path}/data/node`);
  const before = [...Deno.readDirSync(`${home.path}/data/log`)].map(({ name }) => name).sort();
  const { code, stderr } = await runCommand(["run", "--http-listen", "127.0.0.1:0"], { dir: home.path });
  assert.equal(code, 65, stderr);
  assert.match(lastSentences(stderr), /its head says node [0-9a-f]{16}, the directory says node [0-9a-f]{16}/);
  assert.deepEqual([...Deno.readDirSync(`${home.path}/data/log`)].map(({ name }) => name).sort(), before);
});
