/**
 * What the executable needs of a system, out of Debian's packages: the C library, and certificates. Fetched once, by apt, which
 * checks its signatures, into dist/base; which versions these are stands in the image.
 */
import { carryOut, isThere } from "./command.ts";
import { dist } from "./release.ts";
import type { Packed } from "./tar.ts";

const packages = ["ca-certificates", "libc6", "libgcc-s1"];
const libraries =
  /^(lib64\/|(usr\/)?lib\/)(?:[^/]+-linux-gnu\/)?(ld-linux-[^/]+|lib(c|m|dl|pthread|rt|resolv|nss_dns|nss_files|gcc_s)\.so\.\d+)$/;

/** The directory of the packages for a machine (Debian's name); nothing where there is no apt to fetch them. */
export async function fetchBase(machine: string): Promise<string | undefined> {
  const dir = `${dist}/base/${machine}`;
  if ((await names(dir)).length === packages.length) return dir;
  if (!isThere("apt-get")) return undefined;
  const work = await Deno.makeTempDir({ prefix: "sparkngin-base-" });
  try {
    for (const name of ["lists/partial", "archives/partial"]) await Deno.mkdir(`${work}/${name}`, { recursive: true });
    await Deno.writeTextFile(`${work}/status`, "");
    const settings = {
      "APT::Architecture": machine,
      "APT::Architectures::": machine,
      "APT::Sandbox::User": "root",
      "Dir::State": work,
      "Dir::State::status": `${work}/status`,
      "Dir::Cache": work,
      "Acquire::Languages": "none",
      "Acquire::Retries": "5",
    };
    const options = ["-qq", ...Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`])];
    await Deno.mkdir(dir, { recursive: true });
    await carryOut("apt-get", [...options, "update"]);
    await carryOut("apt-get", [...options, "download", ...packages], { cwd: dir });
    return dir;
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

/** What of these packages is in the image. */
export async function baseFiles(dir: string): Promise<Packed[]> {
  const work = await Deno.makeTempDir({ prefix: "sparkngin-base-" });
  try {
    const status: Packed[] = [];
    for (const name of await names(dir)) {
      await carryOut("dpkg-deb", ["--extract", `${dir}/${name}`, work]);
      const control = await carryOut("dpkg-deb", ["--field", `${dir}/${name}`]);
      status.push(text(`var/lib/dpkg/status.d/${name.split("_")[0]}`, control));
    }
    const all = await walk(work, "");
    const certificates = all.filter(({ path }) => path.startsWith("usr/share/ca-certificates/mozilla/"));
    const bundle = certificates.map(({ bytes }) => new TextDecoder().decode(bytes)).join("");
    return [
      ...all.filter(({ path }) => libraries.test(path)),
      ...all.filter(({ path }) => path.endsWith("/copyright")),
      ...status,
      text("etc/ssl/certs/ca-certificates.crt", bundle),
      text("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
    ];
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

/** "libc6 2.36-9", … */
export async function baseVersions(dir: string): Promise<string> {
  return (await names(dir)).map((name) => decodeURIComponent(name.split("_").slice(0, 2).join(" "))).join(", ");
}

export function text(path: string, content: string): Packed {
  return { path, bytes: new TextEncoder().encode(content) };
}

async function names(dir: string): Promise<string[]> {
  try {
    return [...Deno.readDirSync(dir)].map(({ name }) => name).filter((name) => name.endsWith(".deb")).sort();
  } catch {
    return [];
  }
}

async function walk(dir: string, prefix: string): Promise<Packed[]> {
  const entries = [...Deno.readDirSync(dir)].sort((a, b) => (a.name < b.name ? -1 : 1));
  const found: Packed[] = [];
  for (const { name, isDirectory, isSymlink } of entries) {
    const [from, path] = [`${dir}/${name}`, prefix + name];
    if (isSymlink) found.push({ path, link: await Deno.readLink(from) });
    else if (isDirectory) found.push(...await walk(from, `${path}/`));
    else found.push({ path, bytes: await Deno.readFile(from), mode: Deno.statSync(from).mode! & 0o777 });
  }
  return found;
}
