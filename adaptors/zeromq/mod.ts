/** ZeroMQ: to whoever subscribes (PUB, best effort), or to workers in turn (PUSH, which waits for them). */
import { formatEndpoint, parseEndpoint, staysHere } from "../../src/config/endpoint.ts";
import { choice, duration, flag, list, type Options, size } from "../../src/config/options.ts";
import { adaptor, type Place } from "../../src/deliver/adaptor.ts";
import { compressions } from "../../src/message/compression.ts";
import { codeOf } from "../../src/os/world.ts";
import { openSocket, type Socket } from "../../src/zmtp/socket.ts";
import { encoderOf } from "./frames.ts";
import { openPublisher, openPusher, type Way } from "./way.ts";

const options = {
  socket: choice(
    '"pub" sends each message to everybody who subscribed to it, best effort; "push" to one peer each, in turn, and waits for peers',
    ["pub", "push"],
    "pub",
  ),
  listen: list(
    'where peers come: addresses such as "127.0.0.1:7000", or "ipc:///run/out.sock"; port 0 lets the system choose; ' +
      '"127.0.0.1:7000" if neither this nor connect is given',
    [],
  ),
  connect: list("peers to connect to, again and again, as for listen", []),
  topic_frame: flag("put a frame with the topic in front of each message: subscriptions then go by the topic"),
  compression: choice("how each message is packed", compressions, "none"),
  buf_size: size(
    "with pub: how much of the log may wait while nobody subscribes; the oldest beyond it is overwritten",
    "4M",
    1,
  ),
  high_water: size(
    "how much may wait for one peer; with pub, what is beyond it is dropped for a subscriber slower than the fastest",
    "16MiB",
    65_536,
  ),
  heartbeat: duration(
    'silence after which a peer is asked whether it is there; after as long again it is gone; "0s" never asks',
    "30s",
  ),
  insecure: flag("allow addresses beyond this machine although ZeroMQ here knows neither keys nor encryption"),
};
export type ZeromqOptions = Options<typeof options>;

const zeromq = adaptor({
  summary: "ZeroMQ: to subscribers (PUB, best effort) or to workers in turn (PUSH)",
  promise: ({ socket }) => socket === "push" ? "handed over" : "best effort",
  options,
  problem: ({ listen, connect, insecure }) => problemOf([...listen, ...connect], insecure),
  listens: () => true,
  buffer: ({ socket, buf_size }) => socket === "pub" ? buf_size : undefined,

  /** A node that runs has the address already. */
  async check(options, place, signal) {
    try {
      await (await zeromq.open(options, place, signal)).close();
    } catch (problem) {
      if (codeOf(problem) !== "EADDRINUSE") throw problem;
      place.notice(`${(problem as Error).message}; if that is sparkngin itself, which runs already, all is well`);
    }
  },

  async open(options, place, signal) {
    signal.throwIfAborted();
    const problem = problemOf([...options.listen, ...options.connect], options.insecure);
    if (problem !== undefined) throw new TypeError(`Cannot open: it ${problem}`);
    const way = options.socket === "pub" ? openPublisher(options, place) : openPusher(options);
    const socket = await open(options, place, way);
    const encode = encoderOf(options);
    let closed = false;
    return {
      async send(batch, signal) {
        if (closed) throw new Error("Cannot send over ZeroMQ: the socket is closed");
        return await way.send(batch, encode(batch), signal);
      },
      ready: (signal) => way.ready(signal),
      close: async () => {
        if (!closed) await way.drained();
        closed = true;
        socket.close();
      },
    };
  },
});

export default zeromq;

async function open(options: ZeromqOptions, place: Place, way: Way): Promise<Socket> {
  const { clock, random } = place.world;
  const { socket, listen, connect, heartbeat: heartbeatMs } = options;
  const usual = listen.length + connect.length === 0 ? [usualAddress] : listen;
  const opened = await openSocket({
    type: socket === "pub" ? "PUB" : "PUSH",
    listen: usual.map((text) => parseEndpoint(text)!),
    connect: connect.map((text) => parseEndpoint(text)!),
    ...{ clock, random, heartbeatMs },
    own: (connection) => way.own(connection),
    report: (text) => place.notice(text),
  }).catch((problem) => {
    if (codeOf(problem) !== "EADDRINUSE") throw problem;
    const text = `${problem.message}; it is tried again: end that, or write a [[destination]] with another "listen"`;
    throw Object.assign(new Error(text, { cause: problem }), { code: "EADDRINUSE" });
  });
  const addresses = opened.endpoints.map(formatEndpoint).join(", ");
  if (addresses !== "") place.notice(`peers find it at ${addresses}`, "info");
  return opened;
}

/** As since 2013. */
const usualAddress = "127.0.0.1:7000";

function problemOf(addresses: readonly string[], insecure: boolean): string | undefined {
  for (const text of addresses) {
    const endpoint = parseEndpoint(text);
    if (endpoint === undefined) {
      return `has "${text}"; expected addresses such as "127.0.0.1:7000" or "ipc:///run/out.sock"`;
    }
    if (insecure || staysHere(endpoint)) continue;
    return `has "${text}", which is beyond this machine, and whoever reaches it can read every message: ` +
      "write insecure = true in it if that is meant; else use 127.0.0.1 or ipc://";
  }
  return undefined;
}
