/** The way from a destination to its peer, and what can happen on it: the network, certificates, names, or the peer itself. */
import type { Certificates } from "../services/certificates.ts";
import { startFront } from "../services/front.ts";
import type { NameServer } from "../services/name_server.ts";
import { type Fault, startProxy } from "../services/proxy.ts";
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
export interface Cell {
  /** The fault, as the table has it. */
  readonly name: string;
  /** What the destination's error has to say meanwhile. */
  readonly says?: RegExp | undefined;
  readonly needsRoot?: boolean;
  /** TLS is talked to a server in front of the peer. */
  readonly hasFront?: boolean;
  /** Nothing is between. */
  readonly isDirect?: boolean;
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

/** Another certificate is shown in place of the good one. */
export function certificate(name: string, which: "expired" | "elsewhere", says: RegExp): Cell {
  return {
    name,
    says,
    hasFront: true,
    async open({ port, doorPort, certificates }) {
      const front = await startFront(port, certificates.server, doorPort);
      return {
        door: { host: here, port: front.port, ca: certificates.ca },
        begin: () => front.show(certificates[which]),
        mend: () => front.show(certificates.server),
        [Symbol.asyncDispose]: () => front[Symbol.asyncDispose](),
      };
    },
  };
}

/** Its time runs out while a connection stands; then that one breaks. */
export function expiring(name: string, says: RegExp): Cell {
  return {
    name,
    says,
    hasFront: true,
    async open({ port, doorPort, certificates }) {
      const front = await startFront(port, certificates.server, doorPort);
      return {
        door: { host: here, port: front.port, ca: certificates.ca },
        async begin() {
          const end = new Date(Math.ceil((Date.now() + briefMs) / 1000) * 1000);
          const pair = await certificates.until(end);
          await front.show(pair);
          await pause(end.getTime() - Date.now() + 1000);
          // A session that is resumed is not looked at again: only a server that knows none shows what it has.
          await front.show(pair);
        },
        mend: () => front.show(certificates.server),
        [Symbol.asyncDispose]: () => front[Symbol.asyncDispose](),
      };
    },
  };
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

/** The peer goes and comes back when all the other faults are over. */
export const killed: Cell = own("killed and restarted", () => {}, () => {});
