/** What the server is compared with: the ceiling, and nginx. */
import { fileURLToPath } from "node:url";
import { type Bench, Skipped } from "./case.ts";
import { Child, findCommand, runToEnd, until } from "./process.ts";

export type PeerName = "ceiling syncpre" | "ceiling sync" | "nginx";

/** Something that takes requests and can be measured. */
export interface Peer extends AsyncDisposable {
  readonly address: string;
  readonly child: Child;
}

/** Throws `Skipped` when it cannot be had here. */
export function startPeer(name: PeerName, bench: Bench): Promise<Peer> {
  if (name === "nginx") return startNginx(bench);
  return startCeiling(bench, name === "ceiling sync" ? "sync" : "syncpre");
}

async function startCeiling(bench: Bench, mode: "sync" | "syncpre"): Promise<Peer> {
  const command = Deno.env.get("SPARKNGIN_CEILING") || await compiledCeiling(bench.kept);
  const port = freePort();
  const file = `${bench.kept}/ceiling.${mode}`;
  if (mode === "syncpre" && !await Deno.stat(file).catch(() => undefined)) bench.note("ceiling fills a file of 4 GiB");
  return await started({ command, args: [String(port), mode, file] }, port, bench);
}

async function compiledCeiling(dir: string): Promise<string> {
  const made = `${dir}/ceiling`;
  if (await Deno.stat(made).catch(() => undefined)) return made;
  const command = await findCommand("cc");
  if (command === undefined) throw new Skipped("needs cc, or a ceiling by SPARKNGIN_CEILING");
  const source = fileURLToPath(new URL("ceiling.c", import.meta.url));
  const { code, stderr } = await runToEnd({ command, args: ["-O2", "-o", made, source] });
  if (code !== 0) throw new Error(`Cannot compile ${source}: ${stderr}`);
  return made;
}

async function startNginx(bench: Bench): Promise<Peer> {
  const command = await findCommand("nginx");
  if (command === undefined) throw new Skipped("needs nginx");
  const port = freePort();
  const dir = `${bench.dir}/nginx`;
  await Deno.mkdir(dir, { recursive: true });
  await Deno.writeTextFile(`${dir}/nginx.conf`, nginxConfig(dir, port));
  return await started({ command, args: ["-e", `${dir}/error.log`, "-c", `${dir}/nginx.conf`] }, port, bench);
}

/** One process that answers 204 and logs what a message holds, buffered and never synced: the best that nginx can do. */
function nginxConfig(dir: string, port: number): string {
  const scratch = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) =>
    `${name}_temp_path ${dir}/${name};`
  );
  return `daemon off;
master_process off;
pid ${dir}/nginx.pid;
error_log ${dir}/error.log error;
events { worker_connections 4096; }
http {
  access_log off;
  keepalive_requests 100000000;
  ${scratch.join(" ")}
  log_format message '$msec\\t$remote_addr\\t$request_method\\t$uri\\t$args\\t$http_user_agent\\t$http_referer\\t$http_cookie';
  server {
    listen 127.0.0.1:${port} backlog=1024;
    location /log { access_log ${dir}/access.log message buffer=64k flush=1s; return 204; }
  }
}
`;
}

async function started(launch: { command: string; args: string[] }, port: number, bench: Bench): Promise<Peer> {
  const core = bench.machine.pins.server;
  const child = new Child({ ...launch, ...(core !== undefined && { core }) });
  try {
    await until(child, `the start of ${launch.command}`, () => listens(port));
  } catch (problem) {
    await child[Symbol.asyncDispose]();
    throw problem;
  }
  return { address: `127.0.0.1:${port}`, child, [Symbol.asyncDispose]: () => child[Symbol.asyncDispose]() };
}

async function listens(port: number): Promise<boolean> {
  try {
    using _ = await Deno.connect({ hostname: "127.0.0.1", port });
    return true;
  } catch (problem) {
    if (problem instanceof Deno.errors.ConnectionRefused) return false;
    throw problem;
  }
}

/** One that nobody has now. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
