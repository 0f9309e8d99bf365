import assert from "node:assert/strict";
import { encodeSegmentHeader, segmentName } from "../../src/log/format.ts";
import { parsePoint, type Position, positionOf, Timeline } from "../../src/log/mod.ts";
import { SimWorld } from "../sim/world.ts";
import { filled, segmentsOf } from "./filled.ts";

/** A commit of two messages each second, three a segment. */
async function timeline(sim = new SimWorld(1)): Promise<{ timeline: Timeline; begin: number; sim: SimWorld }> {
  const begin = sim.clock.now();
  await filled(sim, { commits: Array.from({ length: 12 }, () => 2), bytes: 9000 });
  return { timeline: new Timeline(sim.files, "data", 24 as Position), begin, sim };
}

Deno.test("M3.2 a time is the first message that was committed then or later", async () => {
  const { timeline: line, begin } = await timeline();
  for (let commit = 0; commit < 12; commit++) {
    assert.equal(line.at(begin + 1000 * commit), 2 * commit);
    assert.equal(line.at(begin + 1000 * commit - 999), 2 * commit);
  }
  assert.equal(line.at(begin + 11_001), 24);
  assert.equal(line.at(Infinity), 24);
  assert.equal(line.at(-Infinity), 0);
  assert.equal(line.oldestTime, begin);
});

Deno.test("the last message's time is that of its commit, whatever stands behind it", async () => {
  const { timeline: line, begin, sim } = await timeline();
  assert.equal(line.lastTime, begin + 11_000);
  assert.equal(new Timeline(sim.files, "data", 5 as Position).lastTime, begin + 2000);
  assert.equal(new Timeline(sim.files, "data", 0 as Position).lastTime, undefined);
});

Deno.test("a time is never beyond the end that may be read", async () => {
  const { begin, sim } = await timeline();
  assert.equal(new Timeline(sim.files, "data", 5 as Position).at(begin + 5000), 5);
});

Deno.test("the oldest message is where the first segment begins", async () => {
  const { timeline: line, begin, sim } = await timeline();
  assert.equal(line.oldest, 0);
  sim.files.remove(segmentsOf(sim)[0]!);
  const shorter = new Timeline(sim.files, "data", 24 as Position);
  assert.deepEqual([shorter.oldest, shorter.oldestTime, shorter.at(begin)], [6, begin + 3000, 6]);
});

Deno.test("an empty log has no oldest time, and every time is its end", async () => {
  const sim = new SimWorld(1);
  await filled(sim, { commits: [] });
  const line = new Timeline(sim.files, "data", 0 as Position);
  assert.deepEqual([line.oldest, line.oldestTime, line.at(0)], [0, undefined, 0]);
});

Deno.test("around a damaged commit a time is sooner than it was, never later", async () => {
  const { begin, sim } = await timeline();
  sim.flipByte(segmentsOf(sim)[1]!, 4096 + 30);
  const line = new Timeline(sim.files, "data", 24 as Position);
  assert.deepEqual([3000, 4000, 5000].map((ms) => line.at(begin + ms)), [6, 6, 10]);
});

Deno.test("M3.2 a point is a position, a time, a while ago, oldest or now", async () => {
  const now = Date.UTC(2026, 2, 1, 12);
  const expected: [string, unknown][] = [
    ["0", { position: 0 }],
    ["102938", { position: 102938 }],
    ["2h", { time: now - 7_200_000 }],
    ["1.5d", { time: now - 129_600_000 }],
    ["250ms", { time: now - 250 }],
    ["90s", { time: now - 90_000 }],
    ["5m", { time: now - 300_000 }],
    ["2026-03-01T12:00:00Z", { time: now }],
    ["2026-03-01 13:00:00.5+01:00", { time: now + 500 }],
    ["oldest", "oldest"],
    ["now", "now"],
  ];
  for (const [text, point] of expected) assert.deepEqual(parsePoint(text, now), point, text);
  for (
    const text of ["", "-1", "1e3", "2 h", "yesterday", "2026-03-01", "2026-13-01T00:00:00Z", "9".repeat(16), "Now"]
  ) {
    assert.equal(parsePoint(text, now), undefined, text);
  }
  const { timeline: line, begin } = await timeline();
  const places = ["oldest", "now", "7", `${(now - begin - 4000) / 1000 + 0}s`].map((text) => parsePoint(text, now)!);
  assert.deepEqual(places.slice(0, 3).map((point) => positionOf(point, line)), [0, 24, 7]);
});

Deno.test("a segment without a message counts by when it was made, and one that says nothing is gone by", async () => {
  const id = "00000000000000aa";
  const empty = new SimWorld(1);
  const header = { node: id, segment: id, base: 0 as Position, epoch: 1, sequence: 1, created: 5000 };
  empty.writeFile(`data/log/${segmentName(0, id)}`, encodeSegmentHeader(header));
  assert.equal(new Timeline(empty.files, "data", 0 as Position).oldestTime, 5000);
  const { begin, sim } = await timeline();
  sim.writeFile(segmentsOf(sim)[1]!, new Uint8Array(8192));
  assert.equal(new Timeline(sim.files, "data", 24 as Position).at(begin + 3500), 12);
});

Deno.test("a segment that was freed meanwhile is gone by, what cannot be opened is told, and no file stays open", async () => {
  const { timeline: line, begin, sim } = await timeline();
  sim.files.remove(segmentsOf(sim)[0]!);
  assert.deepEqual([line.oldestTime, line.at(begin)], [begin + 3000, 6]);
  assert.equal(sim.openHandles, 0);
  sim.failNth(1, "EMFILE", { kinds: ["open"] });
  assert.throws(() => line.at(begin + 5000), { code: "EMFILE" });
});
