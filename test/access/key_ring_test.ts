import assert from "node:assert/strict";
import { storeKeys } from "../../src/access/key_file.ts";
import { KeyRing } from "../../src/access/key_ring.ts";
import { dir, make, worldWith } from "./keys.ts";

function open(world = worldWith()) {
  const reports: string[] = [];
  const stop = new AbortController();
  const ring = new KeyRing({ world, dir, report: (text) => reports.push(text) });
  void ring.keepUp(stop.signal);
  return { world, reports, ring, stop };
}

Deno.test("M1.10 a new key is known, and a revoked one refused, within a second and without a restart", async () => {
  const [first, second] = [make(), make()];
  const { world, ring, reports } = open(worldWith(first.key));
  const known = () => [first, second].map(({ shown }) => ring.find(shown)?.id);
  assert.deepEqual(known(), [first.key.id, undefined]);
  storeKeys(world.files, dir, [first.key, second.key]);
  await world.run(1001);
  assert.deepEqual(known(), [first.key.id, second.key.id]);
  storeKeys(world.files, dir, [second.key]);
  await world.run(1001);
  assert.deepEqual(known(), [undefined, second.key.id]);
  world.files.remove(`${dir}/keys`);
  await world.run(1001);
  assert.deepEqual([known(), ring.size, reports], [[undefined, undefined], 0, []]);
});

Deno.test("M1.10 keys that were good stay good when the file cannot be read, which is said once", async () => {
  const { key, shown } = make();
  const { world, ring, reports } = open(worldWith(key));
  world.failNth(1, "EIO", { kinds: ["open"], persistent: true });
  await world.run(5000);
  assert.equal(ring.find(shown)?.id, key.id);
  assert.equal(reports.length, 1);
  assert.match(reports[0]!, /^Cannot read the keys: .*; the keys read before stay in force$/);
  world.heal();
  await world.run(1001);
  world.failNth(1, "EIO", { kinds: ["open"] });
  await world.run(1001);
  assert.equal(reports.length, 2);
  storeKeys(world.files, dir, []);
  await world.run(1001);
  assert.equal(ring.find(shown), undefined);
});

Deno.test("M1.10 when the file could never be read nobody knows, and that is no refusal for good", async () => {
  const { key, shown } = make();
  const world = worldWith(key);
  world.truncateFile(`${dir}/keys`, 50);
  const { ring, reports } = open(world);
  assert.deepEqual([ring.known, ring.find(shown)], [false, undefined]);
  assert.match(reports[0]!, /^Cannot read the keys: the file "keys" in the data directory is damaged/);
  storeKeys(world.files, dir, [key]);
  await world.run(1001);
  assert.deepEqual([ring.known, ring.find(shown)?.id], [true, key.id]);
});
