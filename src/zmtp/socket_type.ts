/** The kinds of sockets, and who may talk to whom (RFC 23, "The Socket-Type Property"; RFC 28 to 30 for what they do). */

const peers = {
  PUB: ["SUB", "XSUB"],
  SUB: ["PUB", "XPUB"],
  PUSH: ["PULL"],
  PULL: ["PUSH"],
  ROUTER: ["REQ", "DEALER", "ROUTER"],
} as const;

/** Those we have. */
export type OwnType = keyof typeof peers;
const types = ["REQ", "REP", "DEALER", "ROUTER", "PUB", "XPUB", "SUB", "XSUB", "PUSH", "PULL", "PAIR"] as const;
export type SocketType = (typeof types)[number];

export function isSocketType(name: string): name is SocketType {
  return (types as readonly string[]).includes(name);
}

export function mayTalk(own: OwnType, peer: SocketType): boolean {
  return (peers[own] as readonly string[]).includes(peer);
}
