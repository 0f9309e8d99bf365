/**
 * The executables of all machines, the same bytes wherever and whenever they are made: `deno compile` keeps the times of the
 * files and, where a package has odd ones, their paths. So it is done on a copy that has none of its own.
 */
import { carryOut } from "./command.ts";
import { dist, type Release, root, type Target } from "./release.ts";

/** Everybody's copy stands at the same place; one at a time. */
const stagePath = "/tmp/sparkngin-build";

/** Compiles what was asked for and resolves with the files, and with the packages that are in them. */
export async function makeExecutables(release: Release, targets: readonly Target[]): Promise<Built> {
  using lock = await Deno.open(`${stagePath}.lock`, { create: true, write: true });
  await lock.lock(true);
  await Deno.remove(stagePath, { recursive: true }).catch(ignoreMissing);
  try {
    const imports = await copySources();
    await carryOut(Deno.execPath(), ["install", "--quiet"], { cwd: stagePath, env: compilerEnvironment });
    const files = new Map<Target, string>();
    for (const target of targets) {
      // The first time fetches what this machine's executable needs besides, with the times of now.
      await compile(target);
      await setTimes(stagePath, release.epoch);
      files.set(target, await compile(target));
    }
    return { files, lock: await Deno.readTextFile(`${stagePath}/deno.lock`), licenses: await readLicenses(), imports };
  } finally {
    await Deno.remove(stagePath, { recursive: true }).catch(ignoreMissing);
  }
}

export interface Built {
  readonly files: ReadonlyMap<Target, string>;
  /** The lock file of what is inside: without what only tests need. */
  readonly lock: string;
  /** By package and version, e.g. "hono@4.13.19"; only what is inside. */
  readonly licenses: ReadonlyMap<string, string>;
  /** What our own code names. */
  readonly imports: Readonly<Record<string, string>>;
}

// The compiler's threads need more than their usual stack for our modules.
const compilerEnvironment = { RUST_MIN_STACK: "33554432", NO_COLOR: "1" };

async function copySources(): Promise<Readonly<Record<string, string>>> {
  await Deno.mkdir(stagePath);
  for (const name of ["src", "adaptors", "deno.lock"]) await carryOut("cp", ["-r", `${root}/${name}`, `${stagePath}/`]);
  const settings = JSON.parse(await Deno.readTextFile(`${root}/deno.json`));
  const text = (await Promise.all([sourceText(`${root}/src`), sourceText(`${root}/adaptors`)])).join("");
  settings.imports = Object.fromEntries(
    Object.entries(settings.imports).filter(([name]) => text.includes(`"${name}"`) || text.includes(`"${name}/`)),
  );
  settings.lock = { path: "deno.lock", frozen: false };
  await Deno.writeTextFile(`${stagePath}/deno.json`, JSON.stringify(settings));
  return settings.imports;
}

async function sourceText(dir: string): Promise<string> {
  let text = "";
  for await (const { name, isDirectory } of Deno.readDir(dir)) {
    if (isDirectory) text += await sourceText(`${dir}/${name}`);
    else if (name.endsWith(".ts")) text += await Deno.readTextFile(`${dir}/${name}`);
  }
  return text;
}

async function setTimes(dir: string, epoch: number): Promise<void> {
  await carryOut("find", [dir, "-exec", "touch", "-h", "-d", `@${epoch}`, "{}", "+"]);
}

async function compile(target: Target): Promise<string> {
  const { tasks } = JSON.parse(await Deno.readTextFile(`${root}/deno.json`)) as { tasks: { compile: string } };
  const output = `${dist}/bin/${target.triple}/sparkngin`;
  const words = tasks.compile.split(" ").slice(1).map((word) => word === "dist/sparkngin" ? output : word);
  // The compiler's own notes, which it writes anew.
  const without = ["--exclude", "node_modules/.deno/.setup-cache.bin"];
  const args = [...words.slice(0, -1), ...without, "--target", target.triple, words.at(-1)!];
  const runtime = Deno.env.get("DENORT_DIR");
  const env: Record<string, string> = runtime ? { DENORT_BIN: `${runtime}/${target.triple}/denort` } : {};
  await Deno.mkdir(`${dist}/bin/${target.triple}`, { recursive: true });
  await carryOut(Deno.execPath(), args, { cwd: stagePath, env: { ...compilerEnvironment, ...env } });
  return output;
}

async function readLicenses(): Promise<Map<string, string>> {
  const licenses = new Map<string, string>();
  for await (const { name, isDirectory } of Deno.readDir(`${stagePath}/node_modules/.deno`)) {
    const found = /^(.+)@([^@_]+)(_.*)?$/.exec(name.replaceAll("+", "/"));
    if (!isDirectory || !found) continue;
    const path = `${stagePath}/node_modules/.deno/${name}/node_modules/${found[1]}/package.json`;
    const { version, license } = JSON.parse(await Deno.readTextFile(path));
    licenses.set(`${found[1]}@${version}`, typeof license === "string" ? license : license?.type ?? "");
  }
  return licenses;
}

function ignoreMissing(problem: unknown): void {
  if (!(problem instanceof Deno.errors.NotFound)) throw problem;
}
