import assert from "node:assert/strict";
import { makeDurableDir } from "../../src/os/world.ts";
import { problem } from "../sim/disk.ts";
import { SimWorld } from "../sim/world.ts";

/** From now on the directory may be entered and not read. */
function closeTo(sim: SimWorld, dir: string): void {
  sim.watch = (call, path) => {
    if (["syncDir", "list"].includes(call) && path === dir) throw problem("EACCES", `${call} ${path}`);
  };
}

Deno.test("P1: a directory that was made durable is there after a power cut, with all its parents", () => {
  for (let seed = 0; seed < 40; seed++) {
    const sim = new SimWorld(seed);
    makeDurableDir(sim.files, "/var/lib/sparkngin");
    sim.cutPower();
    assert.ok(sim.files.exists("/var/lib/sparkngin"), `seed ${seed}`);
  }
});

Deno.test("P1: a directory that an earlier run made and did not sync is durable afterwards", () => {
  for (let seed = 0; seed < 40; seed++) {
    const sim = new SimWorld(seed);
    sim.files.makeDir("/var/lib/sparkngin");
    makeDurableDir(sim.files, "/var/lib/sparkngin");
    sim.cutPower();
    assert.ok(sim.files.exists("/var/lib/sparkngin"), `seed ${seed}`);
  }
});

Deno.test("a parent that may be entered and not read is no obstacle to what stands in it", () => {
  for (let seed = 0; seed < 40; seed++) {
    const sim = new SimWorld(seed);
    sim.files.makeDir("/srv/closed/data");
    for (const dir of ["/", "/srv", "/srv/closed"]) sim.files.syncDir(dir);
    closeTo(sim, "/srv/closed");
    makeDurableDir(sim.files, "/srv/closed/data/log");
    sim.cutPower();
    assert.ok(sim.files.exists("/srv/closed/data/log"), `seed ${seed}`);
  }
});

Deno.test("P1: nothing is made in a directory that cannot be synced", () => {
  const sim = new SimWorld(1);
  sim.files.makeDir("/srv/closed");
  closeTo(sim, "/srv/closed");
  assert.throws(() => makeDurableDir(sim.files, "/srv/closed/data"), { code: "EACCES" });
  assert.equal(sim.files.exists("/srv/closed/data"), false);
});

Deno.test("a disk that fails to sync a parent is told, whoever made what stands in it", () => {
  const sim = new SimWorld(1);
  sim.files.makeDir("/srv/data");
  sim.failNth(1, "EIO", { kinds: ["syncDir"] });
  assert.throws(() => makeDurableDir(sim.files, "/srv/data"), { code: "EIO" });
});
