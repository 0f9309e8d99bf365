import assert from "node:assert/strict";
import { verify } from "../../src/log/verify.ts";
import { readOnly } from "../../src/os/read_only.ts";
import { SimWorld } from "../sim/world.ts";
import { filled, type Filling, segmentsOf } from "./filled.ts";
const twelve: Filling = { commits: Array.from({ length: 12 }, () => 2), bytes: 9000, cursors: { bus: 20, out: 24 } };
async function damaged(filling: Filling, damage: (sim: SimWorld) => void = () => {}) {
  const sim = new SimWorld(1);
  await filled(sim, filling);
  damage(sim);
  return verify(readOnly(sim).files, "data");
}
Deno.test("a", async () => {
  console.log(await damaged(twelve));
  console.log(await damaged(twelve, (sim) => sim.flipByte(segmentsOf(sim)[0]!, 4096+60)));
  console.log(await damaged(twelve, (sim) => sim.flipByte(segmentsOf(sim)[0]!, 4096)));
  console.log(await damaged(twelve, (sim) => sim.files.remove(segmentsOf(sim)[1]!)));
  console.log(await damaged(twelve, (sim) => sim.truncateFile(segmentsOf(sim)[1]!, 30000)));
  console.log(await damaged(twelve, (sim) => sim.truncateFile(segmentsOf(sim).at(-1)!, 30000)));
});
