/** One seed, one story: some lives that end in a power cut, a kill or an orderly stop, then peace, then the reckoning. */
import type { World } from "../../src/os/world.ts";
import { check, client, Model, Node, type Setup } from "./system.ts";
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
  const weather = {
    breaks: chance() < 0.5 ? 0.1 : 0,
    waits: chance() < 0.3 ? 0.1 : 0,
    poison: chance() < 0.3 ? "7" : "",
  };
  const setupFor = (world: World): Setup => ({ sim, world, model, weather, destinations: ["one", "two"], reports: [] });
  const lives = 1 + Math.floor(chance() * 4);
  for (let i = 0; i < lives; i++) await oneLife(sim, setupFor(plant(sim.boot())), chance);
  await lastLife(sim, setupFor(plant(sim.boot())));
  const copies = [...model.destinations.values()].reduce((sum, received) => sum + received.copies, 0);
  return { seed, violations: model.violations, accepted: model.accepted.size, copies };
}

async function oneLife(sim: SimWorld, setup: Setup, chance: () => number): Promise<void> {
  const orderly = chance() < 0.15;
  if (!orderly) sim.stopAt(1 + Math.floor(chance() ** 2 * 900));
  try {
    const node = new Node(setup);
    const clients = 1 + Math.floor(chance() * 3);
    for (let number = 0; number < clients; number++) void client(number, node, setup, 30).catch(() => {});
    await sim.run(chance() * 6000);
    if (orderly && !sim.stopped) {
      await sim.run(node.stop());
      return sim.killProcess();
    }
  } catch (problem) {
    if (!sim.stopped) setup.model.violate(`P8 the start failed: ${problem instanceof Error ? problem.stack : problem}`);
  }
  if (chance() < 0.6) sim.cutPower();
  else sim.killProcess();
}

async function lastLife(sim: SimWorld, setup: Setup): Promise<void> {
  try {
    const node = new Node(setup);
    await sim.run(client(9, node, setup, 3));
    for (let minutes = 0; minutes < 20 && !node.caughtUp; minutes++) await sim.run(60_000);
    if (!node.caughtUp) setup.model.violate("P2 a destination never caught up");
    await sim.run(node.stop());
    check(setup.model, node, setup);
  } catch (problem) {
    setup.model.violate(`P8 the last start failed: ${problem instanceof Error ? problem.stack : problem}`);
  }
}
