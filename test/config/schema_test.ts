import assert from "node:assert/strict";
import { Ajv } from "ajv";
import { parse } from "smol-toml";
import { adaptors } from "../../adaptors/mod.ts";
import { readConfig } from "../../src/config/read.ts";
import { sampleConfig } from "../../src/config/sample.ts";
import { configSchema, type KindOfDestination } from "../../src/config/schema.ts";

const kinds: Record<string, KindOfDestination> = {};
for (const [name, load] of Object.entries(adaptors)) kinds[name] = (await load()).default;
const schema = configSchema(kinds);
const validate = new Ajv({ strict: true, strictTypes: false, allErrors: true }).compile(schema);
const sample = sampleConfig(kinds);
/** The sample with every key switched on. */
const whole = sample.replace(/^#(?=\[\[|[a-z_]+ = )/gm, "");

function plain(toml: string): unknown {
  return JSON.parse(JSON.stringify(parse(toml)));
}
function accepts(toml: string): boolean {
  return validate(plain(toml));
}
function reading(toml: string) {
  const options = Object.fromEntries(Object.entries(kinds).map(([name, { options }]) => [name, options]));
  const files = [{ name: "sparkngin.toml", text: toml }];
  return readConfig({ files, env: {}, flags: {}, kinds: options, readFile: () => "" });
}

Deno.test("M8.1 the schema of the configuration is a JSON Schema", () => {
  assert.equal(new Ajv().validateSchema(schema), true);
});

Deno.test("M8.1 the sample changes nothing, and both the schema and we take it", () => {
  const [given, none] = [reading(sample), reading("")];
  if ("problems" in given || "problems" in none) assert.fail(JSON.stringify(given));
  assert.deepEqual(given.config, none.config);
  assert.ok(accepts(sample), JSON.stringify(validate.errors));
});

Deno.test("M8.1 the sample has every key and kind; switched on, the schema takes it all", () => {
  assert.ok(accepts(whole), JSON.stringify(validate.errors?.slice(0, 3)));
  const written = plain(whole) as { destination: Record<string, unknown>[] };
  assert.deepEqual(written.destination.map(({ kind }) => kind), Object.keys(kinds));
  for (const [number, { options }] of Object.values(kinds).entries()) {
    for (const name of Object.keys(options)) assert.ok(Object.hasOwn(written.destination[number]!, name), name);
  }
});

Deno.test("the schema takes what we take", () => {
  const taken = [
    '[http]\nlisten = "[::1]:8080"\nbody_max = 4096\nbodies_max = "1.5G"\nkeys = true\ncookies = "a,b"\nip = "hashed"',
    '[log]\nretain = "${RETAIN}"\nrecycle = "${RECYCLE}"\nsegment = "${file:/x}"',
    '[[destination]]\nname = "a"\nkind = "file"\nfilter = { topic = "web.*" }\nfrom = 12',
    '[[destination]]\nname = "a"\nkind = "kafka"\nbrokers = ["k:9092"]\ncompression = "zstd"',
  ];
  for (const toml of taken) assert.ok(accepts(toml), `${toml}: ${JSON.stringify(validate.errors)}`);
});

Deno.test("the schema refuses what we refuse", () => {
  const refused = [
    "[http]\nlisen = 3",
    "[htp]\n",
    "[http]\nkeys = 3",
    '[log]\nretain = "a while"',
    '[http]\nip = "no"',
    '[[destination]]\nname = "a"\nkind = "fiel"',
    '[[destination]]\nname = "a"\nkind = "kafka"',
    '[[destination]]\nname = "a"\nkind = "file"\nbrokers = ["k:9092"]',
    '[[destination]]\nname = "a"\nkind = "file"\nfilter = { topc = "a" }',
  ];
  for (const toml of refused) {
    assert.ok(!accepts(toml), toml);
    assert.ok("problems" in reading(toml), toml);
  }
});
