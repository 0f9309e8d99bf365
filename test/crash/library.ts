/** Libraries that are put in front of the system's. */
import { carryOut } from "./needs.ts";

/** Made in `dir` from the C file of this name beside this one; its path. */
export async function compileLibrary(name: string, dir: string): Promise<string> {
  const source = new URL(`${name}.c`, import.meta.url).pathname;
  await carryOut("gcc", "-shared", "-fPIC", "-O1", "-o", `${dir}/${name}.so`, source, "-ldl");
  return `${dir}/${name}.so`;
}
