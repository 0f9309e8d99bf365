/** SHA256SUMS, as `sha256sum -c` reads it. */
import { createHash } from "node:crypto";

export async function checksums(paths: readonly string[]): Promise<string> {
  const lines = await Promise.all(
    paths.map(async (path) => `${sha256(await Deno.readFile(path))}  ${path.slice(path.lastIndexOf("/") + 1)}\n`),
  );
  return lines.sort((a, b) => (a.slice(66) < b.slice(66) ? -1 : 1)).join("");
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
