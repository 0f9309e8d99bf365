import assert from "node:assert/strict";
import { activate } from "./active.ts";
import { readEquivalents } from "./equivalents.ts";
import type { Fate } from "./examination.ts";
import { mutantsOf, withSwitches } from "./mutants.ts";

/** Texts of all mutants of a file. */
function whats(text: string): string[] {
  return mutantsOf(text).map(({ what }) => what);
}

/** The module with its mutants in it, to be imported. */
async function planted(text: string, mutants = mutantsOf(text)) {
  const dir = await Deno.makeTempDir();
  const active = new URL("active.ts", import.meta.url).href;
  await Deno.writeTextFile(`${dir}/planted.ts`, withSwitches(text, mutants, 0, active));
  const module = await import(`file://${dir}/planted.ts`);
  await Deno.remove(dir, { recursive: true });
  return { mutants, module };
}

Deno.test("comparisons, sums, constants and conditions are mutated, and nothing that is a type, a key or a text", () => {
  const text = `interface Size { readonly 0: 1 }
export function fits(size: 7 | number, limit = 8): boolean {
  const names = { 4: "4" + "x" };
  if (size) return size + 1 < limit;
  return /5/.test(names[4] as "6");
}
`;
  assert.deepEqual(whats(text), [
    "fits: export function fits(size: 7 | number, limit = 7): boolean {",
    "fits: export function fits(size: 7 | number, limit = 9): boolean {",
    "fits: if (!(size)) return size + 1 < limit;",
    "fits: without return size + 1 < limit;",
    "fits: if (size) return size + 1 <= limit;",
    "fits: if (size) return size + 1 >= limit;",
    "fits: if (size) return size - 1 < limit;",
    "fits: if (size) return size + 0 < limit;",
    "fits: if (size) return size + 2 < limit;",
    'fits: without return /5/.test(names[4] as "6");',
    'fits: return /5/.test(names[3] as "6");',
    'fits: return /5/.test(names[5] as "6");',
  ]);
});

Deno.test("statements, awaits, throws, calls, branches and defaults are mutated", () => {
  const text = `export async function first(list?: number[]) {
  if (!list) throw new Error("none");
  await list.sort();
  list.slice(1, 2).filter(Boolean);
  return list.length > 1_000 ? Math.max(...list) : list.at(-1) ?? 0;
}
`;
  assert.deepEqual(whats(text).map((what) => what.replace("first: ", "")), [
    'if (list) throw new Error("none");',
    'without throw new Error("none");',
    "without await list.sort();",
    "list.sort();",
    "await list;",
    "without list.slice(1, 2).filter(Boolean);",
    "list.slice(1, 2);",
    "list.slice(0, 2).filter(Boolean);",
    "list.slice(1).filter(Boolean);",
    "list.slice(0, 2).filter(Boolean); (2)",
    "list.slice(2, 2).filter(Boolean);",
    "list.slice(1, 1).filter(Boolean);",
    "list.slice(1, 3).filter(Boolean);",
    "without return list.length > 1_000 ? Math.max(...list) : list.at(-1) ?? 0;",
    "return list.length > 1_000 ? list.at(-1) ?? 0 : Math.max(...list);",
    "return list.length >= 1_000 ? Math.max(...list) : list.at(-1) ?? 0;",
    "return list.length <= 1_000 ? Math.max(...list) : list.at(-1) ?? 0;",
    "return list.length > 999 ? Math.max(...list) : list.at(-1) ?? 0;",
    "return list.length > 1001 ? Math.max(...list) : list.at(-1) ?? 0;",
    "return list.length > 1_000 ? Math.min(...list) : list.at(-1) ?? 0;",
    "return list.length > 1_000 ? Math.max(...list) : list.at(-1) && 0;",
    "return list.length > 1_000 ? Math.max(...list) : list.at(1) ?? 0;",
    "return list.length > 1_000 ? Math.max(...list) : list.at(-0) ?? 0;",
    "return list.length > 1_000 ? Math.max(...list) : list.at(-2) ?? 0;",
    "return list.length > 1_000 ? Math.max(...list) : list.at(-1) ?? 1;",
  ]);
});

Deno.test("what ends a function without a value is no mutant, nor is what would break a chain", () => {
  assert.deepEqual(whats("function f(): void { return; }"), []);
  assert.deepEqual(whats("const f = (a?: string[]) => a?.filter(Boolean).sort();"), []);
});

Deno.test("each mutant behaves as its text says, and none when none is switched on", async () => {
  const text = `export function sum(numbers: number[], from = 0): number {
  let total = from;
  for (const number of numbers) if (number > 0) total += number * 2;
  return total;
}
`;
  const { mutants, module } = await planted(text);
  const results = new Map(mutants.map(({ what }, id) => {
    activate(id);
    return [what.replace("sum: ", ""), module.sum([0, 3, -1])];
  }));
  activate(-1);
  assert.equal(module.sum([0, 3, -1]), 6);
  assert.equal(results.get("export function sum(numbers: number[], from = 1): number {"), 7);
  assert.equal(results.get("for (const number of numbers) if (number > 0) total -= number * 2;"), -6);
  assert.equal(results.get("for (const number of numbers) if (number <= 0) total += number * 2;"), -2);
  assert.equal(results.get("for (const number of numbers) if (number > 0) total += number * 3;"), 9);
  assert.equal(results.get("without total += number * 2;"), 0);
  assert.equal(results.get("without return total;"), undefined);
  const same = [...results].filter(([, result]) => result === 6).map(([what]) => what);
  assert.deepEqual(same, [
    "for (const number of numbers) if (number >= 0) total += number * 2;",
    "for (const number of numbers) if (number > 1) total += number * 2;",
  ]);
});

Deno.test("listed mutants do not count, and an entry that is not true any more is told", () => {
  const list = readEquivalents("# head\n\n## a.ts\n\n- ``f: x >= 0``: why\n- ``f: gone``: why\n- ``f: x <= 0``: why\n");
  const fate = (what: string, killedBy?: string) => ({ mutant: { what }, killedBy, tests: 1 }) as unknown as Fate;
  const fates = [fate("f: x >= 0"), fate("f: x <= 0", "a test"), fate("f: x > 1"), fate("f: x < 0", "a test")];
  const { mutants, killed, survivors, equivalent, stale, score } = list.judge("a.ts", fates, true);
  assert.deepEqual([mutants, killed, survivors.length, equivalent, score], [4, 2, 1, 1, 2 / 3]);
  assert.deepEqual(stale, ["f: x <= 0 (killed by a test)", "f: gone (there is none)"]);
  assert.equal(list.judge("a.ts", fates, false).stale.length, 1, "of a sample the others may be missing");
});
