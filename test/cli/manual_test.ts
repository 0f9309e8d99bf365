import assert from "node:assert/strict";
import { madePage, pagePath } from "../../man/make.ts";
import { exitCodes } from "../../src/cli/exit.ts";

const page = await Deno.readTextFile(pagePath);

Deno.test("M8.2 the manual is in step with the keys; else: deno run -A man/make.ts", async () => {
  assert.equal(await madePage(page), page);
});

Deno.test("M8.2 the manual has every exit code, command and variable", () => {
  for (const [name, code] of Object.entries(exitCodes)) assert.ok(page.includes(`\n.It ${code}\n`), name);
  for (const command of ["run", "check", "config", "status", "tail", "destination", "key", "log"]) {
    assert.ok(page.includes(`\n.It Cm ${command}\n`));
  }
  for (const variable of ["SPARKNGIN_CONFIG", "SPARKNGIN_URL", "SPARKNGIN_KEY"]) {
    assert.ok(page.includes(`.It Ev ${variable}`));
  }
});

Deno.test("M8.2 mandoc has nothing to say about the manual", async (test) => {
  const mandoc = new Deno.Command("mandoc", { args: ["-T", "lint", pagePath.pathname] });
  const result = await mandoc.output().catch(() => undefined);
  if (result === undefined) return void await test.step({ name: "there is no mandoc here", ignore: true, fn() {} });
  assert.equal(new TextDecoder().decode(result.stdout) + new TextDecoder().decode(result.stderr), "");
});

Deno.test("a page without its markers is not overwritten", async () => {
  await assert.rejects(madePage("nothing"), /its markers are gone/);
});
