/** A copy of the project to be mutated: the work tree is only read. */

const root = new URL("../../", import.meta.url).pathname;
const parts = ["src", "adaptors", "test/log", "test/sim", "test/golden", "test/mutation", "deno.json", "deno.lock"];

/** Returns its directory, which is the caller's to remove. */
export async function copyProject(): Promise<string> {
  const copy = await Deno.makeTempDir({ prefix: "sparkngin-mutated-" });
  for (const part of parts) await copyAll(`${root}${part}`, `${copy}/${part}`);
  await Deno.symlink(`${root}node_modules`, `${copy}/node_modules`);
  return copy;
}

async function copyAll(from: string, to: string): Promise<void> {
  const { isDirectory } = await Deno.stat(from);
  if (!isDirectory) {
    await Deno.mkdir(to.slice(0, to.lastIndexOf("/")), { recursive: true });
    return await Deno.copyFile(from, to);
  }
  await Deno.mkdir(to, { recursive: true });
  for await (const { name } of Deno.readDir(from)) await copyAll(`${from}/${name}`, `${to}/${name}`);
}
