import assert from "node:assert/strict";
import type { Delivery } from "../../src/deliver/adaptor.ts";
import { DeadLetters, DeadLettersFull } from "../../src/deliver/dead_letters.ts";
import type { Position } from "../../src/log/mod.ts";
import { SimWorld } from "../sim/world.ts";

const node = "9f3c01aa27de4410";
const open = (sim: SimWorld, bytesMax = 1 << 30, cursor = 0) =>
  new DeadLetters(sim.boot(), "data/dead/one", { node, bytesMax, cursor: cursor as Position, report() {} });

function refused(position: number): { delivery: Delivery; reason: string } {
  const data = new Uint8Array([0, 255, position]);
  const message = { topic: "t", key: `k${position}`, timestamp: 5, submittedMs: 4, data, dataIsJson: false };
  return { delivery: { id: `id-${position}`, position: position as Position, message, body: data }, reason: "because" };
}

Deno.test("P15 a dead letter has its message whole, with reason, tries and position", async () => {
  const sim = new SimWorld(1);
  const letters = open(sim);
  await sim.run(letters.keep([refused(3)], 2));
  const [letter] = [...letters.letters()];
  assert.deepEqual({ ...letter!.message, data: [...letter!.message.data] }, {
    ...refused(3).delivery.message,
    data: [0, 255, 3],
  });
  assert.deepEqual([letter!.position, letter!.id, letter!.reason, letter!.tries], [3, "id-3", "because", 2]);
});

Deno.test("P15 dead letters survive a power cut, and a repeat after it is stored once", async () => {
  const sim = new SimWorld(1);
  await sim.run(open(sim).keep([refused(3), refused(4)], 1));
  sim.cutPower();
  const letters = open(sim);
  await sim.run(letters.keep([refused(4), refused(5)], 1));
  assert.deepEqual([...letters.letters()].map(({ position }) => position), [3, 4, 5]);
});

Deno.test("P15 a letter from before a start is known again when the cursor is moved back behind it", async () => {
  const sim = new SimWorld(1);
  await sim.run(open(sim).keep([refused(3)], 1));
  sim.killProcess();
  const letters = open(sim, 1 << 30, 10);
  letters.recall(2 as Position);
  await sim.run(letters.keep([refused(3), refused(4)], 1));
  assert.deepEqual([...letters.letters()].map(({ position }) => position), [3, 4]);
});

Deno.test("P15 a full store refuses, and keeps what it has", async () => {
  const sim = new SimWorld(1);
  await sim.run(open(sim).keep([refused(3)], 1));
  const letters = open(sim, 10, 4);
  await assert.rejects(sim.run(letters.keep([refused(4)], 1)), DeadLettersFull);
  assert.equal([...letters.letters()].length, 1);
});

Deno.test("P15 a store that cannot be read for want of handles is asked again, and nobody else writes it meanwhile", async () => {
  for (let n = 1; n <= 40; n++) {
    const sim = new SimWorld(n);
    const before = open(sim);
    // The last commit is the one that nothing proves to be synced: it is copied into a new segment by the next start.
    for (const position of [2, 3]) await sim.run(before.keep([refused(position)], 1));
    sim.killProcess();
    sim.failNth(n, "EMFILE", { kinds: ["create", "open", "list", "syncDir"], persistent: true });
    let letters: DeadLetters | undefined;
    const keep = async (position: number) => await (letters ??= open(sim)).keep([refused(position)], 1);
    await sim.run(keep(4)).catch(() => {});
    await sim.run(50);
    sim.heal();
    // As the pump does it.
    for (let tries = 0; tries < 20 && !(await sim.run(keep(4).then(() => true, () => false))); tries++) {
      await sim.run(100);
    }
    await sim.run(keep(5));
    await sim.run(5000);
    await sim.run(keep(6));
    sim.cutPower();
    assert.deepEqual([...open(sim).letters()].map(({ position }) => position), [2, 3, 4, 5, 6], `the ${n}th call`);
  }
});
