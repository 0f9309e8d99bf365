/** What the system keeps in memory of files. */
import { runToEnd } from "./process.ts";

/** Of a log, in their order. */
export function segmentsOf(data: string): string[] {
  const names = [...Deno.readDirSync(`${data}/log`)].map(({ name }) => name).filter((name) => name.endsWith(".seg"));
  return names.sort().map((name) => `${data}/log/${name}`);
}

/** It is forgotten: the next who reads them has them from the disk. */
export async function forget(files: readonly string[]): Promise<void> {
  await runToEnd({ command: "sync", args: files });
  for (const file of files) await runToEnd({ command: "dd", args: [`if=${file}`, "iflag=nocache", "count=0"] });
}
