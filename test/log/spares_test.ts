import assert from "node:assert/strict";
import { keepSpares } from "../../src/log/mod.ts";
import { SimWorld } from "../sim/world.ts";
import { bytesOf, filesEnding, logDir, texts, Trial } from "./trial.ts";

const options = { segmentBytes: 3 << 20, ballastBytes: 2 << 20 };

/** A keeper that is at work, and how to stop it. */
function kept(sim: SimWorld): () => void {
  sim.writeFile(`${logDir}/neighbour`, new Uint8Array(0));
  const stop = new AbortController();
  void keepSpares(sim.boot(), "data", options, stop.signal);
  return () => stop.abort();
}
function names(sim: SimWorld): string[] {
  return sim.filesUnder(logDir).map((path) => path.slice(logDir.length + 1).replace(/^[0-9a-f]{16}/, "*"));
}

Deno.test("a spare and the ballast are made ahead of need, whole and durable", async () => {
  const sim = new SimWorld(1);
  kept(sim);
  await sim.run(2000);
  assert.deepEqual(names(sim), ["*.spare", "ballast", "neighbour"]);
  sim.cutPower();
  const sizes = filesEnding(sim, ".spare").concat(`${logDir}/ballast`).map((path) => sim.fileBytes(path).length);
  assert.deepEqual(sizes, [options.segmentBytes, options.ballastBytes]);
});

Deno.test("a spare that was taken is made again, and no more than one", async () => {
  const sim = new SimWorld(1);
  kept(sim);
  await sim.run(2000);
  sim.files.remove(filesEnding(sim, ".spare")[0]!);
  await sim.run(2000);
  assert.equal(filesEnding(sim, ".spare").length, 1);
});

Deno.test("filling leaves the disk to others between its steps", async () => {
  const sim = new SimWorld(1);
  let writes = 0;
  sim.watch = (call) => void (writes += call === "write" ? 1 : 0);
  kept(sim);
  await sim.run(19);
  assert.equal(writes, 1);
  await sim.run(20);
  assert.equal(writes, 2);
});

Deno.test("where there is little room nothing is made ahead of need", async () => {
  const sim = new SimWorld(1);
  sim.capacity = 17 * options.segmentBytes;
  kept(sim);
  await sim.run(5000);
  assert.deepEqual(names(sim), ["ballast", "neighbour"]);
});

Deno.test("P12: a spare that could not be finished is taken away again, whatever the reason", async () => {
  for (const code of ["ENOSPC", "EIO"]) {
    const sim = new SimWorld(1);
    sim.failNth(2, code, { kinds: ["write"], persistent: true });
    kept(sim);
    await sim.run(10_000);
    assert.deepEqual(names(sim), ["neighbour"], code);
    sim.heal();
    await sim.run(2000);
    assert.deepEqual(names(sim), ["*.spare", "ballast", "neighbour"], code);
  }
});

Deno.test("a keeper that is stopped leaves nothing half made", async () => {
  const sim = new SimWorld(1);
  const stop = kept(sim);
  await sim.run(25);
  assert.deepEqual(names(sim), ["*.spare.tmp", "neighbour"]);
  stop();
  await sim.run(10);
  assert.deepEqual(names(sim), ["neighbour"]);
});

Deno.test("the log rolls into a spare, and gives the ballast up when the disk is full", async () => {
  const sim = new SimWorld(1);
  kept(sim);
  await sim.run(2000);
  const [spare] = filesEnding(sim, ".spare");
  const trial = new Trial(sim, { segmentBytes: options.segmentBytes });
  await trial.append("a");
  assert.ok(!sim.files.exists(spare!));
  sim.failNth(1, "ENOSPC", { kinds: ["write"] });
  trial.writer.append(bytesOf("b"), 1);
  await assert.rejects(sim.run(trial.writer.durable()));
  assert.ok(!sim.files.exists(`${logDir}/ballast`));
  await sim.run(1000);
  await trial.append("c");
  assert.deepEqual(texts(trial.read()), ["a", "c"]);
});
