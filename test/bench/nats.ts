/** NATS JetStream, told to sync always: each message a publish that is answered when it is stored. */
import { Skipped } from "./case.ts";
import { build, cached } from "./cache.ts";
import { messageLine } from "./body.ts";
import type { Seen, Timing } from "./load.ts";
import { freePort, type Peer, type PeerSetup, startedPeer } from "./peer.ts";
import { findCommand, runToEnd } from "./process.ts";
import { root } from "./server.ts";

const version = "2.15.2";

export async function startNats({ bench, load }: PeerSetup): Promise<Peer> {
  if (await findCommand("go") === undefined) throw new Skipped("needs Go");
  const home = await cached(`nats-${version}`, async (dir) => {
    bench.note(`builds NATS ${version}`);
    const module = `github.com/nats-io/nats-server/v2@v${version}`;
    await build({ command: "go", args: ["mod", "init", "bench"], cwd: dir });
    await build({ command: "go", args: ["get", module], cwd: dir });
    await build({ command: "go", args: ["build", "-o", ".", "github.com/nats-io/nats-server/v2"], cwd: dir });
  });
  const port = freePort();
  const file = `${bench.dir}/nats.conf`;
  await Deno.writeTextFile(
    file,
    `listen: 127.0.0.1:${port}\njetstream { store_dir: "${bench.dir}/nats", max_file: 20G, sync_interval: always }\n`,
  );
  const peer = await startedPeer({ command: `${home}/nats-server`, args: ["-c", file] }, port, bench);
  await Deno.writeTextFile(`${bench.dir}/message`, messageLine(0));
  return { ...peer, send: (timing) => publish(port, `${bench.dir}/message`, load.connections, timing) };
}

async function publish(port: number, file: string, connections: number, { seconds, core }: Timing): Promise<Seen> {
  const script = `${root}/test/bench/nats_load.ts`;
  const args = ["run", "--quiet", "-A", "--config", `${root}/deno.json`, script];
  args.push(String(port), file, String(connections), String(seconds));
  const { code, stdout, stderr } = await runToEnd({
    command: Deno.execPath(),
    args,
    ...(core !== undefined && { core }),
  });
  if (code !== 0) throw new Error(`The load of NATS ended with ${code}: ${stderr}`);
  return JSON.parse(stdout);
}
