/** A directory as a whole: copied, or remembered to see later whether anybody touched it. */
import { createHash } from "node:crypto";
import { carryOut } from "./needs.ts";

export async function copyTree(from: string, to: string): Promise<void> {
  await carryOut("cp", "-a", from, to);
}

/** What every file below holds, by its path; without the lock, whose text names who looked last. */
export async function digestTree(dir: string): Promise<Record<string, string>> {
  const digests: Record<string, string> = {};
  for await (const { name, isDirectory } of Deno.readDir(dir)) {
    const path = `${dir}/${name}`;
    if (isDirectory) Object.assign(digests, await digestTree(path));
    else if (name !== "LOCK") digests[path] = createHash("sha256").update(await Deno.readFile(path)).digest("hex");
  }
  return digests;
}
