/** Syslog over UDP (RFC 5426): a datagram a message. Nobody says whether one arrived. */
import { createSocket, type Socket } from "node:dgram";
import { lookup } from "node:dns/promises";
import type { Adaptor, Delivery } from "../../src/deliver/adaptor.ts";
import { type Clock, codeOf } from "../../src/os/world.ts";

export interface DatagramPlan {
  readonly host: string;
  readonly port: number;
  readonly clock: Clock;
  /** The message, or why it cannot be sent. */
  encode(delivery: Delivery): Uint8Array | string;
}

const lookUpEveryMs = 60_000;
/** After so many bytes the receiver gets a moment: its buffer is small, and what does not fit is lost. */
const burstBytes = 32_768;
const restMs = 1;

export async function openDatagrams(plan: DatagramPlan, signal: AbortSignal): Promise<Adaptor> {
  signal.throwIfAborted();
  const { address, family } = await find(plan);
  const socket = createSocket(family === 6 ? "udp6" : "udp4");
  // What the network says of an earlier datagram helps nobody.
  socket.on("error", () => {});
  return new Datagrams(plan, socket, address);
}

async function find({ host, port }: DatagramPlan): Promise<{ address: string; family: number }> {
  try {
    return await lookup(host);
  } catch (cause) {
    throw new Error(`Cannot send to ${host}:${port}: no such host`, { cause });
  }
}

class Datagrams implements Adaptor {
  readonly #plan: DatagramPlan;
  readonly #socket: Socket;
  #address: string;
  #lookedUpAt: number;
  #closed = false;

  constructor(plan: DatagramPlan, socket: Socket, address: string) {
    this.#plan = plan;
    this.#socket = socket;
    this.#address = address;
    this.#lookedUpAt = plan.clock.elapsed();
  }

  async send(batch: readonly Delivery[], signal: AbortSignal) {
    const { clock } = this.#plan;
    if (this.#closed) throw new Error("Cannot send to syslog: the socket is closed");
    await this.#lookUp();
    const refused: { delivery: Delivery; reason: string }[] = [];
    let bytes = 0;
    for (const delivery of batch) {
      signal.throwIfAborted();
      const message = this.#plan.encode(delivery);
      const reason = typeof message === "string" ? message : await this.#send(message);
      if (reason !== undefined) refused.push({ delivery, reason });
      bytes += message.length;
      if (bytes < burstBytes) continue;
      bytes = 0;
      await clock.sleep(restMs, signal);
    }
    return { refused, again: [] };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await new Promise<void>((resolve) => this.#socket.close(resolve));
  }

  /** Why it will never go, or nothing. */
  #send(message: Uint8Array): Promise<string | undefined> {
    return new Promise((resolve, reject) => {
      this.#socket.send(message, this.#plan.port, this.#address, (problem) => {
        if (!problem) resolve(undefined);
        else if (codeOf(problem) === "EMSGSIZE") {
          resolve(`too large: ${message.length} bytes are more than a datagram takes`);
        } else if (codeOf(problem) === "ECONNREFUSED") resolve(undefined);
        else reject(new Error(`Cannot send to ${this.#plan.host}:${this.#plan.port}: ${problem.message}`));
      });
    });
  }

  /** Nothing else would tell that the name has another address now. */
  async #lookUp(): Promise<void> {
    const now = this.#plan.clock.elapsed();
    if (now - this.#lookedUpAt < lookUpEveryMs) return;
    this.#lookedUpAt = now;
    const found = await find(this.#plan).catch(() => undefined);
    if (found !== undefined && (found.family === 6) === this.#address.includes(":")) this.#address = found.address;
  }
}
