import { segmentHeaderBytes } from "../../src/log/format.ts";
import { SimWorld } from "../sim/world.ts";
import { survives } from "./damage.ts";
import { type CommitPlace, commitsOf, type Image, imageOf, type Item, segmentsOf, simWith, Trial } from "./trial.ts";

const settings = { segmentBytes: 4096 + 640 };

/** A log of four segments, one of them empty, by three lives, the last of which ended in order. */
async function written(): Promise<{ image: Image; items: Item[]; commits: CommitPlace[] }> {
  const sim = new SimWorld(7);
  const first = new Trial(sim, settings);
  await first.append("one", "two and a longer text of its own");
  await first.appendTogether("three", "four", "five, the last of its commit");
  await first.append("x".repeat(200), "six", "seven");
  await first.close();
  const second = new Trial(sim, settings);
  await sim.run(second.writer.probe());
  await second.close();
  const third = new Trial(sim, settings);
  await third.appendTogether("eight", "nine", "ten");
  await third.append("eleven");
  await third.appendTogether("twelve", "thirteen", "fourteen");
  await third.close();
  const reading = new Trial(sim, settings);
  const items = reading.read();
  sim.killProcess();
  return { image: imageOf(sim), items, commits: commitsOf(sim) };
}

const log = await written();
const paths = segmentsOf(simWith(log.image));

/** Positions of the entries of which byte `at` is a part. */
function lostAt(path: string, at: number): (position: number) => boolean {
  const records = log.commits.filter((commit) => commit.path === path).flatMap(({ records }) => records);
  const hit = records.filter(({ from, to }) => at >= from && at < to).map(({ position }) => position);
  return (position) => hit.includes(position);
}

async function flip(path: string, at: number, bit: number, told: boolean): Promise<void> {
  try {
    const expected = { items: log.items, lost: lostAt(path, at), told, settings };
    await survives(log.image, (sim) => sim.flipByte(path, at, bit), expected);
  } catch (problem) {
    throw new Error(`bit ${bit} of byte ${at} of ${path}: ${(problem as Error).message}`, { cause: problem });
  }
}

const bits = [0, 1, 2, 3, 4, 5, 6, 7];

for (const path of paths) {
  const name = `segment ${paths.indexOf(path) + 1} of ${paths.length}`;
  Deno.test(`P8: any flipped bit of a commit in ${name} costs the entry it hit, and nothing else`, async () => {
    for (const { offset, header } of log.commits.filter((commit) => commit.path === path)) {
      for (let at = offset; at < offset + 48 + header.length; at++) {
        for (const bit of bits) await flip(path, at, bit, true);
      }
    }
  });

  Deno.test(`P8: any flipped bit of the head of ${name} costs nothing and is told`, async () => {
    for (let at = 0; at < segmentHeaderBytes; at++) for (const bit of bits) await flip(path, at, bit, true);
  });

  Deno.test(`P8: a flipped bit where ${name} holds nothing costs nothing`, async () => {
    const used = Math.max(...log.commits.filter((commit) => commit.path === path).map((one) => one.offset + 48 + one.header.length));
    const empty = [...range(segmentHeaderBytes, 4096), ...range(used, log.image.get(path)!.length)];
    for (const at of empty.filter((at) => at % 7 === 0)) await flip(path, at, at % 8, false);
  });
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);
}
