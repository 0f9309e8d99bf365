/** A relay of datagrams for tests, between a destination and its real peer: what UDP does to them when something is wrong. */
import { createSocket, type Socket } from "node:dgram";

/**
 * closed: nobody listens on the port, and the system says so; swallowed: nothing comes out; half lost: every second one does not;
 * garbage: each is passed on, and answered by what nobody speaks.
 */
export type RelayFault = "none" | "closed" | "swallowed" | "half lost" | "garbage";

const here = "127.0.0.1";

export async function startRelay(peerPort: number): Promise<Relay> {
  const relay = new Relay(peerPort);
  await relay.listen(0);
  return relay;
}

export class Relay implements AsyncDisposable {
  readonly #peerPort: number;
  #socket: Socket | undefined;
  #fault: RelayFault = "none";
  #count = 0;
  /** One after the other: those under way at once overtake each other. */
  #passed = Promise.resolve();
  port = 0;

  constructor(peerPort: number) {
    this.#peerPort = peerPort;
  }
  async listen(port: number): Promise<void> {
    const socket = this.#socket = createSocket({ type: "udp4", recvBufferSize: 4 << 20 });
    socket.on("message", (bytes, { port }) => this.#take(socket, bytes, port));
    await new Promise<void>((resolve, reject) => {
      socket.once("error", reject);
      socket.bind(port, here, () => resolve());
    });
    this.port = socket.address().port;
  }
  async become(fault: RelayFault): Promise<void> {
    const before = this.#fault;
    this.#fault = fault;
    if (fault === "closed") await this.#close();
    else if (before === "closed") await this.listen(this.port);
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }

  #take(socket: Socket, bytes: Uint8Array, from: number): void {
    this.#count++;
    if (this.#fault === "swallowed" || (this.#fault === "half lost" && this.#count % 2 === 0)) return;
    if (this.#fault === "garbage") socket.send("\0\x16\x03garbage\r\n\r\n", from, here);
    this.#passed = this.#passed.then(() => passOn(socket, bytes, this.#peerPort));
  }

  async #close(): Promise<void> {
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket !== undefined) await new Promise<void>((resolve) => socket.close(resolve));
  }
}

function passOn(socket: Socket, bytes: Uint8Array, port: number): Promise<void> {
  return new Promise((resolve) => socket.send(bytes, port, here, () => resolve()));
}
