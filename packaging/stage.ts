/**
 * The copy of the sources that an executable is compiled from: `deno compile` puts in all packages that the configuration beside
 * it names and every file they have, so there it names those of the product alone, and what never runs is taken out.
 */
import { carryOut } from "./command.ts";
import { root } from "./release.ts";

// The compiler's threads need more than their usual stack for our modules.
const environment = { RUST_MIN_STACK: "33554432", NO_COLOR: "1" };
/** The main module, and those of the threads, which nothing imports. */
const mainModule = "src/main.ts";
const threads = ["src/ingest/thread.ts", "src/deliver/worker.ts"];
/** The compiler's own notes, which it writes anew. */
const notes = "node_modules/.deno/.setup-cache.bin";
/** Of packages: types and sources of what is there as JavaScript, words for people, and what may not be loaded (no `--allow-ffi`). */
const neverRuns = /\.([cm]?ts|map|md|node)$/;

/** What `from "…"` and `import("…")` name, up to where a path inside a package begins. */
const importedName = /\b(?:from|import) ?\(?"((?:@[\w.-]+\/)?[\w.-]+)[^"]*"/g;

interface Settings {
  readonly imports: Readonly<Record<string, string>>;
  readonly tasks: { readonly start: string };
}
/** Where `deno compile` shall get the runtime from that it adds to; left out: as Deno does. */
export interface Runtime {
  readonly triple?: string;
  readonly path?: string;
}

export class Stage {
  readonly dir: string;
  /** What our own code names. */
  readonly imports: Settings["imports"];
  readonly #permissions: readonly string[];

  private constructor(dir: string, { imports, tasks }: Settings) {
    this.dir = dir;
    this.imports = imports;
    this.#permissions = tasks.start.split(" ").filter((word) => word.startsWith("--"));
  }

  /** Makes `dir`, with everything in it. */
  static async make(dir: string): Promise<Stage> {
    await Deno.mkdir(dir, { recursive: true });
    for (const name of ["src", "adaptors"]) await copy(`${root}/${name}`, `${dir}/${name}`);
    await Deno.copyFile(`${root}/deno.lock`, `${dir}/deno.lock`);
    const settings = JSON.parse(await Deno.readTextFile(`${root}/deno.json`)) as Settings;
    const imports = await productImports(settings.imports);
    const own = { ...settings, imports, lock: { path: "deno.lock", frozen: false } };
    await Deno.writeTextFile(`${dir}/deno.json`, JSON.stringify(own));
    await carryOut(Deno.execPath(), ["install", "--quiet"], { cwd: dir, env: environment });
    return new Stage(dir, own);
  }

  /** Writes the executable; types are checked elsewhere, those of packages are not here. */
  async compile(output: string, { triple, path }: Runtime = {}): Promise<void> {
    await removeWhatNeverRuns(`${this.dir}/node_modules`);
    const args = [
      ...["compile", "--quiet", "--no-check", "--no-code-cache", "--unstable-net", ...this.#permissions],
      ...threads.flatMap((thread) => ["--include", thread]),
      ...["--exclude", notes, "--output", output, ...(triple ? ["--target", triple] : []), mainModule],
    ];
    const env: Record<string, string> = path ? { ...environment, DENORT_BIN: path } : environment;
    await carryOut(Deno.execPath(), args, { cwd: this.dir, env });
  }
}

/** Of all packages those that a module of the product imports. */
async function productImports(all: Settings["imports"]): Promise<Settings["imports"]> {
  const texts = await Promise.all(["src", "adaptors"].map((name) => sourceText(`${root}/${name}`)));
  const named = new Set(texts.join("").matchAll(importedName).map(([, name]) => name!));
  return Object.fromEntries(Object.entries(all).filter(([name]) => named.has(name)));
}

async function sourceText(dir: string): Promise<string> {
  let text = "";
  for await (const { name, isDirectory } of Deno.readDir(dir)) {
    if (isDirectory) text += await sourceText(`${dir}/${name}`);
    else if (name.endsWith(".ts")) text += await Deno.readTextFile(`${dir}/${name}`);
  }
  return text;
}

async function copy(from: string, to: string): Promise<void> {
  await Deno.mkdir(to);
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    await (isDirectory ? copy : Deno.copyFile)(`${from}/${name}`, `${to}/${name}`);
  }
}

async function removeWhatNeverRuns(dir: string): Promise<void> {
  for await (const { name, isDirectory, isFile } of Deno.readDir(dir)) {
    if (isDirectory) await removeWhatNeverRuns(`${dir}/${name}`);
    else if (isFile && neverRuns.test(name)) await Deno.remove(`${dir}/${name}`);
  }
}
