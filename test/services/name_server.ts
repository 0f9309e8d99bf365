/**
 * A name server for tests: it knows a few names of 127.0.0.1, and can forget them. Who is to ask it is run in a mount namespace of
 * its own, in which /etc/resolv.conf names it; both need root.
 */
import { Buffer } from "node:buffer";
import { createSocket, type Socket } from "node:dgram";
import { missing as missingCommands } from "../crash/needs.ts";

/** " (needs …)", or "" when it can be had. */
export function missing(): string {
  const lacks = missingCommands(["unshare"], "root");
  return lacks === "" ? "" : ` (${lacks})`;
}

/** `dir`: of the caller, for a file. */
export async function startNameServer(dir: string): Promise<NameServer> {
  for (let last = 1;; last++) {
    const server = new NameServer(`127.0.53.${last}`, dir);
    try {
      await server.listen();
      return server;
    } catch (problem) {
      // Somebody else has this address.
      if (last === 250) throw problem;
    }
  }
}

const headBytes = 12;
const notThere = 3;
const typeA = 1;

export class NameServer implements AsyncDisposable {
  readonly #socket: Socket = createSocket("udp4");
  readonly #address: string;
  readonly #dir: string;
  /** All others do not exist. */
  readonly names = new Set<string>();

  constructor(address: string, dir: string) {
    this.#address = address;
    this.#dir = dir;
    this.#socket.on("message", (asked, { port, address }) => this.#socket.send(this.#answer(asked), port, address));
  }
  async listen(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#socket.once("error", reject);
      this.#socket.bind(53, this.#address, () => resolve());
    });
    await Deno.writeTextFile(`${this.#dir}/resolv.conf`, `nameserver ${this.#address}\n`);
  }
  /** For `Setup.through`: what is carried out asks this server. */
  get through(): readonly string[] {
    const script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"';
    return ["unshare", "-m", "sh", "-c", script, `${this.#dir}/resolv.conf`];
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>((resolve) => this.#socket.close(resolve));
  }

  /** The question comes back, with an address for an hour if it asks for one: whoever asks here keeps nothing. */
  #answer(asked: Buffer): Buffer {
    const { name, end } = questionIn(asked);
    const isThere = this.names.has(name);
    const hasAddress = isThere && asked.readUInt16BE(end - 4) === typeA;
    const head = asked.subarray(0, headBytes);
    const answer = Buffer.concat([head, asked.subarray(headBytes, end), ...(hasAddress ? [addressOfIt] : [])]);
    answer.writeUInt16BE(0x8180 | (isThere ? 0 : notThere), 2);
    answer.writeUInt16BE(hasAddress ? 1 : 0, 6);
    answer.writeUInt32BE(0, 8);
    return answer;
  }
}

/** By reference to the name in the question: A, IN, an hour, four bytes. */
const addressOfIt = Buffer.from([0xc0, headBytes, 0, typeA, 0, 1, 0, 0, 14, 16, 0, 4, 127, 0, 0, 1]);

function questionIn(asked: Buffer): { name: string; end: number } {
  const labels: string[] = [];
  let at = headBytes;
  for (let length = asked[at]!; length > 0; length = asked[at]!) {
    labels.push(asked.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join(".").toLowerCase(), end: at + 1 + 4 };
}
