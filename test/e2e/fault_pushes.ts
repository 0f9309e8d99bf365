/** ZeroMQ PUSH under faults: what the system has taken for a peer is handed over, and gone with its connection; the rest waits. */
import { type AddressInfo, createServer, type Server } from "node:net";
import { brokenHandshakes, hello, hostileFrames, joined } from "../zmtp/dialogue.ts";
import { makeOf, missing, Peer as Taker } from "../services/zeromq.ts";
import { startProxy } from "../services/proxy.ts";
import type { Row, Scene } from "./destination_faults.ts";
import { eventually } from "./waiting.ts";
import { type Cell, late, nameGone, nameOf, network, onNode, own } from "./ways.ts";

const here = "127.0.0.1";
/** More than the buffers of two systems hold. */
const bulk: readonly number[] = Array(110).fill(64_000);
const alone = /^waiting/;
/** What a connection held that broke. */
const gone = { mayLose: true, anyOrder: true };

/** All ways lead to takers of their own. */
export function pushes(): Row {
  const takers = new Takers();
  const overtaken = { anyOrder: true };
  return {
    name: "ZeroMQ PUSH",
    lacks: missing("pyzmq"),
    cells: [
      network("refused", "refused", alone),
      { ...network("reset in mid-batch", "cut"), ...gone },
      network("half-open", "half-open", alone),
      network("1 byte a second", "slow", alone),
      network("never reads", "never reads", alone),
      network("garbage", "garbage", alone),
      network("silence on an old connection", "silence"),
      nameGone("name gone", alone),
      impostor("breaks the handshake", brokenHandshakes(), alone),
      { ...impostor("hostile once connected", hostileFrames().map((bytes) => joined(hello("PULL"), bytes))), ...gone },
      {
        ...own("nobody at first", () => {}, () => takers.start({ name: "nobody at first" }), alone),
        fromStart: true,
      },
      { ...late("frozen, everything full", (scene) => takers.freezeWhileFull(scene)), ...overtaken },
      ...onNode.map((cell) => ({ ...cell, ...overtaken })),
      late("killed and restarted", (scene) => takers.killIdle(scene)),
      { ...late("killed with messages unread", (scene) => takers.killUnread(scene)), ...gone },
    ],
    async begin(cells) {
      for (const cell of cells) await takers.add(cell);
      return {
        port: 0,
        ports: (cell) => ({ port: takers.portOf(cell), doorPort: 0 }),
        config: (_cell, { host, port }) =>
          `kind = "zeromq"\nsocket = "push"\nconnect = ["${host}:${port}"]\nformat = "raw"\n` +
          `high_water = "64KiB"\nheartbeat = "5m"\ninsecure = true\n`,
        arrived: (cell) => Promise.resolve(takers.linesOf(cell)),
        [Symbol.asyncDispose]: () => takers[Symbol.asyncDispose](),
      };
    },
  };
}

/** In place of the peer there is somebody who says one of these to each that comes. */
function impostor(name: string, words: readonly Uint8Array[], says?: RegExp): Cell {
  return {
    name,
    ...(says && { says }),
    async open({ port }) {
      const proxy = await startProxy(port);
      const speaker = await startSpeaker(words);
      const lead = (to: number) => {
        proxy.peerPort = to;
        proxy.reset();
      };
      return {
        door: { host: here, port: proxy.port },
        begin: () => lead((speaker.address() as AddressInfo).port),
        mend: () => lead(port),
        async [Symbol.asyncDispose]() {
          await proxy[Symbol.asyncDispose]();
          await new Promise((resolve) => speaker.close(resolve));
        },
      };
    },
  };
}

/** Reads on until the other side ends it. */
async function startSpeaker(words: readonly Uint8Array[]): Promise<Server> {
  let turn = 0;
  const speaker = createServer((socket) => {
    socket.on("error", () => {});
    socket.resume();
    socket.write(words[turn++ % words.length]!);
  });
  await new Promise<void>((resolve) => speaker.listen(0, here, () => resolve()));
  return speaker;
}

interface Place {
  readonly port: number;
  /** What those took that are dead. */
  readonly taken: string[];
  taker: Taker | undefined;
}

/** A process with a PULL socket for each way. */
class Takers implements AsyncDisposable {
  readonly #places = new Map<string, Place>();

  async add(cell: Cell): Promise<void> {
    const listener = Deno.listen({ hostname: here, port: 0 });
    const { port } = listener.addr;
    listener.close();
    this.#places.set(nameOf(cell), { port, taken: [], taker: undefined });
    if (!cell.fromStart) await this.start(cell);
  }
  async start(cell: { readonly name: string }): Promise<void> {
    const place = this.#of(cell);
    const where = ["bind", `tcp://${here}:${place.port}`] as const;
    place.taker = new Taker(await makeOf("pyzmq"), "pull", where, { count: 1e9 });
    await place.taker.address;
  }
  portOf(cell: Cell): number {
    return this.#of(cell).port;
  }
  linesOf(cell: Cell): readonly string[] {
    const { taken, taker } = this.#of(cell);
    return [...taken, ...taker?.lines ?? []];
  }

  async freezeWhileFull({ cell, host, sender }: Scene): Promise<void> {
    const taker = this.#of(cell).taker!;
    taker.freeze();
    await sender.send(bulk);
    await sender.arrivedNear();
    await host.shows(nameOf(cell), ({ pending, last_error }) => pending > 0 && last_error !== "");
    taker.thaw();
  }
  /** It has read everything, and the node knows that it is gone. */
  async killIdle({ cell, host, sender }: Scene): Promise<void> {
    await eventually("everything to be read", () => new Set(this.linesOf(cell)).size === sender.sent);
    await this.#kill(cell);
    await eventually("the node to close its end", () => !isConnectedTo(this.portOf(cell)));
    await sender.send();
    await host.shows(nameOf(cell), ({ state }) => state === "waiting");
    await this.start(cell);
  }
  async killUnread({ cell, host, sender }: Scene): Promise<void> {
    this.#of(cell).taker!.freeze();
    await sender.send();
    await host.shows(nameOf(cell), ({ pending }) => pending === 0);
    await this.#kill(cell);
    await this.start(cell);
  }
  async [Symbol.asyncDispose](): Promise<void> {
    for (const { taker } of this.#places.values()) await taker?.kill();
  }

  async #kill(cell: Cell): Promise<void> {
    const place = this.#of(cell);
    await place.taker!.kill();
    place.taken.push(...place.taker!.lines);
    place.taker = undefined;
  }
  #of({ name }: { readonly name: string }): Place {
    return this.#places.get(nameOf({ name }))!;
  }
}

/** Whether anybody on this machine has a connection to it, as the system counts: established, or not closed on this side yet. */
function isConnectedTo(port: number): boolean {
  const hex = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const lines = Deno.readTextFileSync("/proc/net/tcp").split("\n").map((line) => line.trim().split(/\s+/));
  return lines.some(([, , remote = "", state = ""]) => remote.endsWith(hex) && ["01", "08"].includes(state));
}
