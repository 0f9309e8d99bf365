import assert from "node:assert/strict";
import { adaptors } from "../../adaptors/mod.ts";
import { makeSample } from "../../packaging/sample.ts";
import { readConfig } from "../../src/config/read.ts";

async function read(text: string): Promise<ReturnType<typeof readConfig>> {
  const kinds: Record<string, any> = {};
  for (const [name, load] of Object.entries(adaptors)) kinds[name] = (await load()).default.options;
  return readConfig({ files: [{ name: "sample", text }], env: {}, readFile: () => "", flags: {}, kinds });
}

Deno.test("the sample configuration is sound and says nothing but where the data are", async () => {
  const plain = await read("");
  assert.ok("config" in plain);
  const sample = await read(await makeSample());
  assert.ok("config" in sample, JSON.stringify(sample));
  assert.deepEqual(sample.config, plain.config);
  const placed = await read(await makeSample("/srv/events"));
  assert.ok("config" in placed);
  assert.equal(placed.config.data, "/srv/events");
});
