import assert from "node:assert/strict";
import { leaves, pathOf, shownOptions } from "../../man/commands.ts";
import { fill, madePages, manDir } from "../../man/make.ts";
import { exitCodes } from "../../src/cli/exit.ts";
import { listedNames, parseFormat } from "../../src/config/format.ts";
import { outputNames } from "../../src/message/message.ts";
import { commandTree } from "../../src/cli/program.ts";
import { sparkngin } from "./terminal.ts";

const pages = new Map(
  [...Deno.readDirSync(manDir)].map(({ name }) => name).filter((name) => /\.[1-8]$/.test(name))
    .map((name) => [name, Deno.readTextFileSync(manDir + name)]),
);
const page = (name: string) => pages.get(name) ?? assert.fail(`there is no man/${name}`);

Deno.test("M8.2 the manual is in step with keys and commands; else: deno run -A man/make.ts", async () => {
  for (const [name, made] of await madePages((name) => pages.get(name))) {
    assert.ok(pages.get(name) === made, `${name}: run deno run -A man/make.ts`);
  }
});

Deno.test("M8.2 every command and option is in --help and in the page of the command", async () => {
  for (const command of leaves(commandTree())) {
    const path = pathOf(command);
    const help = await sparkngin([...path.split(" "), "--help"]);
    assert.deepEqual([help.code, help.err], [0, ""], path);
    const words = help.out.replace(/\s+/g, " ");
    const manual = page(`sparkngin-${path.split(" ")[0]}.1`);
    assert.ok(words.includes(command.description()) && manual.includes(`.Cm ${path}\n`), path);
    for (const { long, description } of shownOptions(command)) {
      assert.ok(words.includes(`${long} `) && words.includes(description), `${path} ${long}`);
      assert.ok(manual.includes(`\n.It Fl ${long!.slice(1)}`) || manual.includes(`, Fl ${long!.slice(1)}`), long);
    }
    for (const argument of command.registeredArguments) assert.ok(manual.includes(`.It Ar ${argument.name()}\n`), path);
  }
});

Deno.test("M8.2 the manual has every exit code and variable", () => {
  for (const [name, code] of Object.entries(exitCodes)) {
    assert.ok(page("sparkngin.1").includes(`\n.It ${code}\n`), name);
  }
  for (const variable of ["SPARKNGIN_CONFIG", "SPARKNGIN_URL", "SPARKNGIN_KEY", "SPARKNGIN_CONTEXT"]) {
    assert.ok(page("sparkngin.1").includes(`.It Ev ${variable}`));
  }
});

Deno.test("M5.1 the manual has every field of a message, in the order of the envelope", () => {
  const found = [...page("sparkngin.7").matchAll(/^\.It Ic (\S+)$/gm)].map(([, label]) => label);
  assert.deepEqual(found, ["id", "timestamp", ...outputNames.map(([, label]) => label), "data"]);
});

Deno.test("M2.3 the manual has every format, and every name of a list of fields", () => {
  for (const format of ["json", "json-v2", "binary", "raw", "cloudevents"]) {
    parseFormat(format);
    assert.ok(page("sparkngin.7").includes(`\n.It Cm ${format}\n`), format);
  }
  for (const name of listedNames) assert.ok(new RegExp(`\\b${name}\\b`).test(page("sparkngin.7")), name);
});

Deno.test("M8.2 a page that another one names is there", () => {
  for (const [name, text] of pages) {
    for (const [, other, section] of text.matchAll(/^\.Xr (sparkngin\S*) (\d)/gm)) {
      assert.ok(pages.has(`${other}.${section}`), `${name} names ${other}(${section})`);
    }
  }
});

Deno.test("M8.2 mandoc has nothing to say about the manual", async (test) => {
  const args = ["-T", "lint", ...[...pages.keys()].map((name) => manDir + name)];
  const result = await new Deno.Command("mandoc", { args }).output().catch(() => undefined);
  if (result === undefined) return void await test.step({ name: "there is no mandoc here", ignore: true, fn() {} });
  const said = new TextDecoder().decode(result.stdout) + new TextDecoder().decode(result.stderr);
  // It looks for other pages where they are not installed; whether ours are there is another test.
  assert.deepEqual(said.split("\n").filter((line) => line !== "" && !line.includes("referenced manual not found")), []);
});

Deno.test("a page without its markers is not overwritten", () => {
  assert.throws(() => fill(() => "nothing", "a.1", { keys: "" }), /its markers are gone/);
});
