import assert from "node:assert/strict";
import { makeCursors } from "../../src/deliver/cursors.ts";
import { peekCursor } from "../../src/log/cursor.ts";
import { destinationKey, type Position } from "../../src/log/mod.ts";
import { SimWorld } from "../sim/world.ts";

const node = "9f3c01aa27de4410";

/** Where destinations begin on a log from 10 to 100, of which the mark remembers some. */
async function begun(from: Record<string, string>, remembered: Record<string, number> = {}, sim = new SimWorld(1)) {
  sim.files.makeDir("data/cursors");
  const said: string[] = [];
  await makeCursors(sim, "data", {
    node,
    destinations: Object.entries(from).map(([name, from]) => ({ name, from })),
    remembered: new Map(Object.entries(remembered).map(([name, at]) => [destinationKey(name), at as Position])),
    start: 10 as Position,
    end: 100 as Position,
    report: (name) => said.push(name),
  });
  const places = Object.keys(from).map((name) => peekCursor(sim.files, "data", name)?.position);
  return { places, said, sim };
}

Deno.test("a new destination begins where its configuration says, within the log", async () => {
  const { places, said } = await begun({ a: "now", b: "oldest", c: "50", d: "5", e: "500" });
  assert.deepEqual([places, said], [[100, 10, 50, 10, 100], []]);
});

Deno.test("P9 a cursor that is gone or unreadable goes on from where the mark remembers it, and that is told", async () => {
  const { places, said, sim } = await begun({ a: "now" }, { a: 70 });
  assert.deepEqual([places, said], [[70], ["a"]]);
  sim.truncateFile("data/cursors/a", 10);
  assert.deepEqual((await begun({ a: "now" }, { a: 80 }, sim)).places, [80]);
});

Deno.test("a cursor that is there stays where it is", async () => {
  const { sim } = await begun({ a: "50" });
  const { places, said } = await begun({ a: "now" }, { a: 20 }, sim);
  assert.deepEqual([places, said], [[50], []]);
});
