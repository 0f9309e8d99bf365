import assert from "node:assert/strict";
import { crc32 } from "node:zlib";
import { KeysDamaged, loadKeys, parseKeys, renderKeys, storeKeys } from "../../src/access/key_file.ts";
import { realWorld } from "../../src/os/deno.ts";
import { dir, make, worldWith } from "./keys.ts";

const some = () => [
  make({ name: "shop", scopes: ["write:a", "read"], rate: "5/s", quota: "9/day", ack: ["delivered"] }).key,
  make({ name: "page", scopes: ["write:web.*"], pixel: true }).key,
];

Deno.test("M1.10 keys come back as they were stored", () => {
  const keys = some();
  assert.deepEqual(loadKeys(worldWith(...keys).files, dir), keys);
  assert.deepEqual(parseKeys(renderKeys([])), []);
  assert.deepEqual(parseKeys(undefined), []);
});

Deno.test("M1.10 a damaged file opens no door: every flipped bit and every cut is found", () => {
  const bytes = renderKeys(some());
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = bytes.slice();
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    assert.throws(() => parseKeys(flipped), KeysDamaged, `bit ${bit}`);
  }
  for (let length = 0; length < bytes.length; length++) {
    assert.throws(() => parseKeys(bytes.subarray(0, length)), KeysDamaged, `${length} bytes`);
  }
});

Deno.test("M1.10 what is no key, or another format, is refused although its checksum fits", () => {
  const [key] = some();
  const bad = [
    { ...key!, digest: key!.digest!.slice(1) },
    { ...key!, digest: undefined },
    { ...key!, id: "000000000000 " },
    { ...key!, scopes: ["wriet"] },
    { ...key!, created: 1.5 },
    { ...key!, rate: 0 },
    { ...key!, quota: -1 },
  ];
  for (const one of bad) assert.throws(() => parseKeys(renderKeys([one])), KeysDamaged, JSON.stringify(one));
  const body = "sparkngin keys 2\n";
  const sum = crc32(body).toString(16).padStart(8, "0");
  assert.throws(() => parseKeys(new TextEncoder().encode(`${body}${sum}\n`)), /does not begin with "sparkngin keys 1"/);
});

Deno.test("M1.10 a power cut leaves the old keys or the new", () => {
  for (let calls = 1; calls < 30; calls++) {
    const [first, second] = some();
    const world = worldWith(first!);
    world.stopAt(calls);
    try {
      storeKeys(world.files, dir, [first!, second!]);
    } catch {
      // It was stopped.
    }
    world.cutPower();
    const ids = loadKeys(world.files, dir).map(({ id }) => id);
    assert.ok(ids.length === 1 || ids.length === 2, `${ids}`);
    assert.equal(ids[0], first!.id);
  }
});

Deno.test({
  name: "M1.10 what root stores belongs to whom the directory belongs, who runs the node",
  ignore: Deno.uid() !== 0,
  async fn() {
    const home = await Deno.makeTempDir();
    try {
      await Deno.chown(home, 12_345, 23_456);
      storeKeys(realWorld().files, home, some());
      const { uid, gid, mode } = await Deno.stat(`${home}/keys`);
      assert.deepEqual([uid, gid, mode! & 0o777], [12_345, 23_456, 0o600]);
    } finally {
      await Deno.remove(home, { recursive: true });
    }
  },
});

Deno.test("M1.10 the file is for its owner alone", async () => {
  const home = await Deno.makeTempDir();
  try {
    storeKeys(realWorld().files, home, some());
    storeKeys(realWorld().files, home, []);
    assert.equal((await Deno.stat(`${home}/keys`)).mode! & 0o777, 0o600);
  } finally {
    await Deno.remove(home, { recursive: true });
  }
});
