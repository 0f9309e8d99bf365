/** The other side of destinations in trouble: what listens there, if anything, and how it misbehaves. All are HTTP receivers. */
import { createServer, type Server, type Socket } from "node:net";
import { freePort } from "./peer.ts";

export const troubles = ["dead", "slow", "frozen", "lying"] as const;
export type Trouble = (typeof troubles)[number];

export interface Receiver extends Disposable {
  readonly port: number;
}

const answer = "HTTP/1.1 204 No Content\r\n\r\n";
const byteEveryMs = 1000;

type Misbehave = (socket: Socket) => void;

const ways: Readonly<Record<Exclude<Trouble, "dead">, Misbehave>> = {
  /** Answers each request with a byte a second. */
  slow(socket) {
    let sent = 0;
    const timer = setInterval(() => socket.write(answer[sent++ % answer.length]!), byteEveryMs);
    socket.on("data", () => {});
    socket.on("close", () => clearInterval(timer));
  },
  /** Takes the connection and never reads. */
  frozen(socket) {
    socket.pause();
  },
  /** Says what is no answer, or claims to have it all before it was sent, and resets the connection. */
  lying(socket) {
    const claims = Math.random() < 0.5;
    socket.once("data", () => {
      socket.write(claims ? answer : "\x00 250 OK, or so\r\n".repeat(20), () => socket.resetAndDestroy());
    });
  },
};

/** Listens as the trouble wants it; nobody listens for a dead one. */
export async function startTrouble(trouble: Trouble): Promise<Receiver> {
  if (trouble === "dead") return { port: freePort(), [Symbol.dispose]() {} };
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    ways[trouble](socket);
  });
  return {
    port: await listening(server),
    [Symbol.dispose]() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

function listening(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port));
  });
}
