/** One seed, one story: some lives that end in a power cut, a kill or an orderly stop, then peace, then the reckoning. */
import { codeOf, type World } from "../../src/os/world.ts";
import type { Message } from "../../src/message/message.ts";
import { chance as chanceOf } from "./chance.ts";
import { check, checkMark, client, Model, Node, type Setup } from "./system.ts";
import { SimWorld } from "./world.ts";

export interface Story {
  readonly seed: number;
  readonly violations: readonly string[];
  readonly accepted: number;
  readonly copies: number;
}
/** Puts a bug between the core and its world, or nothing. */
export type Plant = (world: World) => World;

export async function runSeed(seed: number, plant: Plant = (world) => world): Promise<Story> {
  const sim = new SimWorld(seed);
  const model = new Model();
  const chance = sim.random;
  // Where dead letters are sent again there should be some.
  const refuses = (): boolean => chance() < 0.3 || seed % 6 === 0;
  const weather = {
    breaks: chance() < 0.5 ? 0.1 : 0,
    waits: chance() < 0.3 ? 0.1 : 0,
    poison: refuses() ? "7" : "",
    relents: seed % 6 === 0 ? 0.5 : 0,
    wrongUntil: seed % 8 === 0 ? 20_000 : 0,
    throttles: seed % 10 === 9 ? 0.3 : 0,
    stalls: seed % 4 === 1 ? stallsOf(chanceOf(seed ^ 0x57a11)) : [],
  };
  // A stream of its own, so that the stories of the other seeds stay what they were.
  const operator = seed % 5 === 0 ? chanceOf(seed ^ 0x0b5) : undefined;
  const starving = seed % 7 === 0 ? chanceOf(seed ^ 0xf11e) : undefined;
  const undertaker = seed % 6 === 0 ? chanceOf(seed ^ 0xdead) : undefined;
  const optional = seed % 9 === 0 ? { name: "two", bytes: 70_000 } : undefined;
  const sampled = seed % 10 === 3 ? { name: "one", share: 0.5 } : undefined;
  const attended = seed % 9 === 4
    ? { name: "two", bytes: 150_000, absences: absencesOf(chanceOf(seed ^ 0xa10e)) }
    : undefined;
  const capped = seed % 10 === 7 ? { name: "two", count: 40 } : undefined;
  const sometimes = seed % 12 === 5 ? "3" : "";
  let life = 0;
  const setupFor = (world: World): Setup => {
    const wantsAll = sometimes === "" || life++ % 2 === 0;
    const wants = ({ key }: Message) => wantsAll || !key!.endsWith(sometimes);
    return { ...common, world, wants, reports: [] };
  };
  const lives = 1 + Math.floor(chance() * 4);
  const common = {
    sim,
    model,
    weather,
    destinations: ["one", "two"],
    operator,
    undertaker,
    optional,
    sampled,
    attended,
    capped,
    sometimes,
    lives: lives + 1,
  };
  for (let i = 0; i < lives; i++) {
    if (starving) takeHandles(sim, starving);
    await oneLife(sim, setupFor(plant(sim.boot())), chance);
  }
  await lastLife(sim, { ...setupFor(plant(sim.boot())), operator: undefined });
  const copies = [...model.destinations.values()].reduce((sum, received) => sum + received.copies, 0);
  return { seed, violations: model.violations, accepted: model.accepted.size, copies };
}

/** Most of them end while the node lives; some begin or go on when nothing new comes. */
function stallsOf(chance: () => number): { topic: string; from: number; to: number }[] {
  return Array.from({ length: 1 + Math.floor(chance() * 3) }, () => {
    const from = chance() * 8000;
    return { topic: `t${Math.floor(chance() * 3)}`, from, to: from + chance() * 30_000 };
  });
}

/** Some of them long enough for what waits to be more than is kept. */
function absencesOf(chance: () => number): { from: number; to: number }[] {
  return Array.from({ length: 1 + Math.floor(chance() * 4) }, () => {
    const from = chance() * 15_000;
    return { from, to: from + chance() ** 2 * 30_000 };
  });
}

async function oneLife(sim: SimWorld, setup: Setup, chance: () => number): Promise<void> {
  const orderly = chance() < 0.15;
  if (!orderly) sim.stopAt(1 + Math.floor(chance() ** 2 * 900));
  if (chance() < 0.3) breakDisk(sim, chance);
  try {
    const node = new Node(setup);
    const clients = 1 + Math.floor(chance() * 3);
    for (let number = 0; number < clients; number++) void client(number, node, setup, 30).catch(() => {});
    await sim.run(chance() * 6000);
    if (orderly && !sim.stopped) {
      await sim.run(node.stop());
      sim.heal();
      sim.capacity = Number.MAX_SAFE_INTEGER;
      return sim.killProcess();
    }
  } catch (problem) {
    if (!sim.stopped && !isTrouble(problem)) {
      setup.model.violate(`P8 the start failed: ${problem instanceof Error ? problem.stack : problem}`);
    }
  }
  sim.heal();
  sim.capacity = Number.MAX_SAFE_INTEGER;
  if (chance() < 0.6) sim.cutPower();
  else sim.killProcess();
}

/** A write or a sync fails, once or from then on, or the disk fills up. */
function breakDisk(sim: SimWorld, chance: () => number): void {
  if (chance() < 0.3) {
    sim.capacity = 150_000 + chance() * 600_000;
    return;
  }
  const code = chance() < 0.7 ? "EIO" : "ENOSPC";
  const options = { kinds: ["write", "sync"] as const, persistent: chance() < 0.3, short: chance() < 0.5 };
  sim.failNth(1 + Math.floor(chance() * 200), code, options);
}

/** For a while, or until the end of that life, nothing can be opened. */
function takeHandles(sim: SimWorld, chance: () => number): void {
  const options = { kinds: ["create", "open", "list", "syncDir"] as const, persistent: chance() < 0.5 };
  sim.failNth(1 + Math.floor(chance() * 150), chance() < 0.8 ? "EMFILE" : "ENOMEM", options);
  if (options.persistent) void sim.clock.sleep(chance() * 4000).then(() => sim.heal());
}

/** A disk that fails or is full, and a system without handles, may stop a start. */
function isTrouble(problem: unknown): boolean {
  return ["EIO", "ENOSPC", "EMFILE", "ENOMEM"].includes(codeOf(problem));
}

async function lastLife(sim: SimWorld, setup: Setup): Promise<void> {
  try {
    const node = new Node(setup);
    node.pauseAll();
    await sim.run(client(9, node, setup, 3));
    // What was committed is marked by then: from here on only destinations move.
    await sim.run(2000);
    node.resumeAll();
    for (let minutes = 0; minutes < 20 && !node.caughtUp; minutes++) await sim.run(60_000);
    if (!node.caughtUp) setup.model.violate("P2 a destination never caught up");
    await sim.run(6000);
    checkMark(setup.model, node, setup);
    await sim.run(node.stop());
    check(setup.model, node, setup);
  } catch (problem) {
    setup.model.violate(`P8 the last start failed: ${problem instanceof Error ? problem.stack : problem}`);
  }
}
