/**
 * The executables of all machines, the same bytes wherever and whenever they are made: `deno compile` keeps the times of the
 * files and, where a package has odd ones, their paths. So it is done on a copy that has none of its own.
 */
import { carryOut } from "./command.ts";
import { dist, type Release, type Target } from "./release.ts";
import { Stage } from "./stage.ts";

/** Everybody's copy stands at the same place; one at a time. */
const stagePath = "/tmp/sparkngin-build";

/** Compiles what was asked for and resolves with the files, and with the packages that are in them. */
export async function makeExecutables(release: Release, targets: readonly Target[]): Promise<Built> {
  using alone = await Deno.open(`${stagePath}.lock`, { create: true, write: true });
  await alone.lock(true);
  await Deno.remove(stagePath, { recursive: true }).catch(ignoreMissing);
  try {
    const stage = await Stage.make(stagePath);
    const files = new Map<Target, string>();
    for (const target of targets) {
      // The first time fetches what this machine's executable needs besides, with the times of now.
      await compile(stage, target);
      await setTimes(stagePath, release.epoch);
      files.set(target, await compile(stage, target));
    }
    const lock = await Deno.readTextFile(`${stagePath}/deno.lock`);
    return { files, lock, licenses: await readLicenses(), imports: stage.imports };
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

async function setTimes(dir: string, epoch: number): Promise<void> {
  await carryOut("find", [dir, "-exec", "touch", "-h", "-d", `@${epoch}`, "{}", "+"]);
}

async function compile(stage: Stage, { triple }: Target): Promise<string> {
  const output = `${dist}/bin/${triple}/sparkngin`;
  const runtimes = Deno.env.get("DENORT_DIR");
  await Deno.mkdir(`${dist}/bin/${triple}`, { recursive: true });
  await stage.compile(output, { triple, ...(runtimes && { path: `${runtimes}/${triple}/denort` }) });
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
