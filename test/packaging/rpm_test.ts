/** The RPM, installed by dnf from a signed repository into an empty root, run there, upgraded, rolled back and removed. */
import assert from "node:assert/strict";
import { makeRepository } from "../../packaging/repository.ts";
import { targets, thisRelease } from "../../packaging/release.ts";
import { makeRpm } from "../../packaging/rpm.ts";
import { systemFiles } from "../../packaging/tree.ts";
import { version } from "../../src/cli/version.ts";
import { carryOut } from "../crash/needs.ts";
import { makeTempDir } from "../e2e/node.ts";
import { type CleanRoot, makeCleanRoot } from "./clean_root.ts";
import { made, packageTest, root } from "./made.ts";

const rpms = targets.filter(({ os }) => os === "linux").map(({ cpu }) => `sparkngin-VERSION-1.${cpu}.rpm`);
const host = `sparkngin-VERSION-1.${Deno.build.arch}.rpm`;
const target = targets.find(({ os, cpu }) => os === "linux" && cpu === Deno.build.arch)!;
const executable = `bin/${target.triple}/sparkngin`;

packageTest("rpmlint finds no error that is not meant so", { files: rpms, commands: ["rpmlint", "rpm"] }, async () => {
  for (const name of rpms) {
    const config = `${root}/packaging/files/rpm/rpmlint.toml`;
    const { stdout } = await new Deno.Command("rpmlint", { args: ["--config", config, made(name)] }).output();
    const said = new TextDecoder().decode(stdout);
    const errors = said.split("\n").filter((line) => / E: /.test(line) && !line.includes("no-signature"));
    assert.match(said, /1 packages and 0 specfiles checked/);
    assert.deepEqual(errors, []);
  }
});

packageTest("the executable in the RPM is the one that was built, and its users are asked for before it comes", {
  files: [host],
  commands: ["rpm"],
}, async () => {
  const query = ["-qp", "--nosignature", "--qf", "[%{FILENAMES} %{FILEDIGESTS}\n]", made(host)];
  const line = (await carryOut("rpm", ...query)).split("\n").find((line) => line.startsWith("/usr/bin/sparkngin "))!;
  const sum = await carryOut("sha256sum", made(executable));
  assert.equal(line.split(" ")[1], sum.split(" ")[0]);
  assert.match(await carryOut("rpm", "-qp", "--nosignature", "--requires", made(host)), /^\/usr\/sbin\/useradd$/m);
});

packageTest(
  "dnf installs the RPM from a signed repository, it works, an upgrade keeps the configuration, removal the data",
  {
    files: [host, executable],
    commands: ["rpm", "rpmsign", "createrepo_c", "dnf", "gpg"],
    who: "root",
  },
  async () => {
    await using work = await makeTempDir();
    await using clean = await makeCleanRoot();
    const gnupg = `${work.path}/gnupg`;
    await Deno.mkdir(gnupg, { mode: 0o700 });
    Deno.env.set("GNUPGHOME", gnupg);
    try {
      await carryOut("gpg", "--batch", "--passphrase", "", "--quick-generate-key", "test@localhost", "rsa3072", "sign");
      const next = await makeNext(work.path);
      const repository = `${work.path}/repository`;
      await makeRepository(repository, [made(host), next, await makeBase(work.path)], "test@localhost");
      const dnf = await configureDnf(work.path, repository, clean);
      await clean.addDevices();

      await dnf("install", `sparkngin-${version}-1`);
      assert.equal(await clean.run("/usr/bin/sparkngin", "--version"), `sparkngin ${version}`);
      const wrong = await verify(clean);
      assert.deepEqual(wrong, []);
      await clean.doMainJob();

      const path = `${clean.path}/etc/sparkngin/sparkngin.toml`;
      const changed = `${await Deno.readTextFile(path)}\n[http]\ntopic = "late"\n`.replace(
        /^\[http\]$/m,
        "# was [http]",
      );
      await Deno.writeTextFile(path, changed);
      await dnf("upgrade", "sparkngin");
      assert.equal(await Deno.readTextFile(path), changed);
      assert.match(await clean.text("/etc/sparkngin/sparkngin.toml.rpmnew"), /^# of the next version/);
      await clean.doMainJob();

      await dnf("downgrade", `sparkngin-${version}-1`);
      assert.equal(await Deno.readTextFile(path), changed);
      await clean.doMainJob();

      await dnf("remove", "sparkngin");
      assert.throws(() => Deno.statSync(`${clean.path}/usr/bin/sparkngin`), Deno.errors.NotFound);
      assert.equal(await clean.text("/etc/sparkngin/sparkngin.toml.rpmsave"), changed);
      assert.ok([...Deno.readDirSync(`${clean.path}/var/lib/sparkngin/out/parcel`)].length > 0);
    } finally {
      Deno.env.delete("GNUPGHOME");
    }
  },
);

packageTest("dnf refuses what was changed after it was signed", {
  files: [host],
  commands: ["rpm", "rpmsign", "createrepo_c", "dnf", "gpg"],
  who: "root",
}, async () => {
  await using work = await makeTempDir();
  await using clean = await makeCleanRoot();
  await Deno.mkdir(`${work.path}/gnupg`, { mode: 0o700 });
  Deno.env.set("GNUPGHOME", `${work.path}/gnupg`);
  try {
    await carryOut("gpg", "--batch", "--passphrase", "", "--quick-generate-key", "test@localhost", "rsa3072", "sign");
    const repository = `${work.path}/repository`;
    await makeRepository(repository, [await makeBase(work.path)], "test@localhost");
    const dnf = await configureDnf(work.path, repository, clean);
    const index = `${repository}/repodata/repomd.xml`;
    await Deno.writeTextFile(index, `${await Deno.readTextFile(index)}\n<!-- changed -->\n`);
    await assert.rejects(dnf("install", "base-of-the-test"), /repomd\.xml/);
  } finally {
    Deno.env.delete("GNUPGHOME");
  }
});

/** The same program as the next package, with a configuration that has changed. */
async function makeNext(into: string): Promise<string> {
  const files = await systemFiles(made(executable), { sbom: "{}" }, "rpm");
  const next = files.map((file) =>
    file.path.endsWith("sparkngin.toml")
      ? { ...file, bytes: new TextEncoder().encode(`# of the next version\n${new TextDecoder().decode(file.bytes)}`) }
      : file
  );
  return await makeRpm({ release: await thisRelease(), target, files: next, number: "2", into });
}

/** A distribution in small: the shell, the tools that make users, the C library, out of this machine. */
async function makeBase(into: string): Promise<string> {
  const tools = ["/bin/sh", "/usr/bin/getent", "/usr/sbin/groupadd", "/usr/sbin/useradd"];
  const libraries = await carryOut("ldd", ...tools, made(executable));
  const found = [...libraries.matchAll(/(\/\S+\.so\S*)/g)].map((match) => match[1]!.replace(/:$/, ""));
  const files = [...new Set([...tools, ...found])];
  const tree = `${into}/base`;
  for (const path of files) {
    await Deno.mkdir(tree + path.slice(0, path.lastIndexOf("/")), { recursive: true });
    await Deno.copyFile(await Deno.realPath(path), tree + path);
  }
  await Deno.mkdir(`${tree}/etc`, { recursive: true });
  await Deno.writeTextFile(`${tree}/etc/passwd`, "root:x:0:0:root:/root:/bin/sh\n");
  await Deno.writeTextFile(`${tree}/etc/group`, "root:x:0:\n");
  const listed = [...files, "/etc/passwd", "/etc/group"];
  await Deno.writeTextFile(
    `${into}/base.spec`,
    `%global debug_package %{nil}
%global __os_install_post %{nil}
%global _build_id_links none
Name: base-of-the-test
Version: 1
Release: 1
Summary: What a distribution brings
License: none
AutoReq: no
Provides: rtld(GNU_HASH)
%description
What a distribution brings.
%install
cp -a ${tree}/. %{buildroot}/
%files
${listed.join("\n")}
`,
  );
  const defines = [`_topdir ${into}/rpmbuild`, `_rpmdir ${into}`, "_rpmfilename base.rpm"];
  await carryOut("rpmbuild", "-bb", "--quiet", ...defines.flatMap((one) => ["--define", one]), `${into}/base.spec`);
  return `${into}/base.rpm`;
}

/** As a user's /etc/yum.repos.d does it: packages and metadata must be signed. */
async function configureDnf(
  work: string,
  repository: string,
  clean: CleanRoot,
): Promise<(...args: string[]) => Promise<string>> {
  for (const name of ["repos", "log"]) await Deno.mkdir(`${work}/${name}`);
  await Deno.writeTextFile(
    `${work}/repos/sparkngin.repo`,
    `[sparkngin]
name=Sparkngin
baseurl=file://${repository}
gpgcheck=1
repo_gpgcheck=1
gpgkey=file://${repository}/RPM-GPG-KEY-sparkngin
`,
  );
  const settings = {
    reposdir: `${work}/repos`,
    cachedir: `${work}/cache`,
    logdir: `${work}/log`,
    persistdir: `${work}/dnf`,
  };
  const options = Object.entries(settings).map(([name, value]) => `--setopt=${name}=${value}`);
  return (...args) => carryOut("dnf", "-y", `--installroot=${clean.path}`, "--releasever=9", ...options, ...args);
}

/** What rpm says of the files, but for what has a user that only the root knows. */
async function verify(clean: CleanRoot): Promise<string[]> {
  const { stdout } = await new Deno.Command("rpm", { args: ["--root", clean.path, "-V", "sparkngin"] }).output();
  return new TextDecoder().decode(stdout).split("\n").filter((line) => line !== "");
}
