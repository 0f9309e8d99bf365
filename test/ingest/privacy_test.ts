import assert from "node:assert/strict";
import { type IpForm, openEntry } from "../../src/ingest/privacy.ts";
import type { Message } from "../../src/message/message.ts";
import { type EntryWriter, entryWriter } from "../../src/message/wire.ts";
import { dir, worldWith } from "../access/keys.ts";
import type { SimWorld } from "../sim/world.ts";
import { openNode, textOf } from "./fakes.ts";

const lines = { "content-type": "application/x-ndjson" };

function open(ip: IpForm, world: SimWorld = worldWith()) {
  const reports: string[] = [];
  const parts = { files: world.files, dir, report: (text: string) => reports.push(text) };
  return { ...openNode({ ip, trusted_proxies: ["10.0.0.1"] }, [], { entry: openEntry(ip, parts) }), reports };
}

/** The addresses of a message from each kind of sender, and of claims in a query, in an object and in a batch. */
async function addresses(ip: IpForm): Promise<(readonly (string | undefined)[])[]> {
  const { log, ask } = open(ip);
  await ask("/log?topic=t", { peer: "::ffff:192.0.2.77" });
  await ask("/log?topic=t", { peer: "2001:db8:1:2:3::4" });
  await ask("/log?topic=t", { peer: "10.0.0.1", headers: { "x-forwarded-for": "203.0.113.9" } });
  await ask("/log?topic=t&ip=198.51.100.7");
  await ask("/log?topic=t&ip=2001%3Adb8%3A9%3A%3A1");
  await ask("/log?topic=t", { body: '{"ip":"198.51.100.8","data":1}' });
  await ask("/log?topic=t", { body: '{"ip":"198.51.100\\u002e9","data":1}\n{"data":2}', headers: lines });
  await ask("/log?topic=t&ip=4711%20some%20name");
  return log.messages.map(({ ip, peerIp }) => [ip, peerIp]);
}

Deno.test("M1.3 addresses are kept in full unless told otherwise, by the one writer for all", async () => {
  const kept = await addresses("full");
  assert.deepEqual(kept[0], ["192.0.2.77", "192.0.2.77"]);
  assert.deepEqual(kept.slice(6, 8), [["198.51.100.9", "192.0.2.7"], ["192.0.2.7", "192.0.2.7"]]);
  assert.equal(openEntry("full", { files: worldWith().files, dir, report() {} }), entryWriter);
});

Deno.test("M1.3 truncated: /24 and /48 of what we saw, what a proxy forwarded and what was claimed", async () => {
  assert.deepEqual(await addresses("truncated"), [
    ["192.0.2.0", "192.0.2.0"],
    ["2001:db8:1::", "2001:db8:1::"],
    ["203.0.113.0", "203.0.113.0"],
    ["198.51.100.0", "192.0.2.0"],
    ["2001:db8:9::", "192.0.2.0"],
    ["198.51.100.0", "192.0.2.0"],
    ["198.51.100.0", "192.0.2.0"],
    ["192.0.2.0", "192.0.2.0"],
    [undefined, "192.0.2.0"],
  ]);
});

Deno.test("M1.3 all other fields are kept as they are", async () => {
  const { log, ask } = open("truncated");
  const headers = { "user-agent": "curl/8", "referer": "http://a/" };
  await ask("/log?topic=t&level=info&env=prod&key=192.0.2.7&a=192.0.2.7", { headers });
  const [{ topic, level, env, key, userAgent, referrer, data }] = log.messages as [Message];
  assert.deepEqual([topic, level, env, key, userAgent, referrer], [
    "t",
    "info",
    "prod",
    "192.0.2.7",
    "curl/8",
    "http://a/",
  ]);
  assert.equal(textOf(data), '{"a":"192.0.2.7"}');
});

Deno.test("M1.3 none: nothing of any address is kept", async () => {
  assert.deepEqual(await addresses("none"), Array(9).fill([undefined, undefined]));
});

Deno.test("M1.3 hashed: one address has one hash however it is written, another has another", async () => {
  const kept = await addresses("hashed");
  for (const address of kept.flat()) assert.match(address!, /^[0-9a-f]{32}$/);
  assert.equal(new Set(kept.flat()).size, 9);
  const { log, ask } = open("hashed");
  for (const ip of ["2001:db8::1", "2001:DB8:0::1", "192.0.2.7", "::ffff:192.0.2.7"]) {
    await ask(`/log?topic=t&ip=${encodeURIComponent(ip)}`);
  }
  const [a, b, c, d] = log.messages.map(({ ip }) => ip);
  assert.deepEqual([a === b, c === d, a === c, c === log.messages[0]!.peerIp], [true, true, false, true]);
});

Deno.test("M1.3 hashed: the key lasts a day and over restarts, and is then another", () => {
  const world = worldWith();
  const noon = Date.UTC(2026, 2, 1, 12);
  const start = () => openEntry("hashed", { files: world.files, dir, report: (text) => assert.fail(text) });
  const hash = (time: number, entry: EntryWriter = start()) => {
    entry.begin({ timestamp: time });
    entry.fields({ ip: "192.0.2.7" });
    entry.open();
    entry.shut();
    return new TextDecoder("latin1").decode(entry.bytes()).match(/[0-9a-f]{32}/)![0];
  };
  const first = hash(noon);
  assert.equal(hash(noon + 11 * 3_600_000), first);
  const key = new TextDecoder().decode(world.fileBytes(`${dir}/ip_key`));
  assert.notEqual(hash(noon + 13 * 3_600_000), first);
  assert.notEqual(new TextDecoder().decode(world.fileBytes(`${dir}/ip_key`)), key);
  assert.notEqual(hash(noon), first);
  const running = start();
  const [today, later, tomorrow] = [0, 11, 13].map((hours) => hash(noon + hours * 3_600_000, running));
  assert.deepEqual([today === later, later === tomorrow], [true, false]);
});

Deno.test("M1.3 hashed: a key that cannot be kept serves all the same, and it is said", async () => {
  const world = worldWith();
  world.failNth(1, "ENOSPC", { kinds: ["create"], persistent: true });
  const { log, ask, reports } = open("hashed", world);
  for (let i = 0; i < 3; i++) assert.equal((await ask("/log?topic=t")).status, 204);
  assert.equal(new Set(log.messages.map(({ ip }) => ip)).size, 1);
  assert.equal(reports.length, 1);
  assert.match(reports[0]!, /^Cannot keep the key that addresses are hashed with; a restart will make another: /);
});
