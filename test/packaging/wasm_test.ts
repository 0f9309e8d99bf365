import assert from "node:assert/strict";
import { Buffer } from "node:buffer";

const root = new URL("../../", import.meta.url).pathname;
const { tasks } = JSON.parse(await Deno.readTextFile(`${root}deno.json`));

Deno.test("what runs as WebAssembly is what its source says", async () => {
  const dir = await Deno.makeTempDir({ prefix: "sparkngin-test-" });
  try {
    const [, ...args] = (tasks.wasm as string).split(" ");
    const to = args.indexOf("--outFile") + 1;
    const kept = await Deno.readFile(root + args[to]!);
    args[to] = `${dir}/made.wasm`;
    await run(args);
    assert.ok(
      Buffer.from(kept).equals(await Deno.readFile(args[to]!)),
      "deno task wasm makes another file than is kept",
    );
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

/** Downloads a compiler, which may not work at once. */
async function run(args: string[]): Promise<void> {
  for (let tries = 3;; tries--) {
    const command = new Deno.Command(Deno.execPath(), { args, cwd: root, stderr: "piped" });
    const { success, stderr } = await command.output();
    if (success) return;
    if (tries === 1) throw new Error(new TextDecoder().decode(stderr));
    await new Promise((resolve) => setTimeout(resolve, 5000));
  }
}
