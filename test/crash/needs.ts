/** What a machine must have for a fault to be done to it, or a package to be tried on it. */

/** Commands and the Debian packages that bring them. */
const packages = {
  gcc: "gcc",
  "mkfs.ext4": "e2fsprogs",
  "mkfs.xfs": "xfsprogs",
  xfs_io: "xfsprogs",
  losetup: "util-linux",
  unshare: "util-linux",
  "dpkg-deb": "dpkg",
  debootstrap: "debootstrap",
  lintian: "lintian",
  rpm: "rpm",
  rpmsign: "rpm",
  rpmlint: "rpmlint",
  createrepo_c: "createrepo-c",
  dnf: "dnf",
  gpg: "gpg",
  dmg2img: "dmg2img",
  "7z": "p7zip-full",
  skopeo: "skopeo",
  "qemu-aarch64": "qemu-user",
  "systemd-analyze": "systemd",
} as const;

export type Command = keyof typeof packages;

/** "needs root, xfsprogs", or "" when all is there. */
export function missing(commands: readonly Command[], asRoot: "root" | "anybody" = "anybody"): string {
  if (Deno.build.os !== "linux") return "needs Linux";
  const absent = [
    ...asRoot === "root" && Deno.uid() !== 0 ? ["root"] : [],
    ...commands.filter((command) => !isThere(command)).map((command) => packages[command]),
  ];
  return absent.length === 0 ? "" : `needs ${[...new Set(absent)].join(", ")}`;
}

function isThere(command: string): boolean {
  const args = ["-c", `command -v ${command}`];
  return new Deno.Command("sh", { args, stdout: "null" }).outputSync().success;
}

/** Carries a command of the system out; what it said on stdout. */
export async function carryOut(command: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args }).output();
  const text = new TextDecoder();
  if (!success) throw new Error(`${command} ${args.join(" ")}: ${text.decode(stderr).trim()}`);
  return text.decode(stdout).trim();
}
