/**
 * The program under test: what `SPARKNGIN_EXE` names, else `dist/sparkngin`, compiled when it is older than the source. Where
 * no runtime for an executable can be had it runs from source, which `SPARKNGIN_EXE=source` asks for.
 */
import { fileURLToPath } from "node:url";

export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");
const compiled = `${root}/dist/sparkngin`;
const compileMs = 300_000;

/** Found once a process: what was found goes into the environment, where the next test file sees it. */
export async function findProgram(): Promise<Program> {
  const found = Deno.env.get("SPARKNGIN_EXE") || await find();
  Deno.env.set("SPARKNGIN_EXE", found);
  return found === "source" ? await fromSource() : { command: found, args: [], env: {} };
}

async function find(): Promise<string> {
  if (await isCurrent()) return compiled;
  const trouble = await compile();
  if (trouble === undefined) return compiled;
  console.error(`The end-to-end tests run from source, because no executable can be made here: ${trouble}`);
  return "source";
}

async function isCurrent(): Promise<boolean> {
  const made = await changed(compiled);
  const sources = await Promise.all([`${root}/src`, `${root}/adaptors`].map(newest));
  return made >= Math.max(...sources, await changed(`${root}/deno.json`)) && made > 0;
}

async function newest(dir: string): Promise<number> {
  let latest = 0;
  for await (const { name, isDirectory } of Deno.readDir(dir)) {
    const path = `${dir}/${name}`;
    latest = Math.max(latest, isDirectory ? await newest(path) : await changed(path));
  }
  return latest;
}

async function changed(path: string): Promise<number> {
  return (await Deno.stat(path).catch(() => undefined))?.mtime?.getTime() ?? 0;
}

/** What went wrong, or nothing. A runtime of another version than the compiler's gives a file that does not start. */
async function compile(): Promise<string | undefined> {
  const made = await output(Deno.execPath(), ["task", "--quiet", "compile"]);
  if (!made.success) return made.text;
  const tried = await output(compiled, ["--version"]);
  if (tried.success && tried.text.startsWith("sparkngin ")) return undefined;
  await Deno.remove(compiled);
  return `what was compiled does not start: ${tried.text}`;
}

async function output(command: string, args: string[]): Promise<{ success: boolean; text: string }> {
  // The compiler's threads need more than their usual stack for our modules.
  const env = { RUST_MIN_STACK: "33554432", NO_COLOR: "1" };
  const signal = AbortSignal.timeout(compileMs);
  try {
    const { success, stdout, stderr } = await new Deno.Command(command, { args, env, cwd: root, signal }).output();
    const text = new TextDecoder();
    return { success, text: (text.decode(stdout) + text.decode(stderr)).trim() };
  } catch (problem) {
    return { success: false, text: String(problem) };
  }
}

/** As `deno task start` does, from any directory. */
async function fromSource(): Promise<Program> {
  const { tasks } = JSON.parse(await Deno.readTextFile(`${root}/deno.json`)) as { tasks: { start: string } };
  const flags = tasks.start.split(" ").filter((word) => word.startsWith("--"));
  const { denoDir } = JSON.parse((await output(Deno.execPath(), ["info", "--json"])).text) as { denoDir: string };
  return {
    command: Deno.execPath(),
    args: ["run", "--quiet", "--config", `${root}/deno.json`, ...flags, `${root}/src/main.ts`],
    env: { DENO_DIR: denoDir },
  };
}
