/**
 * A TCP proxy for tests, between any destination and its real peer, on which the network fails in every way that can be had
 * without a kernel's help. What is called a fault here lasts until another one is chosen; connections do not survive the change, as
 * they would not survive an outage, but for "silence".
 */
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/**
 * none: all goes through; refused: connections are reset as soon as they are there; half-open: everything is swallowed, both ways;
 * silence: connections stand, the old ones too, and not a byte passes until the end, when all that waited goes on; never reads:
 * taken, and not a byte read; never answers: everything reaches the peer, and no answer comes back; answer lost: reset when the
 * peer answers to something large; slow: a byte a second; cut: reset in the middle, after a few hundred bytes; garbage: what comes
 * is answered by what nobody speaks.
 */
export type Fault =
  | "none"
  | "refused"
  | "half-open"
  | "silence"
  | "never reads"
  | "never answers"
  | "answer lost"
  | "slow"
  | "cut"
  | "garbage";

const cutAfterBytes = 500;
/** Greetings are smaller than that, batches are larger. */
const largeBytes = 4000;
const slowMs = 1000;

/** `port` 0: any. */
export async function startProxy(peerPort: number, port = 0): Promise<Proxy> {
  const proxy = new Proxy(peerPort);
  await proxy.listen(port);
  return proxy;
}

export class Proxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #timers = new Set<ReturnType<typeof setInterval>>();
  #fault: Fault = "none";
  /** Where connections lead from now on. */
  peerPort: number;
  /** How long everything takes on its way, there as well as back. */
  delayMs = 0;
  /** How often a side that had been answered spoke again: round trips that were waited for. */
  turns = 0;
  /** How many connections there were since the last change. */
  connections = 0;

  constructor(peerPort: number) {
    this.peerPort = peerPort;
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#take(socket));
  }
  listen(port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, "127.0.0.1", () => resolve());
    });
  }
  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }
  set fault(fault: Fault) {
    const before = this.#fault;
    this.#fault = fault;
    this.connections = 0;
    for (const timer of this.#timers) clearInterval(timer);
    this.#timers.clear();
    if (fault === "silence") { for (const socket of this.#sockets) socket.pause(); }
    else if (before === "silence" && fault === "none") { for (const socket of this.#sockets) socket.resume(); }
    else this.reset();
  }
  /** Ends all connections there are. */
  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.fault = "refused";
    await closed;
  }

  #take(near: Socket): void {
    this.connections++;
    this.#keep(near);
    switch (this.#fault) {
      case "refused":
        return void near.resetAndDestroy();
      case "half-open":
        return void near.resume();
      case "never reads":
        return void near.pause();
      case "garbage":
        return void near.on("data", () => near.write("\0\x16\x03garbage\r\n\r\n"));
      default:
        this.#connect(near);
    }
  }

  #connect(near: Socket): void {
    const far = connect({ host: "127.0.0.1", port: this.peerPort, allowHalfOpen: true });
    this.#keep(far);
    if (this.delayMs > 0) return this.#delay(near, far);
    for (const [one, other] of [[near, far], [far, near]] as const) one.on("close", () => other.destroy());
    far.on("end", () => near.end());
    near.on("end", () => far.end());
    if (this.#fault === "never answers") far.resume();
    else if (this.#fault === "answer lost") this.#loseAnswer(near, far);
    else far.on("data", (piece) => near.write(piece));
    if (this.#fault === "slow") this.#trickle(near, far);
    else if (this.#fault === "cut") this.#cut(near, far);
    else near.on("data", (piece) => far.write(piece));
    if (this.#fault === "silence") { for (const socket of [near, far]) socket.pause(); }
  }

  #loseAnswer(near: Socket, far: Socket): void {
    let asked = 0;
    near.on("data", (piece) => asked += piece.length);
    far.on("data", (piece) => {
      if (asked >= largeBytes) return void near.resetAndDestroy();
      asked = 0;
      near.write(piece);
    });
  }

  #delay(near: Socket, far: Socket): void {
    let answered = true;
    near.on("data", () => {
      if (answered) this.turns++;
      answered = false;
    });
    far.on("data", () => answered = true);
    for (const [one, other] of [[near, far], [far, near]] as const) {
      one.on("data", (piece) => void setTimeout(() => other.write(piece), this.delayMs));
      one.on("end", () => void setTimeout(() => other.end(), this.delayMs));
      one.on("close", () => void setTimeout(() => other.destroy(), this.delayMs));
    }
  }

  #trickle(near: Socket, far: Socket): void {
    const timer = setInterval(() => {
      const byte = near.read(1);
      if (byte !== null) far.write(byte);
    }, slowMs);
    this.#timers.add(timer);
  }

  #cut(near: Socket, far: Socket): void {
    let room = cutAfterBytes;
    near.on("data", (piece) => {
      far.write(piece.subarray(0, room));
      room -= piece.length;
      if (room <= 0) near.resetAndDestroy();
    });
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => this.#sockets.delete(socket));
  }
}
