/** What an executable is made of: the packages that the product imports, and none that only tests need. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { Stage } from "../../packaging/stage.ts";
import { carryOut } from "../crash/needs.ts";
import { findProgram } from "../e2e/executable.ts";
import { makeTempDir } from "../e2e/node.ts";
import { root } from "./made.ts";

interface Graph {
  readonly modules: readonly { readonly specifier: string; readonly dependencies?: readonly Dependency[] }[];
}
interface Dependency {
  readonly specifier: string;
  readonly code?: { readonly specifier: string };
}

const { imports } = JSON.parse(Deno.readTextFileSync(`${root}/deno.json`)) as { imports: Record<string, string> };

/** The packages that our modules name, as the runtime follows them from the one that `deno compile` is given, and the threads. */
async function followed(): Promise<Record<string, string>> {
  const said = await Promise.all(
    ["src/main.ts", "src/ingest/thread.ts", "src/deliver/worker.ts"].map((path) =>
      carryOut(Deno.execPath(), "info", "--json", "--config", `${root}/deno.json`, `${root}/${path}`)
    ),
  );
  const modules = said.flatMap((text) => (JSON.parse(text) as Graph).modules);
  const named = modules.filter(({ specifier }) => specifier.startsWith("file:")).flatMap((one) =>
    one.dependencies ?? []
  );
  const packages = new Set(named.map(({ code }) => code?.specifier ?? "").filter((one) => one.startsWith("npm:")));
  return Object.fromEntries(Object.entries(imports).filter(([, one]) => packages.has(one)));
}

Deno.test("what is compiled names the packages that the product imports, and no other", async () => {
  await using dir = await makeTempDir();
  const stage = await Stage.make(`${dir.path}/stage`);
  assert.deepEqual(stage.imports, await followed());
});

const { command } = await findProgram();
const needs = command === Deno.execPath() ? " (needs deno task compile)" : "";

Deno.test({
  name: `the executable holds the packages that the product needs, and none that only tests do${needs}`,
  ignore: needs !== "",
  async fn() {
    await using dir = await makeTempDir();
    await Stage.make(`${dir.path}/stage`);
    const { npm } = JSON.parse(await Deno.readTextFile(`${dir.path}/stage/deno.lock`)) as { npm: object };
    const bytes = Buffer.from(await Deno.readFile(command));
    const names = Object.values(imports).map((specifier) => specifier.slice("npm:".length));
    const held = names.filter((name) => bytes.includes(name.replace("/", "+")));
    assert.deepEqual(held, names.filter((name) => name in npm));
  },
});
