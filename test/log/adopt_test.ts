import assert from "node:assert/strict";
import {
  adopt,
  adoptedUpTo,
  claimDirectory,
  LocalWatermark,
  type Position,
  readerOf,
  SegmentWriter,
  survey,
} from "../../src/log/mod.ts";
import { adoptEntry } from "../../src/message/adoption.ts";
import { decodeEntry } from "../../src/message/wire.ts";
import { readOnly } from "../../src/os/read_only.ts";
import type { World } from "../../src/os/world.ts";
import { SimWorld } from "../sim/world.ts";
import { filled } from "./filled.ts";

/** A node in "dead" with six messages, and one in "data" with two. */
async function twoNodes(seed = 1): Promise<SimWorld> {
  const sim = new SimWorld(seed);
  await filled(sim, { dir: "dead", commits: [3, 1, 2] });
  await filled(sim, { dir: "data", commits: [1, 1] });
  return sim;
}

function otherNode(sim: SimWorld): string {
  return survey(readOnly(sim).files, "dead", { holder: undefined }).node!;
}

async function adoptFrom(sim: SimWorld, world: World, from: number, progress?: (position: Position) => void) {
  const node = claimDirectory(world, "data", "a test");
  const seen = survey(readOnly(world).files, "dead", { holder: undefined });
  const other = { ...seen, node: seen.node! };
  const options = {
    segmentBytes: 65_536,
    reserveBytes: 0,
    recycle: false,
    destinations: () => new Map(),
    report: () => {},
  };
  const writer = new SegmentWriter(world, "data", node, new LocalWatermark(), options);
  const adopted = await sim.run(adopt({
    world,
    dir: "data",
    node,
    writer,
    reading: readOnly(world),
    other,
    from: from as Position,
    progress,
    rewrite: ({ bytes, position, epoch }, skip) =>
      adoptEntry(bytes, { idOf: (i) => `${other.node}-${epoch}-${position + i}`, skip, bytesMax: 1 << 20 }),
  }));
  await sim.run(writer.close());
  return { ...adopted, node: other.node };
}

/** Ids and payload numbers of all that "data" holds. */
function held(sim: SimWorld): [string, number][] {
  const seen = survey(readOnly(sim).files, "data");
  const reader = readerOf(readOnly(sim), seen, { from: 0 as Position, to: seen.end });
  const items = reader.next({ count: 1e6, bytes: 1e9 });
  reader.close();
  return items.flatMap((item) => {
    assert.ok("bytes" in item);
    return decodeEntry(item.bytes).map((message, i): [string, number] => {
      const { n } = JSON.parse(new TextDecoder().decode(message.data));
      return [message.id ?? `${seen.node}-${item.epoch}-${item.position + i}`, n];
    });
  });
}

Deno.test("M3.5 adopted messages stand behind our own, under the ids they had", async () => {
  const sim = await twoNodes();
  const { node, ...adopted } = await adoptFrom(sim, sim.boot(), 2);
  assert.deepEqual(adopted, { from: 2, to: 6, taken: 4, lost: 0 });
  assert.deepEqual(held(sim).slice(2), [2, 3, 4, 5].map((n) => [`${node}-1-${n}`, n]));
  assert.equal(held(sim).length, 6);
});

Deno.test("M3.5 a second adoption of the same directory does nothing", async () => {
  const sim = await twoNodes();
  await adoptFrom(sim, sim.boot(), 2);
  sim.killProcess();
  const { taken, from, to } = await adoptFrom(sim, sim.boot(), 2);
  assert.deepEqual([taken, from, to], [0, 6, 6]);
  assert.equal(held(sim).length, 6);
});

Deno.test("P18 an adopted directory refuses to start, and says who has adopted it", async () => {
  const sim = await twoNodes();
  await adoptFrom(sim, sim.boot(), 0);
  sim.killProcess();
  assert.throws(() => claimDirectory(sim.boot(), "dead", "a test"), /node [0-9a-f]{16} has adopted .* up to 6/);
});

Deno.test("P2 an adoption that the power cut ends anywhere loses nothing when it is repeated", async () => {
  for (let call = 1;; call++) {
    const sim = await twoNodes(call);
    sim.stopAt(call);
    const world = sim.boot();
    const first = adoptFrom(sim, world, 1).catch(() => {});
    await sim.run(60_000);
    const done = !sim.stopped;
    sim.cutPower();
    await first.catch(() => {});
    await adoptFrom(sim, sim.boot(), 1);
    const messages = held(sim);
    const adopted = messages.filter(([id]) => !messages.slice(0, 2).some(([ours]) => ours === id)).map(([, n]) => n);
    assert.deepEqual([...new Set(adopted)], [1, 2, 3, 4, 5], `call ${call}`);
    assert.equal(new Set(messages.map(([id]) => id)).size, 7, `call ${call}`);
    if (done) return;
  }
});

Deno.test("what cannot be read is counted, and the rest is adopted", async () => {
  const sim = await twoNodes();
  const path = sim.filesUnder("dead/log")[0]!;
  sim.flipByte(path, 4096 + 100);
  const { taken, lost } = await adoptFrom(sim, sim.boot(), 1);
  assert.deepEqual([taken, lost], [3, 2]);
});

Deno.test("M3.5 an adoption may take all that there is, or one entry", async () => {
  for (const [from, numbers] of [[0, [0, 1, 2, 3, 4, 5]], [4, [4, 5]]] as const) {
    const sim = await twoNodes();
    const { taken } = await adoptFrom(sim, sim.boot(), from);
    assert.equal(taken, numbers.length);
    assert.deepEqual(held(sim).slice(2).map(([, n]) => n), numbers);
  }
});

Deno.test("an adoption tells how far it is, and leaves no file of the other directory open", async () => {
  const sim = await twoNodes();
  const told: number[] = [];
  const opened: string[] = [];
  await adoptFrom(sim, sim.boot(), 2, (position) => {
    told.push(position);
    opened.push(...adoptedUpTo(sim.files, "data", otherNode(sim)) === position ? ["remembered"] : []);
  });
  assert.deepEqual([told, opened], [[6], ["remembered"]]);
  assert.equal(sim.openHandles, 0);
});

Deno.test("P7 what was adopted is not taken for nothing when its file cannot be read for the moment", async () => {
  const sim = await twoNodes();
  await adoptFrom(sim, sim.boot(), 2);
  const node = otherNode(sim);
  assert.equal(adoptedUpTo(sim.files, "data", node), 6);
  assert.equal(adoptedUpTo(sim.files, "data", "00000000deadbeef"), 0);
  sim.failNth(1, "EIO", { kinds: ["read"] });
  assert.throws(() => adoptedUpTo(sim.files, "data", node), { code: "EIO" });
});
