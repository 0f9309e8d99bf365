import assert from "node:assert";
import { claimDirectory, LocalWatermark, type Position, SegmentReader, SegmentWriter } from "../../src/log/mod.ts";
import { SimWorld } from "../sim/world.ts";

const options = {
  segmentBytes: 1 << 20,
  reserveBytes: 0,
  recycle: false,
  destinations: () => new Map(),
  report: () => {},
};

Deno.test("P1: a commit of any size stays as it is when others follow it", async () => {
  for (
    const sizes of [[200_000, 10], [10, 200_000, 10], [70_000, 70_000, 10, 70_000, 10], [2_000_000, 10, 2_000_000]]
  ) {
    const sim = new SimWorld(1);
    const world = sim.boot();
    const node = claimDirectory(world, "data", "test");
    const mark = new LocalWatermark();
    const writer = new SegmentWriter(world, "data", node, mark, options);
    const entries = sizes.map((size, i) => new Uint8Array(size).fill(i + 1));
    for (const entry of entries) {
      writer.append(entry, 1);
      await sim.run(writer.durable());
    }
    const reader = new SegmentReader(world, "data", node, 0 as Position, mark);
    const items = reader.next({ count: 100, bytes: 1 << 30 });
    assert.deepEqual(items.map((item) => "bytes" in item && item.bytes), entries);
    reader.close();
    await sim.run(writer.close());
  }
});
