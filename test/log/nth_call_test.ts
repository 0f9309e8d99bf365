import assert from "node:assert/strict";
import { type Call, type FaultOptions, SimWorld } from "../sim/world.ts";
import { attempt, Ledger, Life, reckon } from "./story.ts";
import type { Settings } from "./trial.ts";

/** Thirty appends over several segments, two cursors, a trim, an orderly stop, a start, one more. */
async function workload(sim: SimWorld, ledger: Ledger, settings: Settings): Promise<void> {
  await attempt(ledger, async () => {
    const life = new Life(sim, ledger, settings);
    for (let i = 1; i <= 30; i++) {
      await life.append();
      if (i % 10 === 0) await attempt(ledger, () => life.deliver());
      if (i % 10 === 0) await attempt(ledger, () => life.sync());
      if (i === 20) await attempt(ledger, () => life.trim());
    }
    await attempt(ledger, () => life.trim());
    await attempt(ledger, () => life.close());
  });
  sim.killProcess();
  await attempt(ledger, async () => {
    const life = new Life(sim, ledger, settings);
    await life.append();
    await attempt(ledger, () => life.deliver());
    await attempt(ledger, () => life.close());
  });
}

/** Fails the n-th call for every n until there is none; returns how many there were. */
async function failEvery(code: string, options: FaultOptions): Promise<number> {
  for (let n = 1;; n++) {
    const sim = new SimWorld(n);
    const ledger = new Ledger();
    sim.failNth(n, code, options);
    await workload(sim, ledger, { recycle: n % 2 === 0 });
    const fired = !sim.faultsPending;
    sim.heal();
    if (n % 4 < 2) sim.cutPower();
    else sim.killProcess();
    await reckon(sim, ledger);
    assert.deepEqual(ledger.violations, [], `${code} at call ${n}`);
    if (!fired) return n - 1;
  }
}

const space: readonly Call[] = ["create", "write", "sync", "truncate", "makeDir", "rename", "syncDir"];
const handles: readonly Call[] = ["create", "open", "list", "lock"];
const cases: readonly (readonly [string, FaultOptions])[] = [
  ["EIO", {}],
  ["EINTR", {}],
  ["ENOSPC", { kinds: space }],
  ["EDQUOT", { kinds: space }],
  ["EMFILE", { kinds: handles }],
  ["EIO", { kinds: ["write"], short: true }],
  ["ENOSPC", { kinds: ["write"], short: true }],
];

for (const [code, options] of cases) {
  for (const persistent of [false, true]) {
    const what = `${code} from any one ${options.short ? "write that came half way" : "call"}`;
    Deno.test(`P2 P10 P12: ${what}${persistent ? " and all after it" : ""} loses nothing`, async () => {
      const count = await failEvery(code, { ...options, persistent });
      assert.ok(count > 10, `only ${count} calls were made`);
    });
  }
}
