import assert from "node:assert/strict";
import { comparison, parseLines } from "./compare.ts";

const before = parseLines(`# what a person wrote
{"case":"get-64","runtime":"deno 2.9.6 source","requests_per_s":{"median":100,"min":90,"max":110},"cpu_s_per_million":20,"references":[{"name":"nginx","ratio":0.5,"ratios":[0.4,0.5,0.6]}]}
{"case":"gone","runtime":"deno 2.9.6 source","ms":{"median":1,"min":1,"max":1}}
| case | a table |
`);

Deno.test("figures are compared by case and kind of runtime, whatever its version", () => {
  const now = [{
    case: "get-64",
    runtime: "deno 3.0.0 source",
    requests_per_s: { median: 150, min: 140, max: 160 },
    cpu_s_per_million: 10,
    references: [{ name: "nginx", ratio: 0.55, ratios: [0.55] }, { name: "new", ratio: 1, ratios: [1] }],
  }];
  assert.deepEqual(comparison(before, now).split("\n").slice(2), [
    "| get-64 source | requests_per_s | 100 | 150 | 1.5 | 20 %, 13 % |",
    "| get-64 source | cpu_s_per_million | 20 | 10 | 0.5 | –, – |",
    "| get-64 source | to nginx | 0.5 | 0.55 | 1.1 (within the spread) | 40 %, – |",
  ]);
});

Deno.test("a case that was not measured before, or that has failed, gives no row", () => {
  const now = [{ case: "get-64", runtime: "deno 2.9.6 executable", ms: 1 }, {
    case: "gone",
    runtime: "deno 2.9.6 source",
    failed: "why",
  }];
  assert.equal(comparison(before, now), "Nothing here was measured before.");
});

Deno.test("a file without a line of JSON is refused", () => {
  assert.throws(() => parseLines("# nothing\n"), /no line of JSON/);
});
