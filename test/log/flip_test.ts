import { commitHeaderBytes, segmentHeaderBytes } from "../../src/log/format.ts";
import { survives } from "./damage.ts";
import { segmentsOf, simWith } from "./trial.ts";
import { entriesIn, smallLog } from "./written.ts";

const log = await smallLog();
const paths = segmentsOf(simWith(log.image));
const bits = [0, 1, 2, 3, 4, 5, 6, 7];

async function flip(path: string, at: number, bit: number, told: boolean): Promise<void> {
  const hit = entriesIn(log, path, at, at + 1);
  try {
    await survives(log.image, (sim) => sim.flipByte(path, at, bit), { ...log, lost: (one) => hit.has(one), told });
  } catch (problem) {
    throw new Error(`bit ${bit} of byte ${at} of ${path}: ${(problem as Error).message}`, { cause: problem });
  }
}

for (const [i, path] of paths.entries()) {
  const name = `segment ${i + 1} of ${paths.length}`;
  const commits = log.commits.filter((commit) => commit.path === path);
  const ends = commits.map(({ offset, header }) => offset + commitHeaderBytes + header.length);

  Deno.test(`P8: a flipped bit of a commit in ${name} costs the entry it hit and nothing else`, async () => {
    for (const [j, { offset }] of commits.entries()) {
      for (let at = offset; at < ends[j]!; at++) for (const bit of bits) await flip(path, at, bit, true);
    }
  });

  Deno.test(`P8: a flipped bit in the head of ${name} costs nothing and is told`, async () => {
    for (let at = 0; at < segmentHeaderBytes; at++) for (const bit of bits) await flip(path, at, bit, true);
  });

  Deno.test(`P8: a flipped bit where ${name} holds nothing costs nothing`, async () => {
    const end = Math.max(4096, ...ends);
    for (let at = segmentHeaderBytes; at < 4096; at += 13) await flip(path, at, at % 8, false);
    for (let at = end; at < log.image.get(path)!.length; at += 3) await flip(path, at, at % 8, false);
  });
}
