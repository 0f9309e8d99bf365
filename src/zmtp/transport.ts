/** [shell] Connections over TCP and over sockets of this machine. */
import { codeOf } from "../os/world.ts";
import type { Stream } from "./connection.ts";
import type { Endpoint } from "../config/endpoint.ts";

export interface Listener {
  /** With the port in use. */
  readonly endpoint: Endpoint;
  accept(): Promise<Stream>;
  /** Takes no further connections. May be called twice. */
  close(): void;
}
export interface Transport {
  /** Throws with the system's `code`, EADDRINUSE for an address that another has. */
  listen(endpoint: Endpoint): Promise<Listener>;
  dial(endpoint: Endpoint): Promise<Stream>;
}

const backlog = 1024;

export const denoTransport: Transport = {
  async listen(endpoint) {
    if (endpoint.kind === "ipc") return await listenIpc(endpoint.path);
    const { host, port } = endpoint;
    const listener = Deno.listen({ hostname: host, port, tcpBacklog: backlog });
    return {
      endpoint: { ...endpoint, port: (listener.addr as Deno.NetAddr).port },
      accept: async () => tcpStream(await listener.accept()),
      close: once(() => listener.close()),
    };
  },
  async dial(endpoint) {
    if (endpoint.kind === "ipc") return streamOf(await Deno.connect({ transport: "unix", path: endpoint.path }), "");
    return tcpStream(await Deno.connect({ hostname: endpoint.host, port: endpoint.port }));
  },
};

async function listenIpc(path: string): Promise<Listener> {
  await removeStale(path);
  const listener = Deno.listen({ transport: "unix", path });
  return {
    endpoint: { kind: "ipc", path },
    accept: async () => streamOf(await listener.accept(), ""),
    close: once(() => {
      listener.close();
      removeQuietly(path);
    }),
  };
}

/** A process that was killed leaves its socket behind, where nobody listens and nobody can. */
async function removeStale(path: string): Promise<void> {
  try {
    (await Deno.connect({ transport: "unix", path })).close();
  } catch (problem) {
    if (codeOf(problem) === "ECONNREFUSED" && Deno.lstatSync(path).isSocket) removeQuietly(path);
  }
}

function removeQuietly(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // It is gone already, or not ours to remove: whoever listens there next says so.
  }
}

function tcpStream(conn: Deno.TcpConn): Stream {
  try {
    conn.setNoDelay(true);
    // A machine that is gone without a word is noticed in the end, whatever its ZMTP can do.
    conn.setKeepAlive(true);
  } catch {
    // It is gone already, which the first read says again.
  }
  return streamOf(conn, conn.remoteAddr.hostname);
}

function streamOf(conn: Deno.Conn, peer: string): Stream {
  return {
    peer,
    read: (into) => conn.read(into),
    write: (bytes) => conn.write(bytes),
    close: once(() => conn.close()),
  };
}

function once(run: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    run();
  };
}
