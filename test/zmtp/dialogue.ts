/** Bytes as peers send them, and a session with all that it says. */
import { commandOf } from "../../src/zmtp/command.ts";
import { more } from "../../src/zmtp/frame.ts";
import { greeting } from "../../src/zmtp/greeting.ts";
import type { Refusal } from "../../src/zmtp/refusal.ts";
import { type FrameLimits, frameLimits, Session } from "../../src/zmtp/session.ts";
import type { OwnType } from "../../src/zmtp/socket_type.ts";

const encoder = new TextEncoder();

export function bytesOf(text: string): Uint8Array {
  return encoder.encode(text);
}

export function joined(...pieces: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

/** As libzmq writes it: the name with its length, the value with its own. */
export function property(name: string, value: string): Uint8Array {
  return joined(Uint8Array.of(name.length), bytesOf(name), Uint8Array.of(0, 0, 0, value.length), bytesOf(value));
}

export function ready(type: string): Uint8Array {
  return commandOf("READY", joined(property("Socket-Type", type), property("Identity", "")));
}

/** Greeting and READY of a peer. */
export function hello(type: string, minor = 1): Uint8Array {
  const bytes = greeting();
  bytes[11] = minor;
  return joined(bytes, ready(type));
}

/** How nobody begins who knows ZMTP; each is to be answered by the end of the connection. */
export function brokenHandshakes(): Uint8Array[] {
  const wrong = greeting();
  wrong.set(bytesOf("CURVE"), 12);
  return [
    bytesOf("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    crypto.getRandomValues(new Uint8Array(1000)).fill(0, 0, 1),
    wrong,
    joined(greeting(), commandOf("READY", new Uint8Array(0))),
    hello("PAIR"),
  ];
}

/** The same of one who has shaken hands: unknown flags, frames larger than anything, parts without end. */
export function hostileFrames(): Uint8Array[] {
  return [
    Uint8Array.of(0x78, 0, 0),
    Uint8Array.of(2, 0, 0, 0, 0, 0x80, 0, 0, 0),
    Uint8Array.of(3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
    joined(...Array.from({ length: 1000 }, () => Uint8Array.of(more, 1, 0x78))),
  ];
}

/** A session and what it told. */
export class Dialogue {
  readonly sent: Uint8Array[] = [];
  readonly messages: Uint8Array[][] = [];
  readonly subscriptions: string[] = [];
  refusal: Refusal | undefined;
  readonly session: Session;
  #left = new Uint8Array(0);

  constructor(type: OwnType, limits: FrameLimits = frameLimits) {
    this.session = new Session(type, limits, {
      send: (bytes) => void this.sent.push(bytes),
      ready: () => {},
      message: ({ bytes, count, from, to }) => {
        this.messages.push(Array.from({ length: count }, (_, i) => bytes.slice(from[i], to[i])));
      },
      subscribe: (prefix, wanted) => {
        this.subscriptions.push(`${wanted ? "+" : "-"}${new TextDecoder().decode(prefix)}`);
        return undefined;
      },
    });
    this.session.begin();
  }

  /** Whatever was not used comes again, with more behind it. */
  hear(...pieces: readonly Uint8Array[]): this {
    for (const piece of pieces) {
      if (this.refusal !== undefined) return this;
      const bytes = joined(this.#left, piece);
      const at = this.session.take(bytes, 0, bytes.length);
      if (typeof at === "number") this.#left = bytes.slice(at);
      else this.refusal = at;
    }
    return this;
  }

  /** Bytes that wait for the rest of a message. */
  get waiting(): number {
    return this.#left.length;
  }
}
