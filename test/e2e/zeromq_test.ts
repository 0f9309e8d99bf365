/** The program against libzmq: messages in by PULL, ROUTER and SUB, out by PUB and PUSH, and what goes wrong on the way. */
import assert from "node:assert/strict";
import { commandOf } from "../../src/zmtp/command.ts";
import { messageOf } from "../../src/zmtp/frame.ts";
import { bodyOf, type Make, makeOf, missing, names, Peer } from "../services/zeromq.ts";
import { brokenHandshakes, bytesOf, hello, hostileFrames, joined } from "../zmtp/dialogue.ts";
import { makeTempDir, type Node, startNode } from "./node.ts";
import { arrived, readOutput } from "./output.ts";
import { eventually, pause } from "./waiting.ts";

function fact(name: string, run: (make: Make) => Promise<void>): void {
  for (const peer of names) {
    const lacks = missing(peer);
    Deno.test({
      name: `${name}: ${peer}${lacks}`,
      ignore: lacks !== "",
      fn: async () => await run(await makeOf(peer)),
    });
  }
}

/** Where the node listens over ZeroMQ, in the order of its configuration. */
function addressesOf(node: Node): string[] {
  const line = node.log().find(({ message }) => message === "ready")!;
  return String(line.zeromq).split(" ").map((text) => text.startsWith("ipc") ? text : `tcp://${text}`);
}

/** Where a destination is to be found, once it says so. */
async function addressOf(node: Node, destination: string): Promise<string> {
  return await eventually(`the address of ${destination}`, () => {
    const line = node.log().find((line) => line.destination === destination && /find it at/.test(line.message));
    return line && `tcp://${/find it at (\S+)$/.exec(line.message)![1]}`;
  });
}

async function status(node: Node): Promise<any> {
  return await (await fetch(`http://${node.management}/status`)).json();
}

async function post(node: Node, lines: readonly string[]): Promise<void> {
  const headers = { "content-type": "application/x-ndjson" };
  const { status } = await fetch(`http://${node.http}/log`, { method: "POST", headers, body: lines.join("\n") });
  assert.equal(status, 204);
}

const bodies = (count: number, size = 0, run = 0) => Array.from({ length: count }, (_, i) => bodyOf(run, i, size));
const data = (body: string) => JSON.stringify(JSON.parse(body).data);

fact("M2.4 what comes by PULL, ROUTER and SUB is in the files, and ROUTER says so", async (make) => {
  const config = ["pull", "router", "sub"].map((socket) =>
    `[[zeromq]]\nsocket = "${socket}"\nlisten = ["127.0.0.1:0"]\n`
  ).join("");
  await using node = await startNode({ config });
  const [pull, router, sub] = addressesOf(node) as [string, string, string];
  const peers = [
    new Peer(make, "push", ["connect", pull], { count: 2000, size: 150 }),
    new Peer(make, "dealer", ["connect", router], { count: 2000, size: 150 }),
    new Peer(make, "req", ["connect", router], { count: 50 }),
    new Peer(make, "pub", ["connect", sub], { count: 500 }),
  ] as const;
  const answers = await Promise.all(peers.map((peer) => peer.end()));
  const all = await arrived(`${node.dir}/data/out`, "t", 4550);
  assert.equal(all.length, 4550);
  const ids = new Set(all.map(({ id }) => id));
  const acked = [...answers[1]!, ...answers[2]!].map((line) => JSON.parse(line).ids as string[]);
  assert.deepEqual([acked.length, acked.every(([id]) => ids.has(id!))], [2050, true]);
  const { zeromq } = await status(node);
  assert.deepEqual([zeromq.accepted, zeromq.dropped], [4550, 0]);
});

fact("M2.1 M2.2 PUB gives a late subscriber what waited and then what comes; PUSH gives everything", async (make) => {
  const config = ["pub", "push"].map((socket) =>
    `[[destination]]\nname = "${socket}"\nkind = "zeromq"\nsocket = "${socket}"\nformat = "raw"\nlisten = ["127.0.0.1:0"]\n`
  ).join("");
  await using node = await startNode({ config });
  await post(node, bodies(300, 100));
  const [sub, pull] = [
    new Peer(make, "sub", ["connect", await addressOf(node, "pub")], { count: 600 }),
    new Peer(make, "pull", ["connect", await addressOf(node, "push")], { count: 600 }),
  ];
  await eventually(
    "the first half",
    async () => (await status(node)).destinations.every((one: any) => one.taken === 300),
  );
  await post(node, bodies(300, 100, 1));
  const expected = [...bodies(300, 100), ...bodies(300, 100, 1)].map(data);
  assert.deepEqual(await sub.end(), expected);
  assert.deepEqual(await pull.end(), expected);
  await eventually("the counts", async () => (await status(node)).destinations.every((one: any) => one.taken === 600));
  const shown = (await status(node)).destinations.map((one: any) => [one.name, one.required]);
  assert.deepEqual(shown, [["pub", false], ["push", true]]);
});

fact("P2 kill -9 under a DEALER's load: every message that was acknowledged is there", async (make) => {
  await using dir = await makeTempDir();
  const config = `[[zeromq]]\nsocket = "router"\nlisten = ["127.0.0.1:0"]\n`;
  let acked: string[] = [];
  {
    await using node = await startNode({ config, dir: dir.path });
    await using peer = new Peer(make, "dealer", ["connect", addressesOf(node)[0]!], { count: 200_000, size: 150 });
    await eventually("some acknowledgements", () => peer.lines.length > 3000);
    node.kill("SIGKILL");
    await node.exited;
    await peer.kill();
    // The last line may be half.
    acked = peer.lines.flatMap((line) => line.endsWith("}") ? JSON.parse(line).ids as string[] : []);
  }
  await using node = await startNode({ config, dir: dir.path });
  const end = (await status(node)).log.end;
  await eventually("the files to have all", async () => (await readOutput(`${dir.path}/data/out`, "t")).length >= end);
  const ids = new Set((await readOutput(`${dir.path}/data/out`, "t")).map(({ id }) => id));
  assert.ok(acked.length > 3000);
  assert.deepEqual(acked.filter((id) => !ids.has(id)), []);
});

fact("P14 a worker that was killed finds everything when it is back; so does a sender when we are", async (make) => {
  await using dir = await makeTempDir();
  const ports = { in: await freePort(), out: await freePort() };
  const config = `[[zeromq]]\nlisten = ["127.0.0.1:${ports.in}"]\n` +
    `[[destination]]\nname = "push"\nkind = "zeromq"\nsocket = "push"\nformat = "raw"\nlisten = ["127.0.0.1:${ports.out}"]\n`;
  const out = `tcp://127.0.0.1:${ports.out}`;
  let node = await startNode({ config, dir: dir.path });
  try {
    await using first = new Peer(make, "pull", ["connect", out], { count: 1e9 });
    await first.address;
    await post(node, bodies(100));
    await eventually("the first hundred", async () => (await status(node)).destinations[0].taken === 100);
    await first.kill();
    await untilAlone(node);
    await post(node, bodies(100, 0, 1));
    await using second = new Peer(make, "pull", ["connect", out], { count: 201 });
    await eventually("the second hundred", async () => (await status(node)).destinations[0].pending === 0);
    assert.equal(await node.stop(), 0);
    node = await startNode({ config, dir: dir.path });
    await using sender = new Peer(make, "push", ["connect", `tcp://127.0.0.1:${ports.in}`], { count: 100 });
    await sender.end();
    const expected = [bodyOf(9, 0), ...bodies(100, 0, 1), ...bodies(100)].map(data);
    assert.deepEqual(await second.end(), expected);
  } finally {
    await node[Symbol.asyncDispose]();
  }
});

/** A worker that has just died may still be handed something: until a message waits, because nobody is there. */
async function untilAlone(node: Node): Promise<void> {
  await eventually("a message that waits", async () => {
    const [{ state, pending }] = (await status(node)).destinations;
    if (pending === 0) await post(node, [bodyOf(9, 0)]);
    return state === "waiting" && pending === 1;
  });
}

/** One that was free a moment ago: for what has to stay the same while a node is away. */
async function freePort(): Promise<number> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return await Promise.resolve(port);
}

Deno.test("M2.1 without configuration messages are published at 127.0.0.1:7000, or a warning says who has the port", async () => {
  await using first = await startNode();
  await using second = await startNode();
  const saysWhere = (node: Node) => node.log().find(({ destination }) => destination === "pub")?.message;
  const both = [await eventually("one", () => saysWhere(first)), await eventually("two", () => saysWhere(second))];
  // Somebody else on this machine may have had it before.
  assert.match(
    both[0]!,
    /^(peers find it at 127\.0\.0\.1:7000$|Cannot listen on 127\.0\.0\.1:7000: something else listens)/,
  );
  assert.match(both[1]!, /^Cannot listen on 127\.0\.0\.1:7000: something else listens there; it is tried again: /);
  for (const node of [first, second]) {
    await post(node, bodies(3));
    await arrived(`${node.dir}/data/out`, "t", 3);
    assert.equal((await fetch(`http://${node.http}/readyz`)).status, 200);
    const { destinations } = await status(node);
    assert.deepEqual(destinations.map((one: any) => [one.name, one.required]), [["out", true], ["pub", false]]);
  }
  const pub = await eventually("a publisher that waits", async () => {
    const [, pub] = (await status(second)).destinations;
    return pub.state === "waiting" && pub;
  });
  assert.deepEqual([pub.pending, pub.last_error, pub.conserved], [3, both[1], true]);
});

Deno.test("M2.2 while nobody subscribes the newest wait, the oldest are overwritten, and the counts add up", async () => {
  const config = `[[destination]]\nname = "pub"\nkind = "zeromq"\nlisten = ["127.0.0.1:0"]\nbuf_size = "100kB"\n`;
  await using node = await startNode({ config });
  for (let i = 0; i < 10; i++) await post(node, bodies(400, 100, i));
  const pub = await eventually("overwritten messages", async () => {
    const [pub] = (await status(node)).destinations;
    return pub.overwritten > 0 && pub.pending < 1500 && pub;
  });
  assert.deepEqual([pub.position, pub.taken, pub.conserved, pub.state], [pub.overwritten, 0, true, "unattended"]);
  assert.deepEqual([pub.last_error, pub.lag_s], ["", 0]);
  assert.match(pub.remark, /^nobody subscribes: .*nothing is wrong$/);
  assert.equal(pub.position + pub.pending, 4000);
  assert.ok(pub.pending > 0, `${pub.pending}`);
  assert.ok(!node.log().some(({ level }) => level !== "info"), node.stderr());
});

Deno.test("M2.1 a busy port warns, and everything else goes on; when it is free it is taken", async () => {
  const busy = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const address = `127.0.0.1:${busy.addr.port}`;
  const config = `[[destination]]\nname = "out"\nkind = "file"\n` +
    `[[destination]]\nname = "pub"\nkind = "zeromq"\nlisten = ["${address}"]\n`;
  try {
    await using node = await startNode({ config });
    await post(node, bodies(1));
    await arrived(`${node.dir}/data/out`, "t", 1);
    const said = `Cannot listen on ${address}: something else listens there; it is tried again: end that, ` +
      'or write a [[destination]] with another "listen"';
    await eventually(
      "the warning",
      () => node.log().some(({ level, message }) => level === "warning" && message === said),
    );
    busy.close();
    assert.equal(await addressOf(node, "pub"), `tcp://${address}`);
  } finally {
    try {
      busy.close();
    } catch {
      // Closed above.
    }
  }
});

Deno.test("hostile ZMTP is closed and counted, others are undisturbed, memory stays flat", async () => {
  const config =
    ["pull", "router"].map((socket) => `[[zeromq]]\nsocket = "${socket}"\nlisten = ["127.0.0.1:0"]\n`).join("") +
    `[[destination]]\nname = "pub"\nkind = "zeromq"\nlisten = ["127.0.0.1:0"]\n` +
    `[[destination]]\nname = "out"\nkind = "file"\n`;
  await using node = await startNode({ config });
  const [pull, router] = addressesOf(node).map(portOf) as [number, number];
  const pub = portOf(await addressOf(node, "pub"));
  using good = await dial(pull);
  await write(good, hello("PUSH"), messageOf([bytesOf(bodyOf(0, 0))]));
  await arrived(`${node.dir}/data/out`, "t", 1);
  const before = residentBytes(node);
  for (let round = 0; round < 10; round++) {
    const attacks = [[pull, "PUSH"], [router, "DEALER"], [pub, "SUB"]].flatMap(([port, type]) =>
      [...brokenHandshakes(), ...hostileFrames().map((bytes) => joined(hello(String(type)), bytes))]
        .map((bytes) => attack(Number(port), bytes))
    );
    await Promise.all([...attacks, attack(pub, endlessSubscriptions())]);
  }
  await write(good, messageOf([bytesOf(bodyOf(0, 1))]));
  await arrived(`${node.dir}/data/out`, "t", 2);
  const { closed, connections } = (await status(node)).zeromq;
  // On a machine that has no time for it, a handshake is over before what is wrong with it was read.
  assert.deepEqual([closed.protocol + closed.too_slow, closed.too_large, connections], [2 * 10 * 6, 2 * 10 * 3, 1]);
  const grown = residentBytes(node) - before;
  assert.ok(grown < 128 * 1024 * 1024, `${grown} bytes more`);
});

function endlessSubscriptions(): Uint8Array {
  return joined(
    hello("SUB"),
    ...Array.from({ length: 20_000 }, (_, i) => commandOf("SUBSCRIBE", bytesOf(`topic ${i}`))),
  );
}

/** Sends, and waits until the other side ends it. */
async function attack(port: number, bytes: Uint8Array): Promise<void> {
  using conn = await dial(port);
  await write(conn, bytes).catch(() => {});
  const buffer = new Uint8Array(4096);
  const ended = (async () => {
    while ((await conn.read(buffer).catch(() => null)) !== null);
    return true;
  })();
  await Promise.race([ended, pause(30_000).then(() => assert.fail("it is still open"))]);
}

async function dial(port: number): Promise<Deno.TcpConn> {
  return await Deno.connect({ hostname: "127.0.0.1", port });
}

async function write(conn: Deno.Conn, ...pieces: Uint8Array[]): Promise<void> {
  const bytes = joined(...pieces);
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
}

function portOf(address: string): number {
  return Number(address.split(":").at(-1));
}

function residentBytes({ pid }: Node): number {
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`));
  return Number(match![1]) * 1024;
}
