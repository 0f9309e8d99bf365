/** Tarballs that work wherever they are unpacked. */
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { dist, type Release, type Target } from "./release.ts";
import { makeTar, withParents } from "./tar.ts";
import { looseFiles, type Papers } from "./tree.ts";

export const compressed = promisify(gzip) as (bytes: Uint8Array, options?: { level: number }) => Promise<Uint8Array>;

export async function makeTarball(
  release: Release,
  target: Target,
  executable: string,
  papers: Papers,
): Promise<string> {
  const name = `sparkngin-${release.version}-${target.os}-${target.cpu}`;
  const files = await looseFiles(executable, papers, target.os);
  const entries = withParents(files.map((file) => ({ ...file, path: `${name}/${file.path}` })));
  const path = `${dist}/${name}.tar.gz`;
  await Deno.writeFile(path, await compressed(makeTar(entries, release.epoch), { level: 6 }));
  return path;
}
