/** The machine that the figures are of, and how busy others kept it meanwhile. */
import { findCommand } from "./process.ts";

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly kernel: string;
  /** Of the data directory. */
  readonly fs: string;
  /** The cores of server and load; left out where there is but one, or no taskset. */
  readonly pins: { readonly server?: number; readonly load?: number };
}

export async function lookAtMachine(dir: string): Promise<Machine> {
  const cores = await allowedCores();
  const [server, load] = cores;
  const pinned = load !== undefined && await findCommand("taskset") !== undefined;
  return {
    cpu: /^model name\s*: (.*)$/m.exec(await Deno.readTextFile("/proc/cpuinfo"))?.[1]?.trim() ?? Deno.build.arch,
    cores: cores.length,
    kernel: Deno.osRelease(),
    fs: await fileSystemOf(dir),
    pins: pinned ? { server, load } : {},
  };
}

/** "0-3,8" → 0, 1, 2, 3, 8. */
async function allowedCores(): Promise<number[]> {
  const status = await Deno.readTextFile("/proc/self/status");
  const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(status)?.[1] ?? "0";
  return list.split(",").flatMap((range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}

async function fileSystemOf(dir: string): Promise<string> {
  const path = await Deno.realPath(dir);
  let best = { point: "", type: "unknown" };
  for (const line of (await Deno.readTextFile("/proc/self/mountinfo")).split("\n")) {
    const point = line.split(" ")[4]?.replaceAll("\\040", " ") ?? "";
    const type = line.split(" - ")[1]?.split(" ")[0] ?? "unknown";
    const holds = path === point || path.startsWith(point.endsWith("/") ? point : `${point}/`);
    if (point !== "" && holds && point.length >= best.point.length) best = { point, type };
  }
  return best.type;
}

/** Seconds that all cores together have worked since the start, the time that another guest of the host took counted too. */
export function busySeconds(): number {
  const line = Deno.readTextFileSync("/proc/stat").split("\n", 1)[0]!;
  const [user, nice, system, , , irq, softirq, steal] = line.split(/\s+/).slice(1).map(Number);
  return (user! + nice! + system! + irq! + softirq! + steal!) / 100;
}
