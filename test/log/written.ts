/** Undamaged logs for tests that damage them, and what they held. */
import type { Position } from "../../src/log/mod.ts";
import { SimWorld } from "../sim/world.ts";
import {
  type CommitPlace,
  commitsOf,
  destinationsAt,
  type Image,
  imageOf,
  type Item,
  type Settings,
  Trial,
} from "./trial.ts";

export interface Written {
  readonly image: Image;
  readonly items: readonly Item[];
  readonly commits: readonly CommitPlace[];
  readonly settings: Settings;
}

/** Four small segments by three lives, all of which ended in order; the third segment holds no message. */
export async function smallLog(): Promise<Written> {
  const sim = new SimWorld(7);
  const settings = { segmentBytes: 4096 + 640 };
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
  return looked(sim, settings);
}

/** Three segments of several blocks, with commits of one and of many entries. */
export async function blockLog(): Promise<Written> {
  const sim = new SimWorld(8);
  const settings = { segmentBytes: 24_576 };
  const trial = new Trial(sim, settings);
  for (let i = 0; i < 60; i++) {
    const text = (n: number) => `${i}.${n} ${"abc".repeat((i * 37 + n * 11) % 300)}`;
    if (i % 5 === 0) await trial.appendTogether(...Array.from({ length: 12 }, (_, n) => text(n)));
    else await trial.append(text(0));
  }
  await trial.close();
  return looked(sim, settings);
}

/** A log whose first segments were trimmed, with two cursors and a mark that knows them. */
export async function trimmedLog(): Promise<Written> {
  const sim = new SimWorld(9);
  const settings = { segmentBytes: 4096 + 640, destinations: destinationsAt({ one: 9, two: 12 }) };
  const trial = new Trial(sim, settings);
  for (let i = 0; i < 18; i++) await trial.append(`entry ${i} ${"y".repeat(60)}`);
  for (const [name, at] of [["one", 9], ["two", 12]] as const) {
    const cursor = trial.cursor(name);
    cursor.advance(at - 2 as Position, { taken: at - 2 });
    cursor.sync();
    cursor.advance(at as Position, { taken: 2 });
    cursor.sync();
    cursor.close();
  }
  trial.writer.trim(9 as Position);
  await trial.close();
  return looked(sim, settings);
}

function looked(sim: SimWorld, settings: Settings): Written {
  const image = imageOf(sim);
  const reading = new Trial(sim, settings);
  const items = reading.read(reading.writer.facts().start);
  sim.killProcess();
  return { image, items, commits: commitsOf(sim), settings };
}

/** Positions of the entries that have a byte of `path` between `from` and `to`. */
export function entriesIn({ commits }: Written, path: string, from: number, to: number): Set<number> {
  const records = commits.filter((commit) => commit.path === path).flatMap(({ records }) => records);
  return new Set(records.filter((record) => record.from < to && record.to > from).map(({ position }) => position));
}
