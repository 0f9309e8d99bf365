import assert from "node:assert/strict";
import { stat } from "../../src/log/mod.ts";
import { readOnly } from "../../src/os/read_only.ts";
import { SimWorld } from "../sim/world.ts";
import { filled, segmentsOf } from "./filled.ts";

Deno.test("M3.5 stat counts segments, commits, messages and what each destination has pending", async () => {
  const sim = new SimWorld(1);
  const begin = sim.clock.now();
  await filled(sim, { commits: [2, 2, 2, 2], bytes: 9000, cursors: { bus: 5 } });
  sim.writeFile("data/quarantine/x.bad", new Uint8Array(10));
  const { segments, destinations, node, ...rest } = stat(readOnly(sim).files, "data");
  assert.match(node!, /^[0-9a-f]{16}$/);
  assert.deepEqual(
    segments.map(({ name: _, bytes: __, ...segment }) => segment),
    [
      { base: 0, end: 6, commits: 3, messages: 6, epoch: 1, from: begin, to: begin + 2000 },
      { base: 6, end: 8, commits: 1, messages: 2, epoch: 1, from: begin + 3000, to: begin + 3000 },
    ],
  );
  assert.deepEqual(rest, {
    format: 1,
    epoch: 1,
    holder: undefined,
    start: 0,
    end: 8,
    durable: 8,
    bytes: segmentsOf(sim).reduce((sum, path) => sum + sim.fileBytes(path).length, 0),
    commits: 4,
    messages: 8,
    dead: [],
    quarantine: { files: 1, bytes: 10 },
  });
  const { name, readable, position, pending, generation, start, paused, taken, damaged } = destinations[0]!;
  assert.deepEqual({ name, readable, position, pending, generation, start, paused, taken, damaged }, {
    name: "bus",
    readable: true,
    position: 5,
    pending: 3,
    generation: 1,
    start: 0,
    paused: false,
    taken: 5,
    damaged: 0,
  });
});

Deno.test("stat of a damaged directory counts what is there, and says which cursor is unreadable", async () => {
  const sim = new SimWorld(1);
  await filled(sim, { commits: [2, 2, 2, 2], bytes: 9000, cursors: { bus: 5 } });
  sim.flipByte(segmentsOf(sim)[0]!, 4096 + 20);
  sim.truncateFile("data/cursors/bus", 10);
  sim.files.remove("data/mark");
  const { segments, destinations, durable } = stat(readOnly(sim).files, "data");
  assert.deepEqual(segments.map(({ commits, end }) => [commits, end]), [[2, 6], [1, 8]]);
  assert.deepEqual(destinations, [{ name: "bus", readable: false }]);
  assert.equal(durable, undefined);
});

Deno.test("stat counts no commit that was begun and not finished", async () => {
  const sim = new SimWorld(1);
  await filled(sim, { commits: [2, 2], cursors: {}, stepMs: 0, killed: true });
  const [path] = segmentsOf(sim);
  sim.flipByte(path!, sim.fileBytes(path!).findLastIndex((byte) => byte !== 0));
  const { commits, messages, end } = stat(readOnly(sim).files, "data");
  assert.deepEqual([commits, messages, end], [1, 2, 2]);
});

Deno.test("stat counts dead letters by destination", async () => {
  const sim = new SimWorld(1);
  await filled(sim, { cursors: {} });
  await filled(sim, { dir: "data/dead/bus", commits: [1, 1, 1] });
  assert.deepEqual(stat(readOnly(sim).files, "data").dead.map(({ name }) => name), ["bus"]);
});

Deno.test("stat begins with the oldest segment that is left, and who has had all has nothing pending", async () => {
  const sim = new SimWorld(1);
  await filled(sim, { commits: [2, 2, 2, 2], bytes: 9000, cursors: { bus: 8 } });
  sim.files.remove(segmentsOf(sim)[0]!);
  const { start, end, destinations } = stat(readOnly(sim).files, "data");
  assert.deepEqual([start, end, destinations[0]!.pending], [6, 8, 0]);
});

Deno.test("stat leaves no file open, and goes by a segment that is freed meanwhile", async () => {
  const sim = new SimWorld(1);
  await filled(sim, { commits: [2, 2, 2, 2], bytes: 9000 });
  sim.writeFile("data/quarantine/x.bad", new Uint8Array(10));
  const [first] = segmentsOf(sim);
  sim.watch = (call, path) => {
    if (call !== "exists" || path !== first) return;
    sim.watch = undefined;
    sim.files.remove(first!);
  };
  assert.deepEqual(stat(readOnly(sim).files, "data").segments.map(({ base }) => base), [6]);
  assert.equal(sim.openHandles, 0);
});
