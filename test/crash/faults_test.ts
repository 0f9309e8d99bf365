/** Every kind of fault, as often as a change can wait for it; `deno task faults` does them for longer. `SEED` replays a run. */
import assert from "node:assert";
import { rows } from "./rows.ts";
import { lossWithout, row as powerCut } from "./rows/power_cut.ts";
import { brokenCounts } from "./table.ts";

const seed = Number(Deno.env.get("SEED") ?? Math.floor(Math.random() * 2 ** 31));

for (const row of rows) {
  const lacks = row.missing();
  const name = `${row.promises}: row ${row.number}, ${row.name}, ${row.runs.ci} times (SEED=${seed})`;
  Deno.test({
    name: lacks === "" ? name : `${name} (${lacks})`,
    ignore: lacks !== "",
    async fn() {
      const begin = performance.now();
      const outcome = await row.run({ runs: row.runs.ci, seed, goOn: () => true });
      console.log(
        JSON.stringify({ row: row.number, ...outcome, seconds: Math.round((performance.now() - begin) / 1000) }),
      );
      assert.deepEqual(brokenCounts(outcome.findings), [0, 0, 0, 0], JSON.stringify(outcome.findings));
      assert.equal(outcome.runs, row.runs.ci);
    },
  });
}

Deno.test({
  name: `row 4 would show syncs that are only pretended${powerCut.missing() && ` (${powerCut.missing()})`}`,
  ignore: powerCut.missing() !== "",
  async fn() {
    assert.ok(await lossWithout({ call: "sync", pattern: "log/*.seg" }, 0) > 0, "ext4");
    assert.ok(await lossWithout({ call: "sync", pattern: "log/*.seg" }, 1) > 0, "XFS");
  },
});
