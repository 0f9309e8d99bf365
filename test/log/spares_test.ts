import assert from "node:assert/strict";
import { keepSpares } from "../../src/log/mod.ts";
import { dropBallast, type SparesOptions } from "../../src/log/spares.ts";
import type { Files, OpenFile } from "../../src/os/world.ts";
import { SimWorld } from "../sim/world.ts";
import { bytesOf, filesEnding, logDir, texts, Trial } from "./trial.ts";

const options = { segmentBytes: 3 << 20, ballastBytes: 2 << 20 };

/** A keeper that is at work, and how to stop it. */
function kept(sim: SimWorld, wanted: SparesOptions = options): () => void {
  sim.writeFile(`${logDir}/neighbour`, new Uint8Array(0));
  const stop = new AbortController();
  void keepSpares(sim.boot(), "data", wanted, stop.signal);
  return () => stop.abort();
}
function names(sim: SimWorld): string[] {
  return sim.filesUnder(logDir).map((path) => path.slice(logDir.length + 1).replace(/^[0-9a-f]{16}/, "*")).sort();
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

Deno.test("all steps are written from one piece of zeros", async () => {
  const sim = new SimWorld(1);
  const world = sim.boot();
  const pieces = new Set<ArrayBufferLike>();
  const noting: ProxyHandler<OpenFile> = {
    get(file, name: keyof OpenFile) {
      if (name !== "writeAside") return file[name].bind(file);
      return (at: number, bytes: Uint8Array) => {
        pieces.add(bytes.buffer);
        return file.writeAside(at, bytes);
      };
    },
  };
  const create = (path: string) => new Proxy(world.files.create(path), noting);
  const files: Files = Object.create(world.files, { create: { value: create } });
  sim.writeFile(`${logDir}/neighbour`, new Uint8Array(0));
  void keepSpares({ ...world, files }, "data", options, new AbortController().signal);
  await sim.run(2000);
  assert.deepEqual(names(sim), ["*.spare", "ballast", "neighbour"]);
  assert.equal(pieces.size, 1);
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

Deno.test("no more than 1 MiB is filled each 20 ms, and just as much as was asked for", async () => {
  const sim = new SimWorld(1);
  kept(sim, { segmentBytes: (2 << 20) + 5, ballastBytes: 7 });
  const filled = () =>
    sim.filesUnder(logDir).filter((path) => path.endsWith(".tmp")).map((path) => sim.fileBytes(path).length);
  await sim.run(19);
  assert.deepEqual(filled(), [1 << 20]);
  await sim.run(2);
  assert.deepEqual(filled(), [2 << 20]);
  await sim.run(20);
  assert.deepEqual(filled(), [(2 << 20) + 5]);
  await sim.run(1000);
  const sizes = filesEnding(sim, ".spare").concat(`${logDir}/ballast`).map((path) => sim.fileBytes(path).length);
  assert.deepEqual(sizes, [(2 << 20) + 5, 7]);
  assert.equal(sim.openHandles, 0);
});

Deno.test("what was made once is not made again, and is there after any power cut", async () => {
  for (let seed = 0; seed < 20; seed++) {
    const sim = new SimWorld(seed);
    let created = 0;
    sim.watch = (call) => void (created += call === "create" ? 1 : 0);
    kept(sim);
    await sim.run(5000);
    assert.equal(created, 2);
    sim.cutPower();
    assert.deepEqual(names(sim), ["*.spare", "ballast", "neighbour"]);
  }
});

Deno.test("P12: after a failure the keeper waits before it tries again, whatever it was making", async () => {
  const sim = new SimWorld(1);
  sim.failNth(2, "ENOSPC", { kinds: ["write"] });
  kept(sim);
  await sim.run(400);
  assert.deepEqual(names(sim), ["neighbour"]);
  await sim.run(200);
  sim.failNth(1, "ENOSPC", { kinds: ["write"] });
  await sim.run(1000);
  assert.deepEqual(names(sim), ["*.spare", "ballast", "neighbour"]);
});

Deno.test("P12: a ballast that fails is tried again, and what a crash left of one is no hindrance", async () => {
  const sim = new SimWorld(1);
  sim.writeFile(`${logDir}/ballast.tmp`, new Uint8Array(10));
  sim.failNth(4, "ENOSPC", { kinds: ["write"] });
  kept(sim);
  await sim.run(300);
  assert.deepEqual(names(sim), ["*.spare", "neighbour"]);
  await sim.run(1000);
  assert.deepEqual(names(sim), ["*.spare", "ballast", "neighbour"]);
});

Deno.test("P12: who gives the ballast up is told whether there was one", () => {
  const sim = new SimWorld(1);
  sim.writeFile(`${logDir}/ballast`, new Uint8Array(10));
  assert.deepEqual([dropBallast(sim.files, logDir), dropBallast(sim.files, logDir)], [true, false]);
  assert.deepEqual(sim.filesUnder(logDir), []);
});

Deno.test("a mistake of our own is not taken for a failing disk", async () => {
  const sim = new SimWorld(1);
  sim.writeFile(`${logDir}/neighbour`, new Uint8Array(0));
  sim.watch = () => {
    throw new TypeError("a mistake");
  };
  await assert.rejects(keepSpares(sim.boot(), "data", options, new AbortController().signal), TypeError);
  assert.throws(() => dropBallast(sim.files, logDir), TypeError);
});
