/**
 * What is said on one connection, without the connection: bytes in, events out, or a refusal. RFC 23 (ZMTP 3.0) and RFC 37 (3.1):
 * greeting, the handshake of the NULL mechanism, then messages and commands in turn.
 */
import { errorCommand, pongFor, readCommand, readReady, readyCommand } from "./command.ts";
import { command, long, longLength, more } from "./frame.ts";
import { greeting, greetingBytes, readGreeting } from "./greeting.ts";
import { type Refusal, refuse } from "./refusal.ts";
import { mayTalk, type OwnType, type SocketType } from "./socket_type.ts";

export interface FrameLimits {
  /** Of a frame, and of all frames of a message together. */
  readonly frameBytes: number;
  readonly parts: number;
}

export const frameLimits: FrameLimits = { frameBytes: 1024 * 1024, parts: 64 };

export interface Peer {
  readonly type: SocketType;
  /** Of its version 3. */
  readonly minor: number;
}

/** A whole message, where it stands among the bytes that came. There is one of these a session: it is good until the call returns. */
export class Parts {
  bytes: Uint8Array = new Uint8Array(0);
  /** Where the head of the first frame, and that of the last one, begins. */
  begin = 0;
  lastHead = 0;
  count = 0;
  readonly from: number[] = [];
  readonly to: number[] = [];
}

export interface SessionEvents {
  /** To be written to the peer. */
  send(bytes: Uint8Array): void;
  /** Both have shaken hands. */
  ready(peer: Peer): void;
  message(parts: Parts): void;
  /** Of a subscriber: it wants messages that begin so, or wants them no more. */
  subscribe(prefix: Uint8Array, wanted: boolean): Refusal | undefined;
}

const commandBytesMax = 64 * 1024;

export class Session {
  readonly #type: OwnType;
  readonly #limits: FrameLimits;
  readonly #events: SessionEvents;
  readonly #parts = new Parts();
  #minor: number | undefined;
  #peer: Peer | undefined;

  constructor(type: OwnType, limits: FrameLimits, events: SessionEvents) {
    this.#type = type;
    this.#limits = limits;
    this.#events = events;
  }

  get peer(): Peer | undefined {
    return this.#peer;
  }

  /** Says the first word. */
  begin(): void {
    this.#events.send(greeting());
  }

  /** Uses what came; where it stopped, because a message is not whole yet. What was used is not asked for again. */
  take(bytes: Uint8Array, from: number, to: number): number | Refusal {
    if (this.#minor !== undefined) return this.#frames(bytes, from, to);
    const found = readGreeting(bytes, from, to);
    if (found === undefined) return from;
    if ("code" in found) return found;
    this.#minor = found.minor;
    this.#events.send(readyCommand(this.#type));
    return this.#frames(bytes, from + greetingBytes, to);
  }

  #frames(bytes: Uint8Array, from: number, to: number): number | Refusal {
    const parts = this.#parts;
    const { frameBytes } = this.#limits;
    parts.bytes = bytes;
    parts.count = 0;
    let begin = from;
    let size = 0;
    for (let at = from; to - at >= 2;) {
      const flags = bytes[at]!;
      const problem = this.#fault(flags);
      if (problem !== undefined) return problem;
      let length = bytes[at + 1]!;
      let start = at + 2;
      if ((flags & long) !== 0) {
        start = at + 9;
        if (start > to) break;
        length = longLength(bytes, at + 1);
      }
      const most = (flags & command) !== 0 ? commandBytesMax : frameBytes - size;
      if (length > most) return refuse("too-large", "its message is too long");
      const end = start + length;
      if (end > to) break;
      if ((flags & command) !== 0) {
        const refused = this.#command(bytes.subarray(start, end));
        if (refused !== undefined) return refused;
        begin = end;
      } else {
        if (parts.count === 0) parts.begin = at;
        parts.from[parts.count] = start;
        parts.to[parts.count++] = end;
        size += length;
        if ((flags & more) === 0) {
          parts.lastHead = at;
          const refused = this.#message(parts);
          if (refused !== undefined) return refused;
          parts.count = 0;
          size = 0;
          begin = end;
        } else if (parts.count >= this.#limits.parts) return refuse("too-large", "its message has too many parts");
      }
      at = end;
    }
    return begin;
  }

  /** What is wrong with a frame by its flags. */
  #fault(flags: number): Refusal | undefined {
    const isCommand = (flags & command) !== 0;
    if ((flags & ~(more | long | command)) !== 0) return refuse("protocol", "its frame has flags that nobody knows");
    if (isCommand && (flags & more) !== 0) return refuse("protocol", "its command says that more follows");
    if (isCommand && this.#parts.count > 0) return refuse("protocol", "its command stands inside a message");
    if (!isCommand && this.#peer === undefined) return refuse("protocol", "it sends messages before its READY");
    return undefined;
  }

  #message(parts: Parts): Refusal | undefined {
    if (this.#type !== "PUB") {
      this.#events.message(parts);
      return undefined;
    }
    // RFC 23: subscriptions of 3.0 are messages that begin with 1 or 0. Anything else is for nobody here.
    const [from, to] = [parts.from[0]!, parts.to[0]!];
    const first = parts.bytes[from];
    if (parts.count !== 1 || to === from || first! > 1) return undefined;
    return this.#events.subscribe(parts.bytes.subarray(from + 1, to), first === 1);
  }

  #command(body: Uint8Array): Refusal | undefined {
    const found = readCommand(body);
    if (found === undefined) return refuse("protocol", "its command has no name");
    const { name, data } = found;
    if (this.#peer === undefined) return this.#handshake(name, data);
    switch (name) {
      case "PING":
        this.#events.send(pongFor(data));
        return undefined;
      case "SUBSCRIBE":
      case "CANCEL":
        return this.#type === "PUB" ? this.#events.subscribe(data, name === "SUBSCRIBE") : undefined;
      case "READY":
        return refuse("protocol", "it says READY twice");
      case "ERROR":
        return refuse("protocol", "it gave up with an ERROR");
      default:
        // PONG, and whatever later versions bring.
        return undefined;
    }
  }

  #handshake(name: string, data: Uint8Array): Refusal | undefined {
    if (name === "ERROR") return refuse("protocol", "it refused us with an ERROR");
    if (name !== "READY") return refuse("protocol", "it begins with another command than READY");
    const type = readReady(data);
    if (typeof type !== "string") return type;
    if (!mayTalk(this.#type, type)) {
      this.#events.send(errorCommand(`a ${this.#type} does not talk to a ${type}`));
      return refuse("protocol", `it is a ${type}, to which a ${this.#type} does not talk`);
    }
    this.#peer = { type, minor: this.#minor! };
    this.#events.ready(this.#peer);
    return undefined;
  }
}
