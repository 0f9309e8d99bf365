import assert from "node:assert/strict";
import fc from "fast-check";
import { filterOf, patternOf } from "../../src/message/filter.ts";
import type { Message } from "../../src/message/message.ts";

function message(fields: Partial<Message>): Message {
  return { topic: "web.clicks", timestamp: 0, data: new Uint8Array(0), dataIsJson: false, ...fields };
}

Deno.test("without patterns every message passes", () => {
  assert.equal(filterOf()(message({})), true);
  assert.equal(filterOf({})(message({})), true);
});

Deno.test("a pattern without a star fits only the same text", () => {
  const fits = patternOf("web.clicks");
  assert.deepEqual(["web.clicks", "web.click", "web.clicks2", "Web.clicks", ""].map(fits), [
    true,
    false,
    false,
    false,
    false,
  ]);
});

Deno.test("a star stands for any characters, none included, and a dot only for itself", () => {
  const fits = patternOf("web.*.log");
  assert.ok(fits("web.a.log") && fits("web..log") && fits("web.a.log.log"));
  assert.ok(!fits("web.log") && !fits("webxa.log") && !fits("web.a.logs"));
  assert.ok(patternOf("a*")("a") && patternOf("*a")("a") && patternOf("*")("") && patternOf("**")("x"));
  assert.ok(!patternOf("ab*ba")("aba"), "the ends may not overlap");
});

Deno.test("commas separate alternatives, and spaces around them don't count", () => {
  const fits = patternOf("web.*, app , ");
  assert.deepEqual(["web.x", "app", "", "other"].map(fits), [true, true, true, false]);
});

Deno.test("all fields that are written must fit, and a missing field counts as empty", () => {
  const passes = filterOf({ topic: "web.*", level: "error,warning" });
  assert.ok(passes(message({ level: "error" })));
  assert.ok(!passes(message({ level: "info" })));
  assert.ok(!passes(message({ topic: "app", level: "error" })));
  assert.ok(!passes(message({})));
  assert.ok(filterOf({ env: "*" })(message({})) && filterOf({ env: "" })(message({})));
});

Deno.test("an unknown field is refused with the ones there are", () => {
  assert.throws(() => filterOf({ topics: "x" }), /one of topic, env, level, type instead of "topics"/);
});

Deno.test("a glob means what the regular expression of the same form means", () => {
  const letters = (alphabet: string) => fc.string({ unit: fc.constantFrom(...alphabet), maxLength: 12 });
  fc.assert(
    fc.property(letters("ab*."), letters("ab."), (glob, text) => {
      const expression = new RegExp(`^${glob.replaceAll(".", "\\.").replaceAll("*", ".*")}$`);
      assert.equal(patternOf(glob)(text), expression.test(text));
    }),
    { numRuns: 2000 },
  );
});

Deno.test("hostile patterns take no time", () => {
  const fits = patternOf(`${"*a".repeat(4000)}*b`);
  const start = performance.now();
  assert.equal(fits("a".repeat(8000)), false);
  assert.equal(fits("a".repeat(8000) + "b"), true);
  assert.ok(performance.now() - start < 1000);
});
