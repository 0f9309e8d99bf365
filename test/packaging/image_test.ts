/** The OCI images: what they say of themselves is so, and they run as a container would, from a root that nobody can write to. */
import assert from "node:assert/strict";
import { sha256 } from "../../packaging/checksums.ts";
import { targets } from "../../packaging/release.ts";
import { version } from "../../src/cli/version.ts";
import { carryOut } from "../crash/needs.ts";
import { makeTempDir, type TempDir } from "../e2e/node.ts";
import { type CleanRoot, makeCleanRoot } from "./clean_root.ts";
import { anyPorts, doMainJob } from "./main_job.ts";
import { exists, made, packageTest, root } from "./made.ts";

const linux = targets.filter(({ os }) => os === "linux");
const image = (machine: string) => `sparkngin-VERSION-image-${machine}.tar`;
const host = linux.find(({ cpu }) => cpu === Deno.build.arch)!;

interface Unpacked {
  readonly config: any;
  readonly layers: readonly string[];
  /** Directory, which goes away with it. */
  readonly dir: TempDir;
}

/** The blobs, each of them checked against its name and size. */
async function unpack(path: string): Promise<Unpacked> {
  const dir = await makeTempDir();
  await carryOut("tar", "-xf", path, "-C", dir.path);
  const read = async (name: string) => JSON.parse(await Deno.readTextFile(`${dir.path}/${name}`));
  const blob = async ({ digest, size }: { digest: string; size: number }) => {
    const name = `blobs/${digest.replace(":", "/")}`;
    const bytes = await Deno.readFile(`${dir.path}/${name}`);
    assert.equal(bytes.length, size, name);
    assert.equal(`sha256:${sha256(bytes)}`, digest);
    return name;
  };
  assert.deepEqual(await read("oci-layout"), { imageLayoutVersion: "1.0.0" });
  const manifest = await read(await blob((await read("index.json")).manifests[0]));
  const config = await blob(manifest.config);
  const layers: string[] = [];
  for (const layer of manifest.layers) layers.push(await blob(layer));
  assert.deepEqual(await read("manifest.json"), [
    { Config: config, RepoTags: [`sparkngin:${version}`], Layers: layers },
  ]);
  return { config: await read(config), layers: layers.map((name) => `${dir.path}/${name}`), dir };
}

async function applyLayers({ layers }: Unpacked): Promise<CleanRoot> {
  const clean = await makeCleanRoot();
  for (const layer of layers) await carryOut("tar", "-xpzf", layer, "-C", clean.path, "--numeric-owner");
  return clean;
}

for (const { debian: machine } of linux) {
  packageTest(`the image for ${machine} is what its digests say, for skopeo too, and says whose it is`, {
    files: [image(machine)],
    commands: ["skopeo"],
  }, async () => {
    const unpacked = await unpack(made(image(machine)));
    await using dir = unpacked.dir;
    const { config, layers } = unpacked;
    assert.equal(config.architecture, machine);
    assert.match(config.config.User, /^[1-9]\d*:[1-9]\d*$/);
    assert.equal(config.config.Labels["org.opencontainers.image.version"], version);
    assert.match(config.config.Labels["sparkngin.base"], /libc6 \d/);
    for (const [number, layer] of layers.entries()) {
      await carryOut("sh", "-c", `gzip -dc <${layer} >${dir.path}/layer`);
      assert.equal(`sha256:${sha256(await Deno.readFile(`${dir.path}/layer`))}`, config.rootfs.diff_ids[number]);
    }
    for (const form of ["oci-archive", "docker-archive"]) {
      const copy = [
        "--override-arch",
        machine,
        "copy",
        "--quiet",
        `${form}:${made(image(machine))}`,
        `dir:${dir.path}/${form}`,
      ];
      await carryOut("skopeo", "--insecure-policy", ...copy);
    }
  });
}

packageTest("the image runs as its user from a root that is only read, with its data on a volume", {
  files: [image(host.debian)],
  who: "root",
}, async () => {
  const unpacked = await unpack(made(image(host.debian)));
  await using _dir = unpacked.dir;
  await using clean = await applyLayers(unpacked);
  await using volume = await makeTempDir();
  const { Env, Entrypoint, Cmd, User, WorkingDir } = unpacked.config.config;
  await Deno.chmod(volume.path, 0o750);
  await Deno.chown(volume.path, Number(User.split(":")[0]), Number(User.split(":")[1]));
  await clean.mount("--bind", clean.path, clean.path);
  await clean.addDevices();
  await clean.mount("--bind", volume.path, `${clean.path}${WorkingDir}`);
  await carryOut("mount", "-o", "remount,bind,ro", clean.path);
  await assert.rejects(Deno.writeTextFile(`${clean.path}/usr/bin/x`, ""));
  const env = Object.fromEntries(Env.map((line: string) => line.split("=")));
  assert.equal(env.MALLOC_MMAP_THRESHOLD_, "131072");
  const closed = new Deno.Command("/usr/sbin/chroot", {
    args: [`--userspec=${User}`, clean.path, ...Entrypoint, ...Cmd],
    env,
    clearEnv: true,
  });
  const { code, stderr } = await closed.output();
  assert.equal(code, 78, "open to others only when that is said");
  assert.match(new TextDecoder().decode(stderr), /public/);
  const args = [`--userspec=${User}`, clean.path, ...Entrypoint, ...Cmd, ...anyPorts];
  await doMainJob({ command: "/usr/sbin/chroot", args, env, data: volume.path });
});

packageTest("the executable for aarch64 does the main job on the libraries of its image, under qemu", {
  files: [image("arm64")],
  commands: ["qemu-aarch64"],
}, async () => {
  const unpacked = await unpack(made(image("arm64")));
  await using _dir = unpacked.dir;
  await using clean = await makeCleanRoot();
  for (const layer of unpacked.layers) {
    await carryOut("tar", "-xzf", layer, "-C", clean.path, "--no-same-owner", "--no-same-permissions");
  }
  await using dir = await makeTempDir();
  const args = ["-L", clean.path, `${clean.path}/usr/bin/sparkngin`, "run", ...anyPorts];
  await doMainJob({ command: "/usr/bin/qemu-aarch64", args, cwd: dir.path, data: `${dir.path}/data` });
});

const python = Deno.env.get("SCHEMA_PYTHON") || "";
const checks = {
  "kubernetes.yaml": ["-m", "kubernetes_validate", "--strict", "--version", "1.30"],
  "compose.yaml": ["-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"],
};
for (const [name, args] of Object.entries(checks)) {
  Deno.test({
    name: `${name} fits its schema, and names the image of this version${
      exists(python) ? "" : " (needs SCHEMA_PYTHON)"
    }`,
    ignore: !exists(python),
    async fn() {
      const path = `${root}/packaging/${name}`;
      assert.match(await Deno.readTextFile(path), new RegExp(`image: sparkngin:${version}$`, "m"));
      await carryOut(python, ...args, path);
    },
  });
}
