/** The tarballs, as somebody who unpacks them finds them. */
import assert from "node:assert/strict";
import { version } from "../../src/cli/version.ts";
import { carryOut } from "../crash/needs.ts";
import { makeTempDir } from "../e2e/node.ts";
import { doMainJob } from "./main_job.ts";
import { made, packageTest } from "./made.ts";

const machines = ["linux-x86_64", "linux-aarch64", "macos-arm64", "macos-x86_64"] as const;
const tarball = (machine: string) => `sparkngin-VERSION-${machine}.tar.gz`;
const host = `${Deno.build.os === "darwin" ? "macos-" : "linux-"}${
  Deno.build.arch === "aarch64" && Deno.build.os === "darwin" ? "arm64" : Deno.build.arch
}`;

/** First bytes of an executable for the machine. */
const heads: Readonly<Record<(typeof machines)[number], string>> = {
  "linux-x86_64": "7f454c46020101",
  "linux-aarch64": "7f454c46020101",
  "macos-arm64": "cffaedfe0c000001",
  "macos-x86_64": "cffaedfe07000001",
};
/** e_machine of ELF. */
const elfMachines: Readonly<Record<string, number>> = { "linux-x86_64": 62, "linux-aarch64": 183 };

for (const machine of machines) {
  packageTest(`the tarball for ${machine} holds the executable of that machine and what belongs to it`, {
    files: [tarball(machine)],
  }, async () => {
    await using dir = await makeTempDir();
    await carryOut("tar", "-xzf", made(tarball(machine)), "-C", dir.path);
    const top = `${dir.path}/sparkngin-${version}-${machine}`;
    assert.deepEqual([...Deno.readDirSync(dir.path)].map(({ name }) => name), [top.slice(dir.path.length + 1)]);
    const service = machine.startsWith("macos") ? ["launchd", "install.sh"] : ["systemd"];
    for (
      const name of [
        "LICENSE",
        "README.md",
        "man/man1/sparkngin.1",
        "completions/sparkngin.bash",
        "sbom.cdx.json",
        "sparkngin",
        ...service,
      ]
    ) {
      assert.ok(Deno.statSync(`${top}/${name}`), name);
    }
    assert.equal(Deno.statSync(`${top}/sparkngin`).mode! & 0o7777, 0o755);
    const head = Deno.readFileSync(`${top}/sparkngin`).subarray(0, 20);
    assert.ok(head.toHex().startsWith(heads[machine]), head.toHex());
    if (machine in elfMachines) assert.equal(new DataView(head.buffer).getUint16(18, true), elfMachines[machine]);
  });
}

packageTest("the tarball works wherever it is unpacked, with nothing beside it", {
  files: [tarball(host)],
}, async () => {
  await using dir = await makeTempDir();
  await carryOut("tar", "-xzf", made(tarball(host)), "-C", dir.path, "--strip-components=1");
  await carryOut("env", "-i", `${dir.path}/sparkngin`, "check", "--config", `${dir.path}/sparkngin.sample.toml`);
  const args = ["run", "--http-listen", "127.0.0.1:0", "--management-listen", "127.0.0.1:0"];
  await doMainJob({ command: "./sparkngin", args, cwd: dir.path, data: `${dir.path}/data` });
});

packageTest("SHA256SUMS holds for all that was made", { files: ["SHA256SUMS"] }, async () => {
  const sums = made("SHA256SUMS");
  const { success, stderr } = await new Deno.Command("sha256sum", {
    args: ["--check", "--strict", "--quiet", "SHA256SUMS"],
    cwd: sums.slice(0, sums.lastIndexOf("/")),
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
});
