import assert from "node:assert/strict";
import { adaptors } from "../../adaptors/mod.ts";
import { coreKeys, destinationKeys } from "../../src/config/keys.ts";

Deno.test("every key has help and a default that its own reader takes", () => {
  for (const { path, option } of coreKeys()) {
    assert.ok(option.help.length > 0, path);
    assert.doesNotThrow(() => option.read(option.fallback), path);
  }
});

Deno.test("a key goes by one name each in the file, the environment and on the command line", () => {
  const key = coreKeys().find(({ path }) => path === "log.retain_max")!;
  assert.equal(key.flag, "--log-retain-max");
  assert.equal(key.variable, "SPARKNGIN_LOG__RETAIN_MAX");
  for (const  of of["path", "flag", "variable"] as const) {
    assert.equal(new Set(coreKeys().map((key) => key[of])).size, coreKeys().length);
  }
});

Deno.test("no adaptor's option hides a key that every destination has", async () => {
  for (const [name, load] of Object.entries(adaptors)) {
    const { options } = (await load()).default;
    const hidden = Object.keys(options).filter((key) => Object.hasOwn(destinationKeys, key));
    assert.deepEqual(hidden, [], name);
  }
});
