import assert from "node:assert/strict";
import { encodeSegmentHeader, type SegmentHeader, segmentName } from "../../src/log/format.ts";
import { type Head, headsOf, inOrder, lastSequence, nameRightly } from "../../src/log/heads.ts";
import type { Position } from "../../src/log/mod.ts";
import { SimWorld } from "../sim/world.ts";
import { logDir, quarantined } from "./trial.ts";

const header: SegmentHeader = {
  node: "0123456789abcdef",
  segment: "00000000000000aa",
  base: 7 as Position,
  epoch: 2,
  sequence: 5,
  created: 1_772_366_400_000,
};
const rightName = segmentName(7, "00000000000000aa");
const wrongName = segmentName(8, "00000000000000bb");

/** A log in which these names have the same empty segment, whole or with a damaged head. */
function logOf(names: readonly string[], seed = 1, whole = true): SimWorld {
  const sim = new SimWorld(seed);
  const bytes = new Uint8Array(4096);
  if (whole) bytes.set(encodeSegmentHeader(header));
  for (const name of names) sim.writeFile(`${logDir}/${name}`, bytes);
  return sim;
}

/** Heads as far as their order goes. */
function head(name: string, base: number, order: number): Head {
  return { name, id: name, base: base as Position, bytes: 0, created: 0, header: undefined, order };
}

Deno.test("a head says what its segment's header says, under whatever name the file stands", () => {
  for (const name of [rightName, wrongName]) {
    const sim = logOf([name]);
    assert.deepEqual(headsOf(sim.files, logDir), [
      {
        name,
        id: "00000000000000aa",
        base: 7,
        bytes: 4096,
        created: header.created,
        order: 5,
        header: { ...header, previous: undefined },
      },
    ]);
    assert.equal(sim.openHandles, 0);
  }
});

Deno.test("P8: of a damaged head the name tells id and base, and when it was made is not known", () => {
  const [found] = headsOf(logOf([rightName], 1, false).files, logDir);
  assert.deepEqual(found, { ...head(rightName, 7, -1), id: "00000000000000aa", bytes: 4096 });
});

Deno.test("segments stand by base, and those of one base by their order", () => {
  const heads = [head("a", 9, 2), head("e", 3, Infinity), head("b", 3, 4), head("c", 3, -1), head("d", 3, 2)];
  assert.deepEqual(inOrder(heads).map(({ name }) => name), ["c", "d", "b", "e", "a"]);
  assert.deepEqual(inOrder(heads.toReversed()).map(({ name }) => name), ["c", "d", "b", "e", "a"]);
});

Deno.test("the last sequence counts segments whose heads do not tell", () => {
  const told = (sequence: number): Head => ({ ...head("a", 0, 0), header: { ...header, sequence } });
  const silent = head("b", 0, 0);
  assert.deepEqual([lastSequence([]), lastSequence([silent, silent]), lastSequence([told(4), silent])], [0, 2, 5]);
  assert.equal(lastSequence([told(4), told(3)]), 4);
});

Deno.test("P9: a segment under a wrong name gets its own back, for good", () => {
  for (let seed = 0; seed < 30; seed++) {
    const sim = logOf([wrongName], seed);
    const { heads, notes } = nameRightly(sim.files, "data", headsOf(sim.files, logDir));
    assert.deepEqual(heads.map(({ name }) => name), [rightName]);
    assert.deepEqual(notes, [`${wrongName} is segment ${rightName}: it was renamed back`]);
    sim.cutPower();
    assert.deepEqual(sim.filesUnder(logDir), [`${logDir}/${rightName}`]);
  }
});

Deno.test("P9: a second copy of a segment goes to the quarantine, which is made if need be, and each is told in turn", () => {
  const other = segmentName(9, "00000000000000cc");
  const sim = logOf([rightName, wrongName, other]);
  const { heads, notes } = nameRightly(sim.files, "data", headsOf(sim.files, logDir));
  assert.deepEqual(heads.map(({ name }) => name), [rightName]);
  assert.deepEqual(
    notes,
    [wrongName, other].map((name) => `${name} is a copy of segment ${rightName}: it was set aside`),
  );
  assert.deepEqual(quarantined(sim), [wrongName, other]);
});
