import assert from "node:assert/strict";
import { readOnly } from "../../src/os/read_only.ts";
import { codeOf } from "../../src/os/world.ts";
import { SimWorld } from "../sim/world.ts";

Deno.test("M3.5 in a world for looking everything can be read and nothing changed", () => {
  const sim = new SimWorld(1);
  sim.writeFile("data/a", new Uint8Array([1, 2, 3]));
  const { files } = readOnly(sim);
  const into = new Uint8Array(3);
  const file = files.open("data/a");
  assert.deepEqual([file.read(0, into), file.size(), [...into]], [3, 3, [1, 2, 3]]);
  assert.deepEqual([files.list("data"), files.exists("data/b"), files.holder("data/LOCK")], [["a"], false, undefined]);
  const changes = [
    () => file.write(0, into),
    () => file.sync(),
    () => file.truncate(0),
    () => files.create("data/b"),
    () => files.makeDir("other"),
    () => files.rename("data/a", "data/b"),
    () => files.remove("data/a"),
    () => files.syncDir("data"),
    () => files.lock("data/LOCK", "me"),
  ];
  for (const change of changes) assert.throws(change, (problem) => codeOf(problem) === "EROFS");
  assert.deepEqual([...sim.fileBytes("data/a")], [1, 2, 3]);
});
