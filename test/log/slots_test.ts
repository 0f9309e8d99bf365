import assert from "node:assert/strict";
import { crc32 } from "node:zlib";
import { peekSlots, slotPayloadMax, Slots, slotStates } from "../../src/log/slots.ts";
import { SimWorld } from "../sim/world.ts";
import { codeOf } from "../../src/os/world.ts";

const path = "d/cursor";
const slotBytes = 4096;

function opened(sim: SimWorld): ReturnType<typeof Slots.open> {
  sim.writeFile("d/neighbour", new Uint8Array(0));
  return Slots.open(sim.files, "d", "cursor");
}
/** A file in which these were put one after the other. */
function filled(...values: readonly string[]): SimWorld {
  const sim = new SimWorld(1);
  const { slots } = opened(sim);
  for (const value of values) slots.put(new TextEncoder().encode(value));
  slots.close();
  return sim;
}
function said({ last }: { last?: Uint8Array }): string | undefined {
  return last && new TextDecoder().decode(last);
}
function damage(sim: SimWorld, at: number): void {
  sim.flipByte(path, at);
}

Deno.test("what was put last is found, after any number of puts", () => {
  const values: string[] = [];
  for (let n = 1; n <= 5; n++) {
    values.push(`value ${n}`);
    const sim = filled(...values);
    const found = opened(sim);
    assert.deepEqual([said(found), found.state], [`value ${n}`, "whole"]);
    assert.equal(new TextDecoder().decode(peekSlots(sim.files, path)), `value ${n}`);
  }
});

Deno.test("a new file, and one in which nothing was ever put, are told from a damaged one", () => {
  const sim = new SimWorld(1);
  const first = opened(sim);
  assert.deepEqual([said(first), first.state], [undefined, "new"]);
  first.slots.close();
  const again = opened(sim);
  assert.deepEqual([said(again), again.state], [undefined, "blank"]);
  assert.equal(peekSlots(sim.files, path), undefined);
});

Deno.test("there is room for both slots from the beginning, whatever the disk does later", () => {
  const sim = new SimWorld(1);
  const { slots } = opened(sim);
  assert.equal(sim.fileBytes(path).length, 2 * slotBytes);
  sim.capacity = 0;
  for (let i = 0; i < 4; i++) slots.put(new Uint8Array(slotPayloadMax));
});

Deno.test("a damaged slot leaves the other, and the next put goes over the damage", () => {
  for (const values of [["a", "b"], ["a", "b", "c"]]) {
    const sim = filled(...values);
    const newer = values.length % 2 * slotBytes;
    damage(sim, newer + 30);
    const found = opened(sim);
    assert.deepEqual([said(found), found.state], [values.at(-2), "whole"]);
    found.slots.put(new TextEncoder().encode("after"));
    assert.equal(said(opened(sim)), "after");
    damage(sim, newer + 30);
    assert.equal(said(opened(sim)), values.at(-2), "the older one was not overwritten");
  }
});

Deno.test("two damaged slots are damaged, and so is a file that was cut in its first slot", () => {
  const sim = filled("a", "b");
  damage(sim, 30);
  damage(sim, slotBytes + 30);
  assert.deepEqual([said(opened(sim)), opened(sim).state], [undefined, "damaged"]);
  const cut = filled("a", "b");
  cut.truncateFile(path, 3000);
  assert.equal(opened(cut).state, "damaged");
});

Deno.test("a file cut between its slots has the first, and one of no bytes can be put to", () => {
  const sim = filled("a", "b");
  sim.truncateFile(path, slotBytes);
  assert.equal(said(opened(sim)), "b");
  sim.truncateFile(path, 0);
  const { slots } = opened(sim);
  slots.put(new TextEncoder().encode("again"));
  assert.equal(said(opened(sim)), "again");
});

Deno.test("a slot of another file, or in the other's place, is none", () => {
  const sim = filled("a", "b", "c");
  sim.copyFile(path, "d/other");
  assert.equal(peekSlots(sim.files, "d/other"), undefined);
  const bytes = sim.fileBytes(path);
  sim.writeFile(path, Uint8Array.from([...bytes.subarray(slotBytes), ...bytes.subarray(0, slotBytes)]));
  assert.equal(peekSlots(sim.files, path), undefined);
});

Deno.test("a power cut in the middle of a put leaves the old value or the new", () => {
  const found = new Set<string | undefined>();
  for (let seed = 0; seed < 100; seed++) {
    for (let calls = 1; calls <= 3; calls++) {
      const sim = new SimWorld(seed);
      const { slots } = opened(sim);
      slots.put(new TextEncoder().encode("older"));
      slots.put(new TextEncoder().encode("old"));
      sim.stopAt(calls);
      let finished = false;
      try {
        slots.put(new TextEncoder().encode("new"));
        finished = true;
      } catch (problem) {
        assert.equal(codeOf(problem), "EHALT");
      }
      sim.cutPower();
      const value = said(opened(sim));
      found.add(value);
      if (finished) assert.equal(value, "new");
    }
  }
  assert.deepEqual([...found].sort(), ["new", "old"]);
});

Deno.test("after a put whose sync failed the next one leaves the last good slot alone", () => {
  for (let seed = 0; seed < 50; seed++) {
    const sim = new SimWorld(seed);
    const { slots } = opened(sim);
    slots.put(new TextEncoder().encode("good"));
    for (const kind of ["sync", "write"] as const) {
      sim.failNth(1, "EIO", { kinds: [kind], short: true });
      assert.throws(() => slots.put(new TextEncoder().encode("bad")), (problem) => codeOf(problem) === "EIO");
    }
    sim.cutPower();
    assert.match(said(opened(sim))!, /^(good|bad)$/);
  }
});

Deno.test("a slot that the disk will not give any more is a damaged one", () => {
  const sim = filled("a", "b");
  sim.failNth(1, "EIO", { kinds: ["read"], persistent: true });
  assert.equal(opened(sim).state, "damaged");
  sim.heal();
  assert.equal(said(opened(sim)), "b");
});

Deno.test("a payload that is too long is refused", () => {
  const { slots } = opened(new SimWorld(1));
  assert.throws(() => slots.put(new Uint8Array(slotPayloadMax + 1)), /its payload is too long/);
});

Deno.test("P9: one damaged slot and one in which nothing was ever put are a damaged file", () => {
  for (const damaged of [0, 1]) {
    const sim = new SimWorld(1);
    const bytes = new Uint8Array(2 * slotBytes);
    bytes[damaged * slotBytes + 100] = 1;
    sim.writeFile(path, bytes);
    assert.equal(opened(sim).state, "damaged");
    assert.deepEqual(slotStates(sim.files, path), damaged === 0 ? ["damaged", "blank"] : ["blank", "damaged"]);
  }
});

Deno.test("the states of both slots are told, without leaving the file open", () => {
  const sim = filled("a");
  assert.deepEqual(slotStates(sim.files, path), ["blank", "whole"]);
  assert.equal(slotStates(sim.files, "d/nowhere"), undefined);
  assert.equal(sim.openHandles, 0);
});

Deno.test("P9: a slot without its magic, or whose length cannot be, is none though its checksum is right", () => {
  const sim = filled("a", "b");
  damage(sim, 0);
  assert.equal(said(opened(sim)), "a");
  const last = (length: number) => {
    const bytes = filled("a", "b").fileBytes(path);
    const view = new DataView(bytes.buffer);
    view.setUint32(16, length, true);
    view.setUint32(4, crc32(bytes.subarray(8, slotBytes), crc32("cursor", 0)), true);
    const sim = new SimWorld(1);
    sim.writeFile(path, bytes);
    return opened(sim).last!.length;
  };
  assert.deepEqual([last(1), last(slotPayloadMax), last(slotPayloadMax + 1)], [1, slotPayloadMax, 1]);
});

Deno.test("P12: both slots of a new file are there after a power cut", () => {
  for (let seed = 0; seed < 30; seed++) {
    const sim = new SimWorld(seed);
    opened(sim);
    sim.cutPower();
    assert.equal(opened(sim).state, "blank", `seed ${seed}`);
  }
});

Deno.test("P9: a file that cannot be opened or read for the moment is not taken for a missing or damaged one", () => {
  const sim = filled("a", "b");
  for (const act of [() => peekSlots(sim.files, path), () => slotStates(sim.files, path), () => opened(sim)]) {
    sim.failNth(1, "EMFILE", { kinds: ["open"] });
    assert.throws(act, { code: "EMFILE" });
    sim.failNth(1, "EINTR", { kinds: ["read"] });
    assert.throws(act, { code: "EINTR" });
  }
});
