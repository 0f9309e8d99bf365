/** What is put where on a system, and what lies in a tarball. */
import { gzipSync } from "node:zlib";
import { runProgram } from "../src/cli/program.ts";
import { root } from "./release.ts";
import { makeSample } from "./sample.ts";

export interface PlacedFile {
  /** From the root, without the slash in front. */
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly mode: number;
  /** What the operator changes: an upgrade keeps it. */
  readonly isConfiguration?: boolean;
}

/** What comes out of the build, beside the executable. */
export interface Papers {
  readonly sbom: string;
}

export const dataDir = "/var/lib/sparkngin";

/** For both families of Linux packages; where they differ, by family. */
export async function systemFiles(executable: string, papers: Papers, family: "rpm" | "deb"): Promise<PlacedFile[]> {
  const doc = "usr/share/doc/sparkngin";
  const environment = family === "rpm" ? "etc/sysconfig/sparkngin" : "etc/default/sparkngin";
  const license = family === "rpm" ? "usr/share/licenses/sparkngin/LICENSE" : `${doc}/copyright`;
  const units = family === "rpm" ? "usr/lib/systemd/system" : "lib/systemd/system";
  return [
    { path: "usr/bin/sparkngin", bytes: await Deno.readFile(executable), mode: 0o755 },
    { ...placed("etc/sparkngin/sparkngin.toml", await makeSample(dataDir)), mode: 0o640, isConfiguration: true },
    { ...await read(environment, "packaging/files/environment"), mode: 0o640, isConfiguration: true },
    await read(`${units}/sparkngin.service`, "packaging/files/sparkngin.service"),
    await read("usr/lib/sysusers.d/sparkngin.conf", "packaging/files/sysusers.conf"),
    await read("usr/lib/tmpfiles.d/sparkngin.conf", "packaging/files/tmpfiles.conf"),
    await read(license, family === "rpm" ? "LICENSE" : "packaging/files/copyright"),
    await read(`${doc}/README.md`, "README.md"),
    await read(`${doc}/GUARANTEES.md`, "GUARANTEES.md"),
    placed(`${doc}/sbom.cdx.json`, papers.sbom),
    ...await manPages((name) => `usr/share/man/man${name.at(-1)}/${name}.gz`, (page) => gzipSync(page, { level: 9 })),
    ...await completions({
      bash: "usr/share/bash-completion/completions/sparkngin",
      zsh: `usr/share/zsh/${family === "rpm" ? "site-functions" : "vendor-completions"}/_sparkngin`,
      fish: "usr/share/fish/vendor_completions.d/sparkngin.fish",
    }),
  ];
}

/** What runs where it is unpacked. */
export async function looseFiles(executable: string, papers: Papers, os: "linux" | "macos"): Promise<PlacedFile[]> {
  const service = os === "macos"
    ? [
      { ...await read("install.sh", "packaging/files/install.sh"), mode: 0o755 },
      await read("launchd/sparkngin.plist", "packaging/files/sparkngin.plist"),
    ]
    : [
      await read("systemd/sparkngin.service", "packaging/files/sparkngin.service"),
      await read("systemd/sysusers.conf", "packaging/files/sysusers.conf"),
      await read("systemd/tmpfiles.conf", "packaging/files/tmpfiles.conf"),
    ];
  return [
    { path: "sparkngin", bytes: await Deno.readFile(executable), mode: 0o755 },
    placed("sparkngin.sample.toml", await makeSample()),
    ...await Promise.all(
      ["LICENSE", "README.md", "CHANGELOG.md", "GUARANTEES.md"].map((name) => read(name, name)),
    ),
    await read("INSTALL.md", "docs/install.md"),
    placed("sbom.cdx.json", papers.sbom),
    ...service,
    ...await manPages((name) => `man/man${name.at(-1)}/${name}`),
    ...await completions({
      bash: "completions/sparkngin.bash",
      zsh: "completions/_sparkngin",
      fish: "completions/sparkngin.fish",
    }),
  ];
}

function placed(path: string, text: string): PlacedFile {
  return { path, bytes: new TextEncoder().encode(text), mode: 0o644 };
}

async function read(path: string, from: string): Promise<PlacedFile> {
  return { path, bytes: await Deno.readFile(`${root}/${from}`), mode: 0o644 };
}

async function manPages(
  placeOf: (name: string) => string,
  packed: (page: Uint8Array) => Uint8Array = (page) => page,
): Promise<PlacedFile[]> {
  const names = [...Deno.readDirSync(`${root}/man`)].map(({ name }) => name).filter((name) => /\.[1-8]$/.test(name));
  return await Promise.all(
    names.sort().map(async (name) => ({
      path: placeOf(name),
      bytes: packed(await Deno.readFile(`${root}/man/${name}`)),
      mode: 0o644,
    })),
  );
}

/** What the command `completion` prints for each shell. */
async function completions(places: Readonly<Record<string, string>>): Promise<PlacedFile[]> {
  return await Promise.all(
    Object.entries(places).map(async ([shell, path]) => {
      let text = "";
      const nobody = { env: {}, out: (more: string) => void (text += more), err: () => {} };
      const code = await runProgram(["completion", shell], nobody as unknown as Parameters<typeof runProgram>[1]);
      if (code !== 0) throw new Error(`Cannot make the completion of ${shell}`);
      return placed(path, text);
    }),
  );
}
