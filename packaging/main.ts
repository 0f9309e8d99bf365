/**
 * Makes what people download: `deno task package [KIND…]`, into dist/. Kinds: tarball, deb, rpm, dmg, image; all of them if
 * none is named. `DENORT_DIR` is a folder with `<target>/denort` for each machine, where Deno cannot download them.
 */
import { checksums } from "./checksums.ts";
import { makeDeb } from "./deb.ts";
import { makeDmg } from "./dmg.ts";
import { type Built, makeExecutables } from "./executable.ts";
import { makeImage } from "./image.ts";
import { dist, license, type Release, type Target, targets, thisRelease } from "./release.ts";
import { makeRpm } from "./rpm.ts";
import { makeSbom } from "./sbom.ts";
import { makeTarball } from "./tarball.ts";
import { type Papers, systemFiles } from "./tree.ts";

const kinds = ["tarball", "deb", "rpm", "dmg", "image"] as const;
type Kind = (typeof kinds)[number];

interface Parts {
  readonly release: Release;
  readonly built: Built;
  readonly papers: Papers;
}

const makers: Readonly<Record<Kind, (parts: Parts) => Promise<string[]>>> = {
  tarball: ({ release, built, papers }) =>
    Promise.all([...built.files].map(([target, file]) => makeTarball(release, target, file, papers))),
  deb: ({ release, built, papers }) =>
    Promise.all(
      forLinux(built).map(async ([target, file]) =>
        makeDeb({ release, target, files: await systemFiles(file, papers, "deb") })
      ),
    ),
  rpm: ({ release, built, papers }) =>
    Promise.all(
      forLinux(built).map(async ([target, file]) =>
        makeRpm({ release, target, files: await systemFiles(file, papers, "rpm") })
      ),
    ),
  dmg: ({ release, built, papers }) =>
    Promise.all(
      [...built.files].filter(([target]) => target.os === "macos")
        .map(([target, file]) => makeDmg(release, target, file, papers)),
    ),
  image: async ({ release, built, papers }) =>
    (await Promise.all(forLinux(built).map(([target, file]) => makeImage(release, target, file, papers)))).flat(),
};

function forLinux(built: Built): [Target, string][] {
  return [...built.files].filter(([target]) => target.os === "linux");
}

async function main(asked: readonly string[]): Promise<void> {
  const unknown = asked.find((kind) => !(kinds as readonly string[]).includes(kind));
  if (unknown !== undefined) throw new Error(`Cannot make ${unknown}: there are ${kinds.join(", ")}`);
  const wanted = kinds.filter((kind) => asked.length === 0 || asked.includes(kind));
  const release = await thisRelease();
  await Deno.mkdir(dist, { recursive: true });
  const built = await makeExecutables(release, targets);
  const sbom = sbomOf(release, built);
  const sbomPath = `${dist}/sparkngin-${release.version}.cdx.json`;
  await Deno.writeTextFile(sbomPath, sbom);
  const made = [sbomPath];
  for (const kind of wanted) made.push(...await makers[kind]({ release, built, papers: { sbom } }));
  await Deno.writeTextFile(`${dist}/SHA256SUMS`, await checksums(made));
  console.log([...made, `${dist}/SHA256SUMS`].map((path) => path.slice(dist.length - 4)).join("\n"));
}

function sbomOf({ version, epoch }: Release, { lock, licenses, imports }: Built): string {
  const runtime = Deno.version.deno;
  return makeSbom({
    name: "sparkngin",
    version,
    license,
    epoch,
    runtime,
    lock,
    licenses,
    imports: Object.values(imports),
  });
}

await main(Deno.args);
