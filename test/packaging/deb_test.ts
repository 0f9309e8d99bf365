/** The deb, installed into a new Debian, run there, upgraded, taken back, removed and purged. */
import assert from "node:assert/strict";
import { makeDeb } from "../../packaging/deb.ts";
import { targets, thisRelease } from "../../packaging/release.ts";
import { systemFiles } from "../../packaging/tree.ts";
import { version } from "../../src/cli/version.ts";
import { carryOut } from "../crash/needs.ts";
import { makeTempDir } from "../e2e/node.ts";
import { type CleanRoot, makeCleanRoot } from "./clean_root.ts";
import { made, packageTest } from "./made.ts";

const target = targets.find(({ os, cpu }) => os === "linux" && cpu === Deno.build.arch)!;
const host = `sparkngin_VERSION-1_${target.debian}.deb`;
const executable = `bin/${target.triple}/sparkngin`;

packageTest("lintian finds no error in the deb", { files: [host], commands: ["lintian"] }, async () => {
  const args = ["--fail-on", "error,warning", "--allow-root", made(host)];
  const { success, stdout } = await new Deno.Command("lintian", { args }).output();
  assert.ok(success, new TextDecoder().decode(stdout));
});

packageTest("dpkg reads the deb as it was meant", { files: [host], commands: ["dpkg-deb"] }, async () => {
  const fields = ["Package", "Version", "Architecture"];
  const said = await carryOut("dpkg-deb", "--field", made(host), ...fields);
  assert.equal(said, `Package: sparkngin\nVersion: ${version}-1\nArchitecture: ${target.debian}`);
  await using dir = await makeTempDir();
  await carryOut("dpkg-deb", "--raw-extract", made(host), `${dir.path}/tree`);
  const sums = [`${dir.path}/tree/usr/bin/sparkngin`, made(executable)].map((path) => carryOut("sha256sum", path));
  const [inside, built] = (await Promise.all(sums)).map((line) => line.split(" ")[0]);
  assert.equal(inside, built);
});

packageTest("a Debian takes the deb, it works, an upgrade keeps the configuration, removal and purge the data", {
  files: [host, executable],
  commands: ["debootstrap", "dpkg-deb"],
  who: "root",
}, async () => {
  await using clean = await makeDebian();
  await clean.addDevices();
  await Deno.copyFile(made(host), `${clean.path}/tmp/first.deb`);
  await Deno.rename(await makeNext(`${clean.path}/tmp`), `${clean.path}/tmp/next.deb`);
  const install = (name: string) => clean.run("dpkg", "--force-confdef", "--force-confold", "-i", `/tmp/${name}.deb`);

  await install("first");
  assert.equal(await clean.run("sparkngin", "--version"), `sparkngin ${version}`);
  assert.equal(await clean.run("dpkg", "--verify", "sparkngin"), "");
  await clean.doMainJob();

  const path = `${clean.path}/etc/sparkngin/sparkngin.toml`;
  const changed = (await Deno.readTextFile(path)).replace(/^\[http\]$/m, '[http]\ntopic = "late"');
  assert.match(changed, /^topic = "late"$/m);
  await Deno.writeTextFile(path, changed);
  await install("next");
  assert.match(await clean.run("dpkg-query", "-W", "sparkngin"), /-2$/);
  assert.equal(await Deno.readTextFile(path), changed);
  assert.match(await clean.text("/etc/sparkngin/sparkngin.toml.dpkg-dist"), /^# of the next version/);
  await clean.doMainJob();

  await install("first");
  assert.match(await clean.run("dpkg-query", "-W", "sparkngin"), /-1$/);
  assert.equal(await Deno.readTextFile(path), changed);
  await clean.doMainJob();

  await clean.run("dpkg", "--remove", "sparkngin");
  assert.throws(() => Deno.statSync(`${clean.path}/usr/bin/sparkngin`), Deno.errors.NotFound);
  assert.equal(await Deno.readTextFile(path), changed);
  await clean.run("dpkg", "--purge", "sparkngin");
  assert.throws(() => Deno.statSync(path), Deno.errors.NotFound);
  assert.ok([...Deno.readDirSync(`${clean.path}/var/lib/sparkngin/out/parcel`)].length > 0);
});

/** From where this machine's own packages come. */
async function makeDebian(triesLeft = 2): Promise<CleanRoot> {
  const clean = await makeCleanRoot();
  const asked = ["indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"];
  const mirror = (await carryOut("apt-get", ...asked)).split("\n")[0]!;
  const { VERSION_CODENAME: suite } = Object.fromEntries(
    (await Deno.readTextFile("/etc/os-release")).split("\n").map((line) => line.split("=")),
  );
  try {
    await carryOut("debootstrap", "--variant=minbase", suite, clean.path, mirror);
    return clean;
  } catch (problem) {
    await clean[Symbol.asyncDispose]();
    // A download may break off.
    if (triesLeft > 0) return await makeDebian(triesLeft - 1);
    throw problem;
  }
}

/** The same program as the next package, with a configuration that has changed. */
async function makeNext(into: string): Promise<string> {
  const files = await systemFiles(made(executable), { sbom: "{}" }, "deb");
  const next = files.map((file) =>
    file.path.endsWith("sparkngin.toml")
      ? { ...file, bytes: new TextEncoder().encode(`# of the next version\n${new TextDecoder().decode(file.bytes)}`) }
      : file
  );
  return await makeDeb({ release: await thisRelease(), target, files: next, number: "2", into });
}
