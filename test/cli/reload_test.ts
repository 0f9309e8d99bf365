import assert from "node:assert/strict";
import { CommandError, exitCodes } from "../../src/cli/exit.ts";
import { Reloads } from "../../src/cli/reload.ts";
import type { Config } from "../../src/config/keys.ts";
import type { Change } from "../../src/config/reload.ts";
import { SimClock } from "../sim/clock.ts";
import { sparkngin } from "./terminal.ts";

const nothing = { config: {} as Config, keys: [], needsRestart: [], added: [], changed: [], removed: [] };

function reloads(parts: { read?: () => Promise<Config>; apply?: () => Promise<Change> }) {
  const said: string[] = [];
  const journal = { say: (level: string, text: string) => void said.push(`${level} ${text}`) };
  const { read = async () => ({}) as Config, apply = async () => nothing } = parts;
  return { said, all: new Reloads({ read, apply, clock: new SimClock(), journal }) };
}

Deno.test("M8.1 what a reload has changed is told in one line", async () => {
  const apply = async () => ({ ...nothing, added: ["a", "b"], removed: ["c"], needsRestart: ["http.listen"] });
  const { all, said } = reloads({ apply });
  const { ok, text, needsRestart } = await all.reload();
  assert.deepEqual([ok, text], [true, "added: a, b; removed: c; waiting for a restart: http.listen"]);
  assert.deepEqual(needsRestart, ["http.listen"]);
  assert.deepEqual(said, [`info reloaded: ${text}`]);
});

Deno.test("M8.1 a configuration that is wrong is kept out, and every problem told", async () => {
  const read = () => Promise.reject(new CommandError(exitCodes.configuration, ["line 1: no", "line 2: no"]));
  const { all, said } = reloads({ read });
  const { ok, text } = await all.reload();
  assert.deepEqual([ok, text], [false, "line 1: no\nline 2: no"]);
  assert.match(said[0]!, /^error the configuration is kept as it was/);
  assert.deepEqual(all.count, { ok: 0, failed: 1 });
});

Deno.test("M8.1 reloads that are asked for while one is under way become one, which comes after it", async () => {
  const gates: (() => void)[] = [];
  const apply = () => new Promise<Change>((resolve) => gates.push(() => resolve(nothing)));
  const { all } = reloads({ apply });
  const turns = async () => {
    for (let i = 0; i < 20; i++) await Promise.resolve();
  };
  const first = all.reload();
  const others = [all.reload(), all.reload(), all.reload()];
  await turns();
  assert.equal(gates.length, 1);
  gates[0]!();
  await first;
  await turns();
  assert.equal(gates.length, 2);
  const late = all.reload();
  gates[1]!();
  await Promise.all(others);
  await turns();
  gates[2]!();
  await late;
  assert.deepEqual(all.count, { ok: 3, failed: 0 });
});

Deno.test("M8.1 sparkngin reload tells what came of it; what is refused ends with 78", async () => {
  const said = (ok: boolean, text: string) => JSON.stringify({ at: "", ok, text, needs_restart: [] });
  const well = await sparkngin(["reload"], { answers: { "/reload": said(true, "added: bus") } });
  assert.deepEqual([well.code, well.out, well.err], [0, "added: bus\n", ""]);
  assert.deepEqual(well.asked, ["POST http://127.0.0.1:8081/reload {}"]);
  const ill = await sparkngin(["reload"], { answers: { "/reload": said(false, "line 3: \x1b[31munknown") } });
  assert.equal(ill.code, exitCodes.configuration);
  assert.equal(ill.err, "The configuration is kept as it was:\nline 3: \\x1b[31munknown\n");
  const json = await sparkngin(["reload", "--json"], { answers: { "/reload": said(true, "") } });
  assert.equal(JSON.parse(json.out).ok, true);
});
