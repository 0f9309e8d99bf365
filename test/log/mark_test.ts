import assert from "node:assert/strict";
import { encodeMark, type Mark, openMark } from "../../src/log/mark.ts";
import { destinationKey, peekMark, type Position } from "../../src/log/mod.ts";
import { SimWorld } from "../sim/world.ts";
import { destinationsAt, dir, quarantined, Trial } from "./trial.ts";

const path = "data/mark";
const mark: Mark = {
  position: 2 ** 40 + 5 as Position,
  chain: 0xdeadbeef,
  segment: "0123456789abcdef",
  offset: 4096 + 2 ** 33,
  destinations: destinationsAt({ one: 3, two: 2 ** 40 })(),
};

function put(sim: SimWorld, mark: Mark): void {
  sim.writeFile("data/neighbour", new Uint8Array(0));
  const { slots } = openMark(sim.files, "data");
  slots.put(encodeMark(mark));
  slots.close();
}

Deno.test("the mark says what it was given", () => {
  const sim = new SimWorld(1);
  put(sim, mark);
  assert.deepEqual(peekMark(sim.files, "data"), mark);
  assert.deepEqual(openMark(sim.files, "data").mark, mark);
});

Deno.test("a directory without a mark has none, and one in which none was ever put is not damaged", () => {
  const sim = new SimWorld(1);
  assert.equal(peekMark(sim.files, "data"), undefined);
  sim.writeFile("data/neighbour", new Uint8Array(0));
  for (let i = 0; i < 2; i++) {
    const { slots, ...found } = openMark(sim.files, "data");
    slots.close();
    assert.deepEqual(found, { mark: undefined, damaged: false });
  }
});

Deno.test("the mark has room for 252 destinations, and takes no more", () => {
  const destinations = new Map(Array.from({ length: 300 }, (_, i) => [destinationKey(`d${i}`), i as Position]));
  const sim = new SimWorld(1);
  put(sim, { ...mark, destinations });
  assert.deepEqual([...peekMark(sim.files, "data")!.destinations], [...destinations].slice(0, 252));
});

Deno.test("a destination's key has 16 hex digits and is its own", () => {
  const keys = ["one", "two", "One", ""].map(destinationKey);
  assert.ok(keys.every((key) => /^[0-9a-f]{16}$/.test(key)));
  assert.equal(new Set(keys).size, keys.length);
});

Deno.test("P9: a damaged mark stops nothing, is told, and is set aside before it is written anew", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim);
  await trial.append("a", "b");
  await trial.close();
  sim.writeFile(path, new Uint8Array(8192).fill(3));
  const again = new Trial(sim);
  assert.deepEqual(again.complaints, [
    "the durable mark is damaged; a loss at the end of the log could not be noticed",
  ]);
  assert.equal(await again.append("c"), 2);
  assert.match(quarantined(sim).join(), /^mark-[0-9a-f]{8}\.bad$/);
  await again.close();
  const last = new Trial(sim);
  assert.deepEqual([last.complaints, last.read().length], [[], 3]);
});

Deno.test("a start that commits nothing does not leave a mark that looks damaged", async () => {
  const sim = new SimWorld(1);
  await new Trial(sim).close();
  assert.deepEqual(new Trial(sim).complaints, []);
});

Deno.test("the mark is written within a second of a commit, and not while nothing is committed", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim, { destinations: destinationsAt({ one: 1 }) });
  await trial.append("a", "b");
  assert.equal(peekMark(sim.files, "data"), undefined);
  await sim.run(1000);
  const { position, destinations } = peekMark(sim.files, "data")!;
  assert.deepEqual([position, destinations], [2, destinationsAt({ one: 1 })()]);
  const calls = sim.calls;
  await sim.run(60_000);
  assert.equal(sim.calls, calls);
});

Deno.test("P11: the mark never says more than is durable", async () => {
  for (let seed = 0; seed < 50; seed++) {
    const sim = new SimWorld(seed);
    const trial = new Trial(sim);
    for (let i = 0; i < 6; i++) {
      await trial.append(`entry ${i}`);
      await sim.run(400);
    }
    const { position } = peekMark(sim.files, "data")!;
    sim.cutPower();
    const again = new Trial(sim);
    assert.deepEqual(again.writer.recovered.damages, []);
    assert.ok(again.writer.recovered.end >= position);
  }
});

Deno.test("P9: how far destinations were is remembered over a start that had to copy the last commit", async () => {
  const sim = new SimWorld(1);
  const trial = new Trial(sim, { destinations: destinationsAt({ one: 2 }) });
  await trial.append("a", "b");
  await sim.run(1500);
  await trial.append("c");
  sim.killProcess();
  new Trial(sim);
  assert.deepEqual(peekMark(sim.files, "data")!.destinations, destinationsAt({ one: 2 })());
});

Deno.test("P7: where only destinations move the mark is renewed, at most every five seconds", async () => {
  const sim = new SimWorld(1);
  let at = 0;
  const trial = new Trial(sim, { destinations: () => destinationsAt({ out: at })() });
  await trial.append("a", "b", "c");
  await sim.run(20_000);
  let puts = 0;
  sim.watch = (call, path) => void (call === "sync" && path.endsWith("/mark") && puts++);
  for (const step of [1, 2, 3]) {
    at = step;
    await sim.run(2500);
  }
  await sim.run(5000);
  assert.equal(peekMark(sim.files, dir)!.destinations.get(destinationKey("out")), 3);
  assert.ok(puts >= 1 && puts <= 3, `${puts} marks in 12.5 s`);
  puts = 0;
  const calls = sim.calls;
  await sim.run(3_600_000);
  assert.deepEqual([puts, sim.calls - calls], [0, 0], "nothing is done while nothing moves");
});

Deno.test("P7: a mark that cannot be renewed is renewed later", async () => {
  const sim = new SimWorld(1);
  let at = 0;
  const trial = new Trial(sim, { destinations: () => destinationsAt({ out: at })() });
  await trial.append("a");
  await sim.run(2000);
  at = 1;
  sim.failNth(1, "EIO", { kinds: ["sync"] });
  await sim.run(10_000);
  assert.equal(peekMark(sim.files, dir)!.destinations.get(destinationKey("out")), 1);
  await trial.close();
});

Deno.test("P7: a mark that is renewed keeps the place of a destination that has not told yet how far it is", async () => {
  const sim = new SimWorld(1);
  const first = new Trial(sim, { destinations: destinationsAt({ out: 1, bus: 2 }) });
  await first.append("a", "b", "c");
  await first.close();
  const trial = new Trial(sim, { destinations: destinationsAt({ out: 3 }) });
  await sim.run(6000);
  const { destinations } = peekMark(sim.files, dir)!;
  assert.deepEqual(["out", "bus"].map((name) => destinations.get(destinationKey(name))), [3, 2]);
  await trial.close();
});
