/** Keys for tests: made as the command makes them, in a simulated data directory. */
import { type Key, type KeyWish, type NewKey, newKey } from "../../src/access/key.ts";
import { storeKeys } from "../../src/access/key_file.ts";
import { SimWorld } from "../sim/world.ts";

export const dir = "data";
let made = 0;

/** The n-th key has bytes that are all different from those of the others. */
export function make(wish: Partial<KeyWish> = {}): NewKey {
  made++;
  const random = (bytes: number) => Uint8Array.from({ length: bytes }, (_, i) => made * 7 + i);
  return newKey({ name: "test", scopes: ["write"], ...wish }, { random, now: 1_772_366_400_000 });
}

/** A disk with these keys on it. */
export function worldWith(...keys: readonly Key[]): SimWorld {
  const world = new SimWorld(1);
  world.files.makeDir(dir);
  storeKeys(world.files, dir, keys);
  return world;
}
