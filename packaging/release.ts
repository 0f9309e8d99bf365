/** What is being packed: the version, its date, the machines it is for, and where everything goes. */
import { version } from "../src/cli/version.ts";

export const root = new URL("..", import.meta.url).pathname.replace(/\/$/, "");
export const dist = `${root}/dist`;
export const summary = "Takes events over HTTP, has them on disk before it says yes, delivers every one";
export const license = "Apache-2.0";
export const description =
  "Sparkngin takes logs, events and messages over HTTP, has them synced on its own disk before it says yes, and gets every " +
  "one of them to Kafka, files and other systems, each destination at its own pace.";

/** A machine as each of the worlds calls it. */
export interface Target {
  /** Deno's name for it. */
  readonly triple: string;
  readonly os: "linux" | "macos";
  readonly cpu: string;
  /** Debian's and the container world's name. */
  readonly debian: string;
}

export const targets: readonly Target[] = [
  { triple: "x86_64-unknown-linux-gnu", os: "linux", cpu: "x86_64", debian: "amd64" },
  { triple: "aarch64-unknown-linux-gnu", os: "linux", cpu: "aarch64", debian: "arm64" },
  { triple: "aarch64-apple-darwin", os: "macos", cpu: "arm64", debian: "" },
  { triple: "x86_64-apple-darwin", os: "macos", cpu: "x86_64", debian: "" },
];

export interface Release {
  readonly version: string;
  /** Seconds since 1970: the date of everything that is packed. */
  readonly epoch: number;
}

/** Of `SOURCE_DATE_EPOCH`, else of the last commit, else of the newest dated heading of the change log. */
export async function thisRelease(): Promise<Release> {
  const asked = Deno.env.get("SOURCE_DATE_EPOCH");
  if (asked !== undefined) return { version, epoch: epochFrom(asked, "SOURCE_DATE_EPOCH") };
  const git = await new Deno.Command("git", { args: ["log", "-1", "--format=%ct"], cwd: root, stderr: "null" }).output()
    .catch(() => undefined);
  if (git?.success) return { version, epoch: epochFrom(new TextDecoder().decode(git.stdout).trim(), "git log") };
  const dated = /^## .*\b(\d{4}-\d{2}-\d{2})/m.exec(await Deno.readTextFile(`${root}/CHANGELOG.md`));
  if (dated) return { version, epoch: Date.parse(dated[1]!) / 1000 };
  throw new Error("Cannot date the packages: set SOURCE_DATE_EPOCH, or build from a clone");
}

function epochFrom(text: string, source: string): number {
  if (!/^\d{1,12}$/.test(text)) throw new Error(`Cannot date the packages by ${source}: ${JSON.stringify(text)}`);
  return Number(text);
}
