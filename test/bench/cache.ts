/** Peers that are not in a distribution: made once a machine, by one process at a time, in the user's cache. */
import { Skipped } from "./case.ts";
import { findCommand, type Launch, runToEnd } from "./process.ts";

/** The directory of that name, filled by `make` when it is not there yet. */
export async function cached(name: string, make: (dir: string) => Promise<void>): Promise<string> {
  const cache = `${Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME")}/.cache`}/sparkngin-bench`;
  const [home, making] = [`${cache}/${name}`, `${cache}/${name}.making`];
  await Deno.mkdir(cache, { recursive: true });
  using guard = await Deno.open(`${home}.lock`, { create: true, write: true });
  await guard.lock(true);
  if (await Deno.stat(home).catch(() => undefined)) return home;
  await Deno.remove(making, { recursive: true }).catch(() => {});
  await Deno.mkdir(making);
  await make(making);
  await Deno.rename(making, home);
  return home;
}

/** What cannot be fetched or built is not here. */
export async function build(launch: Launch): Promise<void> {
  if (await findCommand(launch.command) === undefined) throw new Skipped(`needs ${launch.command}`);
  const { code, stdout, stderr } = await runToEnd(launch);
  if (code !== 0) throw new Skipped(`${launch.command} could not make it: ${(stderr + stdout).trim().slice(-300)}`);
}
