/** Disk images for macOS: a volume (HFS+) by xorriso, wrapped as UDIF by us. */
import { carryOut } from "./command.ts";
import { dist, type Release, type Target } from "./release.ts";
import { looseFiles, type Papers } from "./tree.ts";
import { makeUdif } from "./udif.ts";

/** "H+", version 4. */
const headMark = 0x482b_0004;
const headAt = 1024;
const headBytes = 512;

export async function makeDmg(release: Release, target: Target, executable: string, papers: Papers): Promise<string> {
  const work = await Deno.makeTempDir({ prefix: "sparkngin-dmg-" });
  try {
    for (const { path, bytes, mode } of await looseFiles(executable, papers, "macos")) {
      await Deno.mkdir(`${work}/tree/${path}`.replace(/\/[^/]*$/, ""), { recursive: true });
      await Deno.writeFile(`${work}/tree/${path}`, bytes, { mode });
    }
    await carryOut("find", [`${work}/tree`, "-exec", "touch", "-h", "-d", `@${release.epoch}`, "{}", "+"]);
    const iso = `${work}/hybrid.iso`;
    const serial = release.epoch.toString(16).padStart(16, "0");
    const names = ["-V", `Sparkngin ${release.version}`, "-hfsplus", "-hfsplus-serial-no", serial, "-r", "-J"];
    await carryOut("xorriso", ["-as", "mkisofs", "-quiet", ...names, "-o", iso, `${work}/tree`], {
      env: { SOURCE_DATE_EPOCH: String(release.epoch), TZ: "UTC", LC_ALL: "C.UTF-8" },
    });
    const path = `${dist}/sparkngin-${release.version}-macos-${target.cpu}.dmg`;
    await Deno.writeFile(path, makeUdif(volumeIn(await Deno.readFile(iso))));
    return path;
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

/** The volume stands somewhere in the image; its head says how many blocks of which size it has, and its end repeats the head. */
function volumeIn(image: Uint8Array): Uint8Array {
  const view = new DataView(image.buffer, image.byteOffset, image.length);
  const isHead = (at: number) => at + headBytes <= image.length && view.getUint32(at) === headMark;
  for (let at = headAt; at < image.length; at += 512) {
    if (!isHead(at)) continue;
    const bytes = view.getUint32(at + 40) * view.getUint32(at + 44);
    if (isHead(at - headAt + bytes - headAt)) return image.subarray(at - headAt, at - headAt + bytes);
  }
  throw new Error("Cannot find the HFS+ volume in what xorriso made");
}
