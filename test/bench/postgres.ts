/** PostgreSQL: each message an INSERT, synced before it is answered, as a fresh cluster does it; loaded by pgbench. */
import { messageLine } from "./body.ts";
import { Skipped } from "./case.ts";
import { type Seen, seenOf, type Timing } from "./load.ts";
import { freePort, type Peer, type PeerSetup, startedPeer } from "./peer.ts";
import { Child, findCommand, runToEnd, until } from "./process.ts";

const user = "bench";
/** It refuses to run as root; this one may do least. */
const instead = { name: "nobody", id: 65534 };

export async function startPostgres({ bench, load }: PeerSetup): Promise<Peer> {
  const bin = await findBin();
  const dir = `${bench.dir}/postgres`;
  await Deno.mkdir(dir);
  const asRoot = Deno.uid() === 0;
  if (asRoot) await Deno.chown(dir, instead.id, instead.id);
  const as = (command: string, args: readonly string[]) =>
    asRoot
      ? {
        command: "setpriv",
        args: [`--reuid=${instead.id}`, `--regid=${instead.id}`, "--clear-groups", command, ...args],
      }
      : { command, args };
  const made = await runToEnd({ ...as(`${bin}/initdb`, ["-D", `${dir}/data`, "-U", user, "-A", "trust"]), cwd: "/" });
  if (made.code !== 0) throw new Skipped(`needs a cluster, and initdb says: ${made.stderr.trim().slice(-300)}`);
  const port = freePort();
  const args = ["-D", `${dir}/data`, "-p", String(port), "-c", "listen_addresses=127.0.0.1", "-k", dir];
  const peer = await startedPeer({ ...as(`${bin}/postgres`, args), cwd: "/" }, port, bench);
  const place = { bin, dir: bench.dir, port };
  try {
    await prepare(peer.child, place);
  } catch (problem) {
    await peer[Symbol.asyncDispose]();
    throw problem;
  }
  return {
    ...peer,
    send: (timing) => insert(place, load.connections, timing),
    cpuSeconds: () => peer.child.familyCpuSeconds(),
    // SIGTERM would wait for sessions that nobody ends.
    async [Symbol.asyncDispose]() {
      peer.child.kill("SIGINT");
      await peer[Symbol.asyncDispose]();
    },
  };
}

/** Distributions keep it aside, each version in a directory of its own. */
async function findBin(): Promise<string> {
  const base = "/usr/lib/postgresql";
  const versions = await Array.fromAsync(Deno.readDir(base)).catch(() => []);
  const newest = versions.map(({ name }) => Number(name)).sort((a, b) => b - a)[0];
  if (newest !== undefined) return `${base}/${newest}/bin`;
  const found = await findCommand("initdb");
  if (found === undefined) throw new Skipped("needs PostgreSQL");
  return found.slice(0, found.lastIndexOf("/"));
}

interface Place {
  readonly bin: string;
  readonly dir: string;
  readonly port: number;
}

async function prepare(postgres: Child, { bin, dir, port }: Place): Promise<void> {
  const table = "CREATE TABLE message (id bigserial PRIMARY KEY, at timestamptz DEFAULT now(), body text NOT NULL)";
  const args = ["-h", "127.0.0.1", "-p", String(port), "-U", user, "-d", "postgres", "-q", "-c", table];
  // It listens a while before it answers.
  await until(postgres, "PostgreSQL", async () => {
    const { code } = await runToEnd({ command: `${bin}/pg_isready`, args: args.slice(0, 4) });
    return code === 0;
  });
  const { code, stderr } = await runToEnd({ command: `${bin}/psql`, args });
  if (code !== 0) throw new Error(`PostgreSQL has no table: ${stderr}`);
  await Deno.writeTextFile(`${dir}/insert.sql`, `INSERT INTO message (body) VALUES ('${messageLine(0)}');\n`);
}

async function insert({ bin, dir, port }: Place, connections: number, { seconds, core }: Timing): Promise<Seen> {
  const logs = await Deno.makeTempDir({ dir, prefix: "pgbench-" });
  const args = ["-h", "127.0.0.1", "-p", String(port), "-U", user, "-n", "-M", "prepared"];
  args.push("-c", String(connections), "-T", String(seconds), "-f", `${dir}/insert.sql`, "-l", "--log-prefix", "log");
  const child = new Child({
    command: `${bin}/pgbench`,
    args: [...args, "postgres"],
    cwd: logs,
    ...(core !== undefined && { core }),
  });
  let cpu = 0;
  await until(child, "pgbench", () => {
    cpu = Math.max(cpu, child.cpuSeconds() || 0);
    return child.ended;
  });
  if (await child.exited !== 0) throw new Error(`pgbench ended: ${child.stderr.slice(-500)}`);
  return seenOf(await logged(logs), { seconds, cpu_s: cpu });
}

/** ms of every INSERT. */
async function logged(dir: string): Promise<Float64Array> {
  const found: number[] = [];
  for await (const { name } of Deno.readDir(dir)) {
    for (const line of (await Deno.readTextFile(`${dir}/${name}`)).split("\n")) {
      if (line !== "") found.push(Number(line.split(" ")[2]) / 1000);
    }
  }
  await Deno.remove(dir, { recursive: true });
  return Float64Array.from(found);
}
