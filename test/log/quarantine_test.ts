import assert from "node:assert/strict";
import { setAside, setFileAside } from "../../src/log/quarantine.ts";
import { SimWorld } from "../sim/world.ts";
import { bytesOf, quarantined } from "./trial.ts";

Deno.test("P9: what is set aside is there after a power cut", () => {
  for (let seed = 0; seed < 30; seed++) {
    const sim = new SimWorld(seed);
    sim.writeFile("data/quarantine/neighbour", new Uint8Array(0));
    setAside(sim.files, "data", "x-4096", bytesOf("bad bytes"));
    sim.cutPower();
    assert.deepEqual(sim.fileBytes("data/quarantine/x-4096.bad"), bytesOf("bad bytes"));
  }
});

Deno.test("what was set aside once is not written again", () => {
  const sim = new SimWorld(1);
  setAside(sim.files, "data", "x", bytesOf("first"));
  setAside(sim.files, "data", "x", bytesOf("second"));
  assert.deepEqual(sim.fileBytes("data/quarantine/x.bad"), bytesOf("first"));
});

Deno.test("a copy that a crash left half made does not pass for the whole", () => {
  for (let seed = 0; seed < 20; seed++) {
    for (let calls = 1; calls < 10; calls++) {
      const sim = new SimWorld(seed);
      sim.writeFile("data/quarantine/neighbour", new Uint8Array(0));
      sim.stopAt(calls);
      setAside(sim.files, "data", "x", bytesOf("bad bytes"));
      sim.cutPower();
      setAside(sim.files, "data", "x", bytesOf("bad bytes"));
      assert.deepEqual(sim.fileBytes("data/quarantine/x.bad"), bytesOf("bad bytes"));
    }
  }
});

Deno.test("a disk that will not take it is no reason to stop", () => {
  for (let n = 1; n < 10; n++) {
    const sim = new SimWorld(1);
    sim.failNth(n, "ENOSPC");
    setAside(sim.files, "data", "x", bytesOf("bad bytes"));
    setFileAside(sim.files, "data", "data/nowhere");
  }
});

Deno.test("P8: what cannot be set aside for want of handles is told, and set aside later", () => {
  const sim = new SimWorld(1);
  sim.writeFile("data/mark", bytesOf("bad bytes"));
  sim.failNth(1, "EMFILE", { kinds: ["create"], persistent: true });
  assert.throws(() => setAside(sim.files, "data", "x", bytesOf("bad bytes")), { code: "EMFILE" });
  assert.throws(() => setFileAside(sim.files, "data", "data/mark"), { code: "EMFILE" });
  assert.deepEqual(quarantined(sim), []);
  sim.heal();
  setAside(sim.files, "data", "x", bytesOf("bad bytes"));
  assert.deepEqual(quarantined(sim), ["x.bad"]);
});

Deno.test("a small file is set aside once for each content it had", () => {
  const sim = new SimWorld(1);
  for (const text of ["one", "two", "one"]) {
    sim.writeFile("data/mark", bytesOf(text));
    setFileAside(sim.files, "data", "data/mark");
  }
  const copies = quarantined(sim);
  assert.equal(copies.length, 2);
  assert.ok(copies.every((name) => /^mark-[0-9a-f]{8}\.bad$/.test(name)));
});
