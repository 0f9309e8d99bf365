/** What `deno task package` has made: in `PACKAGES_DIR`, else in dist/. */
import { fileURLToPath } from "node:url";
import { version } from "../../src/cli/version.ts";
import { type Command, missing } from "../crash/needs.ts";

export const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");
const dir = Deno.env.get("PACKAGES_DIR") || `${root}/dist`;

/** The file, whether it is there or not. */
export function made(name: string): string {
  return `${dir}/${name.replace("VERSION", version)}`;
}

/** "" when the files are made and the commands there, else what is needed. */
export function needs(files: readonly string[], commands: readonly Command[] = [], who?: "root"): string {
  const absent = files.some((name) => !exists(made(name))) ? ["deno task package"] : [];
  return [...absent, missing(commands, who)].filter((text) => text !== "").join(", ").replace(/^deno/, "needs deno");
}

/** A test that is left out, and says why in its name, where something is missing. */
export function packageTest(
  name: string,
  { files = [], commands = [], who }: { files?: readonly string[]; commands?: readonly Command[]; who?: "root" },
  fn: () => Promise<void>,
): void {
  const lack = needs(files, commands, who);
  Deno.test({ name: lack === "" ? name : `${name} (${lack})`, ignore: lack !== "", fn });
}

export function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}
