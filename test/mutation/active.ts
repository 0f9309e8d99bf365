/** Which mutant is switched on in this process, and which the running test comes by. Every mutated file imports it. */

let active = -1;
let seen = new Set<number>();
let looking = false;

/** Asked by the mutated code wherever it could go two ways. */
export function isActive(id: number): boolean {
  if (looking) seen.add(id);
  return id === active;
}
export function activate(id: number): void {
  active = id;
}
/** Notes from now on which mutants are asked for; returns those since the last call. */
export function comeBy(): Set<number> {
  const before = seen;
  seen = new Set();
  looking = true;
  return before;
}
