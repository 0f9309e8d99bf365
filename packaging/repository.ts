/**
 * Makes a yum repository of packages: `deno task repository DIR FILE.rpm…`, by createrepo_c. With `SPARKNGIN_GPG_KEY`, the name
 * of a key in gpg's keyring, packages and metadata are signed, and the public key is put beside them.
 */
import { carryOut } from "./command.ts";

export async function makeRepository(dir: string, packages: readonly string[], key: string | undefined): Promise<void> {
  await Deno.mkdir(dir, { recursive: true });
  const gpg = key ? (await carryOut("sh", ["-c", "command -v gpg"])).trim() : "";
  for (const path of packages) {
    const copy = `${dir}/${path.slice(path.lastIndexOf("/") + 1)}`;
    await Deno.copyFile(path, copy);
    if (key) await carryOut("rpmsign", ["--define", `__gpg ${gpg}`, "--define", `_gpg_name ${key}`, "--addsign", copy]);
  }
  await carryOut("createrepo_c", ["--quiet", "--update", dir]);
  if (!key) return;
  await carryOut("gpg", [
    "--batch",
    "--yes",
    "--local-user",
    key,
    "--detach-sign",
    "--armor",
    `${dir}/repodata/repomd.xml`,
  ]);
  const exported = await carryOut("gpg", ["--batch", "--armor", "--export", key]);
  await Deno.writeTextFile(`${dir}/RPM-GPG-KEY-sparkngin`, exported);
}

if (import.meta.main) {
  const [dir, ...packages] = Deno.args;
  if (dir === undefined || packages.length === 0) {
    throw new Error("Name the directory of the repository, then packages");
  }
  await makeRepository(dir, packages, Deno.env.get("SPARKNGIN_GPG_KEY"));
}
