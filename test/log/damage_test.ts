import assert from "node:assert/strict";
import { chance, pick } from "../sim/chance.ts";
import type { SimWorld } from "../sim/world.ts";
import { survives } from "./damage.ts";
import { segmentsOf } from "./trial.ts";
import { blockLog, trimmedLog, type Written } from "./written.ts";

const logs = [await blockLog(), await trimmedLog()];

/** One thing that can happen to a file. */
function harm(sim: SimWorld, path: string, random: () => number): void {
  const bytes = sim.fileBytes(path);
  const at = pick(random, bytes.length);
  const length = pick(random, 2 ** pick(random, 14));
  const kind = pick(random, 6);
  if (kind === 0) return sim.files.remove(path);
  if (kind === 1) return sim.writeFile(path, bytes.slice(0, at));
  if (kind === 2) bytes.fill(0, at, at + length);
  if (kind === 3) { for (let i = at; i < Math.min(bytes.length, at + length); i++) bytes[i] = pick(random, 256); }
  if (kind === 4) bytes.copyWithin(at, pick(random, bytes.length), length);
  if (kind === 5 && bytes.length > 0) bytes[at]! ^= 1 << pick(random, 8);
  sim.writeFile(path, bytes);
}

function anyFile(sim: SimWorld, random: () => number): string {
  const paths = random() < 0.7 ? segmentsOf(sim) : sim.filesUnder("data").filter((path) => !path.endsWith("/node"));
  return paths[pick(random, paths.length)] ?? "data/mark";
}

/** Up to five things happen; what of the log is left is read exactly, and the next start is one like any other. */
async function harmed(log: Written, seed: number): Promise<void> {
  const random = chance(seed);
  const damage = (sim: SimWorld) => {
    for (let left = 1 + pick(random, 5); left > 0; left--) harm(sim, anyFile(sim, random), random);
  };
  try {
    await survives(log.image, damage, { ...log, lost: () => true });
  } catch (problem) {
    throw new Error(`seed ${seed}: ${(problem as Error).message}`, { cause: problem });
  }
}

Deno.test("P3 P8: however much of a log is damaged, a start succeeds and nothing is altered or invented", async () => {
  for (let seed = 0; seed < 2000; seed++) await harmed(logs[seed % 2]!, seed);
});

Deno.test("P8: what was undamaged in one place is delivered whatever happened in another", async () => {
  const [log] = logs;
  const paths = [...log!.image.keys()].filter((path) => path.endsWith(".seg"));
  for (let seed = 0; seed < 300; seed++) {
    const random = chance(seed);
    const spared = paths[pick(random, paths.length)]!;
    const kept = new Set(
      log!.commits.filter(({ path }) => path === spared).flatMap(({ records }) => records.map((r) => r.position)),
    );
    assert.ok(kept.size > 0);
    const damage = (sim: SimWorld) => {
      for (const path of paths.filter((path) => path !== spared)) harm(sim, path, random);
    };
    try {
      await survives(log!.image, damage, { ...log!, lost: (position) => !kept.has(position) });
    } catch (problem) {
      throw new Error(`seed ${seed}: ${(problem as Error).message}`, { cause: problem });
    }
  }
});
