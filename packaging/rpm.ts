/** RPM packages, by rpmbuild, with nothing done to the executable: stripping would cut the program off. */
import { packager, rpmChanges } from "./changes.ts";
import { carryOut } from "./command.ts";
import { description, dist, license, type Release, root, summary, type Target } from "./release.ts";
import { dataDir, type PlacedFile } from "./tree.ts";

export interface RpmParts {
  readonly release: Release;
  readonly target: Target;
  readonly files: readonly PlacedFile[];
  /** Counts packages of one version, from "1". */
  readonly number?: string;
  /** Where the package is put. */
  readonly into?: string;
}

export async function makeRpm({ release, target, files, number = "1", into = dist }: RpmParts): Promise<string> {
  const work = await Deno.makeTempDir({ prefix: "sparkngin-rpm-" });
  try {
    for (const { path, bytes, mode } of files) {
      await Deno.mkdir(`${work}/tree/${path.slice(0, path.lastIndexOf("/"))}`, { recursive: true });
      await Deno.writeFile(`${work}/tree/${path}`, bytes, { mode });
    }
    await Deno.writeTextFile(`${work}/sparkngin.spec`, await specOf({ release, target, files, number, into }, work));
    const defines = { _topdir: work, _rpmdir: into, _rpmfilename: "%{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}.rpm" };
    await carryOut("rpmbuild", [
      "-bb",
      "--quiet",
      "--target",
      `${target.cpu}-linux`,
      ...Object.entries(defines).flatMap(([name, value]) => ["--define", `${name} ${value}`]),
      `${work}/sparkngin.spec`,
    ], { env: { SOURCE_DATE_EPOCH: String(release.epoch), TZ: "UTC", LC_ALL: "C" } });
    return `${into}/sparkngin-${release.version}-${number}.${target.cpu}.rpm`;
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

async function specOf({ release, files, number }: RpmParts, work: string): Promise<string> {
  const script = (name: string) => Deno.readTextFile(`${root}/packaging/files/rpm/${name}`);
  return `%global debug_package %{nil}
%global __strip /bin/true
%global __os_install_post %{nil}
%global _build_id_links none
%global _binary_payload w9.zstdio
%global _buildhost localhost
%global use_source_date_epoch_as_buildtime 1
%global clamp_mtime_to_source_date_epoch 1
%global source_date_epoch_from_changelog 0

Name: sparkngin
Version: ${release.version}
Release: ${number}
Summary: ${summary}
License: ${license}
Group: System Environment/Daemons
Packager: ${packager}
Requires(pre): /usr/bin/getent, /usr/sbin/groupadd, /usr/sbin/useradd

%description
${wrapped(description)}

%install
cp -a ${work}/tree/. %{buildroot}/
mkdir -p %{buildroot}${dataDir} %{buildroot}/etc/sparkngin/conf.d

%pre
${await script("pre")}
%post
${await script("post")}
%preun
${await script("preun")}
%postun
${await script("postun")}
%files
%dir %attr(0750,root,sparkngin) /etc/sparkngin
%dir %attr(0750,root,sparkngin) /etc/sparkngin/conf.d
%dir %attr(0750,sparkngin,sparkngin) ${dataDir}
%dir /usr/share/doc/sparkngin
${files.map(listed).join("\n")}

%changelog
${rpmChanges(release, number!)}`;
}

function listed({ path, mode, isConfiguration }: PlacedFile): string {
  const group = path.startsWith("etc/sparkngin/") ? "sparkngin" : "root";
  const rights = `%attr(${mode.toString(8).padStart(4, "0")},root,${group})`;
  const kind = isConfiguration
    ? "%config(noreplace) "
    : path.includes("/licenses/")
    ? "%license "
    : path.includes("/doc/") || path.includes("/man/")
    ? "%doc "
    : "";
  return `${kind}${rights} /${path}`;
}

function wrapped(text: string): string {
  return text.replace(/(.{1,76})(?:\s|$)/g, "$1\n").trimEnd();
}
