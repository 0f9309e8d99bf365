/** nginx: one process, the best that it can do without ever syncing. */
import { type Bench, Skipped } from "./case.ts";
import { freePort, type Peer, startedPeer } from "./peer.ts";
import { findCommand } from "./process.ts";

/** "log": answers 204 and logs what a message holds, buffered; "discard": takes bodies whole, and forgets them. */
export type NginxRole = "log" | "discard";

export async function startNginx(bench: Bench, role: NginxRole): Promise<Peer> {
  const command = await findCommand("nginx");
  if (command === undefined) throw new Skipped("needs nginx");
  const port = freePort();
  const dir = `${bench.dir}/nginx`;
  await Deno.mkdir(dir, { recursive: true });
  await Deno.writeTextFile(`${dir}/nginx.conf`, configOf(dir, port, locations[role](dir, port)));
  return await startedPeer({ command, args: ["-e", `${dir}/error.log`, "-c", `${dir}/nginx.conf`] }, port, bench);
}

const locations: Readonly<Record<NginxRole, (dir: string, port: number) => string>> = {
  log: (dir) => `location /log { access_log ${dir}/access.log message buffer=64k flush=1s; return 204; }`,
  // It reads a whole body only for somebody behind it: here itself, who gets none of it.
  discard: (_dir, port) =>
    `location /log { proxy_pass http://127.0.0.1:${port}/nothing; proxy_pass_request_body off;
      proxy_set_header Content-Length ""; proxy_http_version 1.1; proxy_set_header Connection ""; }
    location /nothing { return 204; }`,
};

function configOf(dir: string, port: number, location: string): string {
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
  client_body_buffer_size 512k;
  ${scratch.join(" ")}
  log_format message '$msec\\t$remote_addr\\t$request_method\\t$uri\\t$args\\t$http_user_agent\\t$http_referer\\t$http_cookie';
  server {
    listen 127.0.0.1:${port} backlog=1024;
    ${location}
  }
}
`;
}
