/** Syslog over UDP under faults: nobody says what arrived, so what can be promised is that it is sent, counted, and holds nobody up. */
import { type RelayFault, startRelay } from "../services/relay.ts";
import { startSyslog } from "../services/syslog.ts";
import { type Refusing, textsOf } from "./fault_peers.ts";
import { type Cell, farName, killed, late, nameOf, onNode } from "./ways.ts";

const here = "127.0.0.1";
/** So few that all of them, by all ways, fit into the receiver's buffer: it need not be quick. */
export const datagramsPerStep = 10;
/** So long that no datagram takes it. */
const tooLarge = 70_000;
const gone = { mayLose: true };

export function datagrams(): Refusing {
  return {
    cells: [
      { ...relayed("refused", "closed"), ...gone },
      { ...relayed("half-open", "swallowed"), ...gone },
      { ...relayed("every second one lost", "half lost"), ...gone },
      relayed("garbage", "garbage"),
      named("name gone", { fromStart: false }),
      { ...named("name unknown at first", { fromStart: true }), says: /does not resolve|no such host/ },
      { ...late("too large", ({ sender }) => sender.send([40, tooLarge, 40])), dead: 1, onAll: true },
      ...onNode,
      { ...killed, ...gone, onAll: true },
    ],
    async begin() {
      const server = await startSyslog("rsyslog");
      const { udp } = server.ports;
      return {
        port: udp,
        config: (cell, { host, port }) =>
          `kind = "syslog"\ntransport = "udp"\nhost = "${host}"\nport = ${port}\nformat = "raw"\n` +
          `app_name = "${nameOf(cell)}"\nmessage_max = "1MiB"\n`,
        arrived: async (cell) => textsOf(await server.logged(), nameOf(cell)),
        kill: () => server.stop("SIGKILL"),
        restart: () => server.start(),
        [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
      };
    },
  };
}

function relayed(name: string, fault: RelayFault): Cell {
  return {
    name,
    async open({ port }) {
      const relay = await startRelay(port);
      return {
        door: { host: here, port: relay.port },
        begin: () => relay.become(fault),
        mend: () => relay.become("none"),
        [Symbol.asyncDispose]: () => relay[Symbol.asyncDispose](),
      };
    },
  };
}

/** Whoever has had an address keeps it. */
function named(name: string, { fromStart }: { readonly fromStart: boolean }): Cell {
  const host = `${nameOf({ name })}.${farName}`;
  return {
    name,
    needsRoot: true,
    fromStart,
    open: ({ port, names }) => {
      names?.names.add(host);
      return Promise.resolve({
        door: { host, port },
        begin: () => void names?.names.delete(host),
        mend: () => void names?.names.add(host),
        [Symbol.asyncDispose]: () => Promise.resolve(),
      });
    },
  };
}
