/**
 * [shell] The way in over TLS 1.2 and 1.3 (RFC 8446, RFC 5246), by `node:tls`, because that can ask for client certificates and
 * change its own while it listens. A connection counts here until it has shaken hands.
 */
import type { Socket } from "node:net";
import { createSecureContext, createServer, type SecureContextOptions, type Server, type TLSSocket } from "node:tls";
import { isTransient } from "../os/world.ts";
import type { ByteStream } from "./connection.ts";
import { type Arrivals, backlog, type Listener } from "./listener.ts";

/** Files in PEM. */
export interface TlsSettings {
  readonly tls_cert: string;
  readonly tls_key: string;
  /** Whose certificates a client must show; empty asks for none. */
  readonly tls_client_ca: string;
}

const handshakeMs = 10_000;
const handshakesMax = 1000;
const lookMs = 2000;

/** The files cannot be used. */
export class TlsProblem extends Error {
  override readonly name = "TlsProblem";
  readonly code = "TlsProblem";
}

/** What the files hold now. Throws `TlsProblem`, naming the key, when they cannot be used. */
export function readTls({ tls_cert, tls_key, tls_client_ca }: TlsSettings): SecureContextOptions {
  const cert = readPem("tls_cert", tls_cert);
  const key = readPem("tls_key", tls_key);
  const ca = tls_client_ca === "" ? undefined : readPem("tls_client_ca", tls_client_ca);
  try {
    createSecureContext({ cert, key, ca });
  } catch (problem) {
    const why = problem instanceof Error ? problem.message : problem;
    throw new TlsProblem(`Cannot use http.tls_cert "${tls_cert}" with http.tls_key "${tls_key}": ${why}`);
  }
  return { cert, key, ...(ca === undefined ? {} : { ca: [ca] }) };
}

function readPem(name: keyof TlsSettings, path: string): string {
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch (problem) {
    throw new TlsProblem(`Cannot read http.${name} "${path}": ${problem instanceof Error ? problem.message : problem}`);
  }
  if (text.includes("-----BEGIN ")) return text;
  throw new TlsProblem(`Cannot use http.${name} "${path}": it is no PEM file`);
}

/** Rejects with the system's `code`, EADDRINUSE for a port that another has, or with what is wrong with the files. */
export async function listenTls(
  host: string,
  port: number,
  settings: TlsSettings,
  arrivals: Arrivals,
): Promise<Listener> {
  const context = readTls(settings);
  const asks = settings.tls_client_ca !== "";
  const server = createServer({
    ...context,
    ...{ requestCert: asks, rejectUnauthorized: asks, minVersion: "TLSv1.2", ALPNProtocols: ["http/1.1"] },
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port, backlog }, resolve);
  });
  return new TlsListener(server, settings, arrivals);
}

class TlsListener implements Listener {
  readonly port: number;
  readonly #server: Server;
  readonly #settings: TlsSettings;
  readonly #arrivals: Arrivals;
  readonly #closing = new AbortController();
  /** Connections that have not shaken hands yet, by the port they come from, and until when they may. */
  readonly #shaking = new Map<string, { readonly socket: Socket; readonly until: number }>();

  constructor(server: Server, settings: TlsSettings, arrivals: Arrivals) {
    this.#server = server;
    this.#settings = settings;
    this.#arrivals = arrivals;
    this.port = (server.address() as { port: number }).port;
    server.on("connection", (socket: Socket) => this.#meet(socket));
    server.on("secureConnection", (socket: TLSSocket) => this.#take(socket));
    server.on("error", (problem: Error) => {
      if (isTransient(problem)) arrivals.lacking();
      arrivals.report(`a connection could not be taken: ${problem.message}`);
    });
    // Whoever cannot shake hands is gone with that: nothing an operator must know.
    server.on("tlsClientError", (_problem: Error, socket: TLSSocket) => socket.destroy());
    void this.#look();
  }

  close(): void {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    this.#server.close();
    for (const { socket } of this.#shaking.values()) socket.destroy();
  }

  #meet(socket: Socket): void {
    socket.on("error", () => {});
    if (this.#shaking.size >= handshakesMax) return void socket.destroy();
    const name = nameOf(socket);
    this.#shaking.set(name, { socket, until: this.#arrivals.clock.elapsed() + handshakeMs });
    socket.once("close", () => this.#shaking.delete(name));
  }

  #take(socket: TLSSocket): void {
    this.#shaking.delete(nameOf(socket));
    if (this.#closing.signal.aborted) return void socket.destroy();
    this.#arrivals.take(new SocketStream(socket));
  }

  /** Ends handshakes that take too long, and takes new certificates when the files have changed. */
  async #look(): Promise<void> {
    const { clock } = this.#arrivals;
    const { signal } = this.#closing;
    let seen = this.#stamp();
    for (let failed = "";;) {
      await clock.sleep(lookMs, signal);
      if (signal.aborted) return;
      for (const { socket, until } of this.#shaking.values()) if (clock.elapsed() > until) socket.destroy();
      const now = this.#stamp();
      if (now === seen) continue;
      // Files are changed one after the other: until they fit each other, the old ones serve on.
      const problem = this.#renew();
      if (problem === undefined) seen = now;
      else if (problem !== failed) this.#arrivals.report(`${problem}; the certificate before serves on`);
      failed = problem ?? "";
    }
  }

  #renew(): string | undefined {
    try {
      this.#server.setSecureContext(readTls(this.#settings));
    } catch (problem) {
      return problem instanceof Error ? problem.message : String(problem);
    }
    this.#arrivals.report(`http.tls_cert "${this.#settings.tls_cert}" was read again: new connections get it`);
    return undefined;
  }

  #stamp(): string {
    const { tls_cert, tls_key, tls_client_ca } = this.#settings;
    return [tls_cert, tls_key, tls_client_ca].filter((path) => path !== "").map(stampOf).join(" ");
  }
}

function stampOf(path: string): string {
  try {
    const { mtime, size, ino } = Deno.statSync(path);
    return `${mtime?.getTime()} ${size} ${ino}`;
  } catch {
    return "gone";
  }
}

function nameOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

/** A socket of Node as a stream that is read when somebody wants to. */
class SocketStream implements ByteStream {
  readonly peer: string;
  readonly secure = true;
  readonly #socket: TLSSocket;
  /** What came and did not fit into the last read. */
  #left: Uint8Array | undefined;
  #ended = false;
  #arrived = Promise.withResolvers<void>();

  constructor(socket: TLSSocket) {
    this.#socket = socket;
    this.peer = socket.remoteAddress ?? "";
    socket.setNoDelay(true);
    socket.on("readable", () => this.#arrived.resolve());
    socket.on("end", () => this.#finish());
    socket.on("close", () => this.#finish());
    // Whatever broke it, nothing more comes.
    socket.on("error", () => this.#finish());
  }

  async read(into: Uint8Array): Promise<number | null> {
    for (;;) {
      const chunk = this.#left ?? this.#socket.read() as Uint8Array | null;
      if (chunk !== null && chunk.length > 0) return this.#give(chunk, into);
      if (this.#ended) return null;
      await this.#arrived.promise;
      if (!this.#ended) this.#arrived = Promise.withResolvers<void>();
    }
  }
  write(bytes: Uint8Array): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    this.#socket.write(bytes, (problem) => problem ? reject(problem) : resolve(bytes.length));
    return promise;
  }
  async closeWrite(): Promise<void> {
    this.#socket.end();
  }
  close(): void {
    this.#socket.destroy();
  }

  #give(chunk: Uint8Array, into: Uint8Array): number {
    const count = Math.min(chunk.length, into.length);
    into.set(chunk.subarray(0, count));
    this.#left = count < chunk.length ? chunk.subarray(count) : undefined;
    return count;
  }

  #finish(): void {
    this.#ended = true;
    this.#arrived.resolve();
  }
}
