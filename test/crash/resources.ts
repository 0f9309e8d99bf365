/** What a process takes of the machine, as `/proc` has it. */

/** In MiB: what it has in memory now, or the most it ever had. */
export function memoryMiB({ pid }: { readonly pid: number }, which: "VmRSS" | "VmHWM" = "VmRSS"): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Math.round(Number(new RegExp(`^${which}:\\s+(\\d+) kB$`, "m").exec(status)![1]) / 1024);
}
