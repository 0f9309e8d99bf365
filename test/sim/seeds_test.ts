/** A few lives of the simulated node at every test run, and what longer runs have found. */
import assert from "node:assert/strict";
import { openCursor, type Position } from "../../src/log/mod.ts";
import { runSeed } from "./seed.ts";
import { SimWorld } from "./world.ts";

for (const from of [0, 1000, 2000]) {
  Deno.test(`P1–P9 P15 hold over 50 seeds from ${from}`, async () => {
    for (let seed = from; seed < from + 50; seed++) {
      const { violations } = await runSeed(seed);
      assert.deepEqual(violations, [], `deno task sim ${seed}`);
    }
  });
}

Deno.test("the same seed is the same story", async () => {
  assert.deepEqual(await runSeed(77), await runSeed(77));
});

Deno.test("P13 a cursor read from the cache is made durable before anything goes by it", () => {
  const sim = new SimWorld(1);
  const places = { fresh: 0 as Position, lost: 0 as Position };
  const open = () => openCursor(sim.boot(), "data", "one", "9f3c01aa27de4410", places);
  sim.files.makeDir("data/cursors");
  for (const dir of ["", "data"]) sim.files.syncDir(dir);

  const first = open();
  first.advance(5 as Position, { taken: 5 });
  sim.failNth(1, "EIO", { kinds: ["sync"] });
  assert.throws(() => first.sync(), { code: "EIO" });
  sim.killProcess();

  const second = open();
  assert.equal(second.durable, 5, "it stands in the cache");
  sim.cutPower();
  assert.equal(open().position, 5, "and since it was opened, on the disk");
});
