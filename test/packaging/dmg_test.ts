/** The disk images for macOS, read back by two programs that know the format from elsewhere. Not tried: a Mac. */
import assert from "node:assert/strict";
import { targets, thisRelease } from "../../packaging/release.ts";
import { looseFiles } from "../../packaging/tree.ts";
import { carryOut } from "../crash/needs.ts";
import { makeTempDir } from "../e2e/node.ts";
import { made, packageTest, root } from "./made.ts";

for (const { cpu, triple } of targets.filter(({ os }) => os === "macos")) {
  const name = `sparkngin-VERSION-macos-${cpu}.dmg`;
  packageTest(`the disk image for ${cpu} holds the files of the tarball, byte for byte, for 7z and for dmg2img`, {
    files: [name, `bin/${triple}/sparkngin`, "sparkngin-VERSION.cdx.json"],
    commands: ["7z", "dmg2img"],
  }, async () => {
    await using dir = await makeTempDir();
    const sbom = await Deno.readTextFile(made("sparkngin-VERSION.cdx.json"));
    const files = await looseFiles(made(`bin/${triple}/sparkngin`), { sbom }, "macos");
    await carryOut("dmg2img", "-s", made(name), `${dir.path}/volume.img`);
    for (const source of [made(name), `${dir.path}/volume.img`]) {
      const out = `${dir.path}/out`;
      await carryOut("7z", "x", "-y", `-o${out}`, source);
      const top = `${out}/Sparkngin ${(await thisRelease()).version}`;
      for (const { path, bytes } of files) {
        assert.ok(bytes.length > 0 && sameBytes(await Deno.readFile(`${top}/${path}`), bytes), `${source}: ${path}`);
      }
      await Deno.remove(out, { recursive: true });
    }
  });
}

Deno.test("the installer for macOS is sound for a shell, and refuses elsewhere", async () => {
  const script = `${root}/packaging/files/install.sh`;
  await carryOut("sh", "-n", script);
  if (Deno.build.os === "darwin") return;
  const { code, stderr } = await new Deno.Command("sh", { args: [script] }).output();
  assert.equal(code, 64);
  assert.match(new TextDecoder().decode(stderr), /for macOS/);
});

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
