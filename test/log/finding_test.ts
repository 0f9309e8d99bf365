import assert from "node:assert/strict";
import { Findings, lostIn } from "../../src/log/finding.ts";
import type { Position } from "../../src/log/mod.ts";

/** What findings cost that name these positions, each with its count. */
function lost(...ranges: readonly (readonly [number, number])[]): number {
  const findings = new Findings();
  for (const [position, count] of ranges) findings.damage("a file", "gone", { position: position as Position, count });
  return lostIn(findings.all);
}

Deno.test("positions that several findings name are lost once, in whatever order they are told", () => {
  assert.equal(lost(), 0);
  assert.equal(lost([0, 3]), 3);
  assert.equal(lost([10, 5], [0, 3]), 8);
  assert.equal(lost([10, 5], [12, 10], [0, 3]), 15);
  assert.equal(lost([12, 2], [10, 10]), 10, "one within the other");
  assert.equal(lost([10, 10], [12, 2], [19, 2]), 11);
  assert.equal(lost([20, 5], [10, 5], [0, 5]), 15, "the last ones first");
});

Deno.test("what is worth knowing costs nothing, nor does damage that names no position", () => {
  const findings = new Findings("dead/bus/");
  findings.note("mark", "one slot is damaged", { position: 3 as Position, count: 2 });
  findings.damage("mark", "it is missing");
  assert.equal(lostIn(findings.all), 0);
  assert.deepEqual(findings.all, [
    { severity: "note", file: "dead/bus/mark", position: 3, count: 2, text: "one slot is damaged" },
    { severity: "damage", file: "dead/bus/mark", count: 0, text: "it is missing" },
  ]);
});
