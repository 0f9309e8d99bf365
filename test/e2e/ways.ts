/** The way from a destination to its peer, and what can happen on it: the network, certificates, names, or the peer itself. */
import type { Certificates } from "../services/certificates.ts";
import { type Front, startFront } from "../services/front.ts";
import type { NameServer } from "../services/name_server.ts";
import { type Fault, startProxy } from "../services/proxy.ts";
import type { Scene } from "./destination_faults.ts";
import type { Promised } from "./fault_figures.ts";
import { pause } from "./waiting.ts";

/** Where the destination is told to go. */
export interface Door {
  readonly host: string;
  readonly port: number;
  /** The authority whose certificates it is to trust, where TLS is talked. */
  readonly ca?: string;
}
export interface Way extends AsyncDisposable {
  readonly door: Door;
  begin(): void | Promise<void>;
  mend(): void | Promise<void>;
}
/** What ways are made of. */
export interface Ground {
  /** The peer's own. */
  readonly port: number;
  /** Where the way has to begin, because the peer tells its clients so; 0: anywhere. */
  readonly doorPort: number;
  readonly certificates: Certificates;
  /** Where there is one. */
  readonly names: NameServer | undefined;
}
export interface Cell extends Promised {
  /** The fault, as the table has it. */
  readonly name: string;
  /** What the destination's state and error, "waiting: …", have to say meanwhile. */
  readonly says?: RegExp | undefined;
  readonly needsRoot?: boolean;
  /** TLS is talked to a server in front of the peer. */
  readonly hasFront?: boolean;
  /** Nothing is between. */
  readonly isDirect?: boolean;
  /** The fault is there before the node is. */
  readonly fromStart?: boolean;
  /** The fault is done, and mended, when all the others are over. */
  late?(scene: Scene): Promise<void>;
  open(ground: Ground): Promise<Way>;
}

/** As a destination, a topic or an index may be called. */
export function nameOf({ name }: { readonly name: string }): string {
  return name.toLowerCase().replace(/[^a-z0-9]+/g, "-");
}

const here = "127.0.0.1";
/** The name of the peer, for those that look it up. */
export const farName = "far.faults.test";
/** So long a certificate is good that expires while it is in use. */
const briefMs = 8000;

const killedMs = 500;
const lives = 3;

const nothing = { [Symbol.asyncDispose]: () => Promise.resolve() };

export function network(name: string, fault: Fault, says?: RegExp): Cell {
  return {
    name,
    ...(says && { says }),
    async open({ port, doorPort }) {
      const proxy = await startProxy(port, doorPort);
      return {
        door: { host: here, port: proxy.port },
        begin: () => void (proxy.fault = fault),
        mend: () => void (proxy.fault = "none"),
        [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose](),
      };
    },
  };
}

/** TLS is talked to a front, which shows its good certificate until the fault begins. */
function behindFront(
  name: string,
  says: RegExp,
  begin: (front: Front, certificates: Certificates) => Promise<void>,
): Cell {
  return {
    name,
    says,
    hasFront: true,
    async open({ port, doorPort, certificates }) {
      const front = await startFront(port, certificates.server, doorPort);
      return {
        door: { host: here, port: front.port, ca: certificates.ca },
        begin: () => begin(front, certificates),
        mend: () => front.show(certificates.server),
        [Symbol.asyncDispose]: () => front[Symbol.asyncDispose](),
      };
    },
  };
}

/** Another certificate is shown in place of the good one. */
export function certificate(name: string, which: "expired" | "elsewhere", says: RegExp): Cell {
  return behindFront(name, says, (front, certificates) => front.show(certificates[which]));
}

/** Its time runs out while a connection stands; then that one breaks. */
export function expiring(name: string, says: RegExp): Cell {
  return behindFront(name, says, async (front, certificates) => {
    const end = new Date(Math.ceil((Date.now() + briefMs) / 1000) * 1000);
    const pair = await certificates.until(end);
    await front.show(pair);
    await pause(end.getTime() - Date.now() + 1000);
    // A session that is resumed is not looked at again: only a server that knows none shows what it has.
    await front.show(pair);
  });
}

/** The name does not resolve any more, and the connection that stood breaks. */
export function nameGone(name: string, says: RegExp): Cell {
  return {
    name,
    says,
    needsRoot: true,
    async open({ port, doorPort, names }) {
      const proxy = await startProxy(port, doorPort);
      names?.names.add(farName);
      return {
        door: { host: farName, port: proxy.port },
        begin() {
          names?.names.delete(farName);
          proxy.reset();
        },
        mend: () => void names?.names.add(farName),
        [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose](),
      };
    },
  };
}

/** What the peer does by itself. */
export function own(name: string, begin: Way["begin"], mend: Way["mend"], says?: RegExp): Cell {
  return {
    name,
    ...(says && { says }),
    isDirect: true,
    open: async ({ port }) => ({ door: { host: here, port }, begin, mend, ...nothing }),
  };
}

/** What comes by itself, when all the other faults are over. */
export function late(name: string, act: NonNullable<Cell["late"]>): Cell {
  return { ...own(name, () => {}, () => {}), late: act };
}

export const killed: Cell = late("killed and restarted", async ({ peer, cell, sender }) => {
  await peer.kill!(cell);
  await sender.send();
  await pause(killedMs);
  await peer.restart!(cell);
});

/** The node itself, while messages are on their way. */
export const onNode: readonly Cell[] = [
  late("the node is reloaded", async ({ host, sender }) => {
    await sender.send();
    await host.reload();
    await sender.send();
  }),
  ...([["the node ends", "SIGTERM"], ["the node is killed", "SIGKILL"]] as const).map(([name, signal]) =>
    late(name, async ({ host, sender }) => {
      for (let life = 0; life < lives; life++) {
        for (let step = 0; step <= life; step++) await sender.send();
        await host.end(signal);
        await host.startAgain();
      }
    })
  ),
];
