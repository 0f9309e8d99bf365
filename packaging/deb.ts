/** Debian packages: an ar archive of two tarballs, which needs no tool to write. */
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { debianChanges, packager } from "./changes.ts";
import { description, dist, type Release, root, summary, type Target } from "./release.ts";
import { joined, makeTar, type Packed, withParents } from "./tar.ts";
import { compressed } from "./tarball.ts";
import { dataDir, type PlacedFile } from "./tree.ts";

export interface DebParts {
  readonly release: Release;
  readonly target: Target;
  readonly files: readonly PlacedFile[];
  /** Counts packages of one version, from "1". */
  readonly number?: string;
  /** Where the package is put. */
  readonly into?: string;
}

const text = (value: string) => new TextEncoder().encode(value);

export async function makeDeb({ release, target, files, number = "1", into = dist }: DebParts): Promise<string> {
  const doc = "usr/share/doc/sparkngin";
  const overrides = await Deno.readFile(`${root}/packaging/files/deb/lintian-overrides`);
  const all: PlacedFile[] = [
    ...files,
    {
      path: `${doc}/changelog.Debian.gz`,
      bytes: gzipSync(text(debianChanges(release, number)), { level: 9 }),
      mode: 0o644,
    },
    { path: "usr/share/lintian/overrides/sparkngin", bytes: overrides, mode: 0o644 },
  ];
  const dirs: Packed[] = [
    { path: dataDir.slice(1), mode: 0o750 },
    { path: "etc/sparkngin", mode: 0o750 },
    { path: "etc/sparkngin/conf.d", mode: 0o750 },
  ];
  const data = makeTar(dotted(withParents([...all, ...dirs])), release.epoch);
  const control = makeTar(dotted(await controlFiles(release, target, all, number)), release.epoch);
  const path = `${into}/sparkngin_${release.version}-${number}_${target.debian}.deb`;
  await Deno.writeFile(
    path,
    makeAr([
      ["debian-binary", text("2.0\n")],
      ["control.tar.gz", await compressed(control, { level: 9 })],
      ["data.tar.gz", await compressed(data, { level: 6 })],
    ], release.epoch),
  );
  return path;
}

/** Debian's tools write names with a dot in front. */
function dotted(entries: readonly Packed[]): Packed[] {
  return [{ path: "." }, ...entries.map((entry) => ({ ...entry, path: `./${entry.path}` }))];
}

async function controlFiles(
  { version }: Release,
  target: Target,
  files: readonly PlacedFile[],
  number: string,
): Promise<Packed[]> {
  const kib = files.reduce((sum, { bytes }) => sum + Math.ceil(bytes.length / 1024), 0);
  const control = `Package: sparkngin
Version: ${version}-${number}
Architecture: ${target.debian}
Maintainer: ${packager}
Installed-Size: ${kib}
Depends: libc6 (>= 2.27), libgcc-s1, passwd
Recommends: ca-certificates
Section: net
Priority: optional
Description: ${summary[0]!.toLowerCase()}${summary.slice(1)}
${description.replace(/(.{1,76})(?:\s|$)/g, " $1\n")}`;
  const sums = files.map(({ path, bytes }) => `${createHash("md5").update(bytes).digest("hex")}  ${path}\n`);
  const kept = files.filter(({ isConfiguration }) => isConfiguration).map(({ path }) => `/${path}\n`);
  const scripts = ["postinst", "prerm", "postrm"].map(async (path) => {
    return { path, bytes: await Deno.readFile(`${root}/packaging/files/deb/${path}`), mode: 0o755 };
  });
  return [
    { path: "control", bytes: text(control) },
    { path: "conffiles", bytes: text(kept.join("")) },
    { path: "md5sums", bytes: text(sums.join("")) },
    ...await Promise.all(scripts),
  ];
}

function makeAr(members: readonly (readonly [name: string, bytes: Uint8Array])[], epoch: number): Uint8Array {
  const parts = members.flatMap(([name, bytes]) => {
    const fields = [[name, 16], [String(epoch), 12], ["0", 6], ["0", 6], ["100644", 8], [
      String(bytes.length),
      10,
    ]] as const;
    const head = fields.map(([value, width]) => value.padEnd(width)).join("");
    return [text(`${head}\`\n`), bytes, text(bytes.length % 2 === 1 ? "\n" : "")];
  });
  return joined([text("!<arch>\n"), ...parts]);
}
