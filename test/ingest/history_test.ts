import assert from "node:assert/strict";
import { openHistory, openIdHistory } from "../../src/ingest/history.ts";
import { nodeOf, type Position } from "../../src/log/mod.ts";
import { encodeEntry } from "../../src/message/wire.ts";
import { filled } from "../log/filled.ts";
import { SimWorld } from "../sim/world.ts";

/** Messages with an id and a key, a commit a second; then nothing runs for `awayMs`. */
async function histories(awayMs: number) {
  const sim = new SimWorld(1);
  const idempotency = { key: new Uint8Array(16).fill(7), body: new Uint8Array(16).fill(8) };
  const message = { fields: { id: "a" }, data: new Uint8Array([49]), dataIsJson: true };
  const entry = encodeEntry({ timestamp: 0, shared: { topic: "t" }, idempotency }, [message]);
  await filled(sim, { commits: [1, 1, 1, 1, 1], entry });
  await sim.run(awayMs);
  const before = { dir: "data", node: nodeOf(sim.files, "data")!, end: 5 as Position, segment: 1 };
  const count = async (found: AsyncIterable<unknown>) => (await Array.fromAsync(found)).length;
  return {
    keys: async (windowMs: number) => await sim.run(count(openHistory(sim.boot(), before)(windowMs))),
    ids: async (windowMs: number) => await sim.run(count(openIdHistory(sim.boot(), before)(windowMs))),
  };
}

for (const awayMs of [0, 3_600_000]) {
  Deno.test(`M1.9 P7 the window goes back from the last message, also when nothing ran for ${awayMs} ms`, async () => {
    const { keys, ids } = await histories(awayMs);
    for (const recalled of [keys, ids]) {
      assert.deepEqual([await recalled(2500), await recalled(120_000)], [3, 5]);
    }
  });
}
