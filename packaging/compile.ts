/** `deno task compile`: the executable for this machine, dist/sparkngin. */
import { dist } from "./release.ts";
import { Stage } from "./stage.ts";

await Deno.mkdir(dist, { recursive: true });
const dir = await Deno.makeTempDir({ dir: dist, prefix: "build-" });
try {
  const stage = await Stage.make(dir);
  await stage.compile(`${dist}/sparkngin`);
} finally {
  await Deno.remove(dir, { recursive: true });
}
