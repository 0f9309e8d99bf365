/**
 * Load that knows what became of it. Several connections claim numbers, send messages made of them, one request at a time each,
 * and remember whether each was accepted, refused, or left open by a connection that broke.
 */
import { Connection, postRequest } from "../e2e/connection.ts";
import { pause } from "../e2e/waiting.ts";

/** "unknown": no answer came, so it may be kept or not. */
export type Fate = "ok" | "fail" | "unknown";

/** What one connection has sent: the fate of each of its messages by number, and in which request it was. */
export interface Sent {
  readonly fates: Fate[];
  readonly requests: number[];
}

const poolBytes = 1 << 17;
const batchMax = 20;

export class Driver {
  readonly topics: readonly string[] = ["crash.a", "crash.b"];
  readonly seed: number;
  /** By connection. Each goes on where it was when it is opened again. */
  readonly sent: readonly Sent[];
  readonly #pool: string;
  readonly #chance: readonly (() => number)[];
  #requests = 0;

  constructor(seed: number, connections: number) {
    this.seed = seed;
    this.sent = Array.from({ length: connections }, () => ({ fates: [], requests: [] }));
    this.#pool = letters(seed, poolBytes);
    this.#chance = this.sent.map((_, i) => chance(seed, i + 1));
  }

  /** Down all connections, until `signal` aborts or the node is gone. */
  async offer(address: string, signal: AbortSignal): Promise<void> {
    await Promise.all(this.sent.map((_, connection) => this.#offerDown(connection, address, signal)));
  }

  topicOf(connection: number): string {
    return this.topics[connection % this.topics.length]!;
  }

  /** The payload of a message, always the same: 10 bytes to 50 KB, mostly small. */
  payload(connection: number, number: number): string {
    const random = chance(this.seed, connection * 1_000_003 + number);
    const kind = random();
    const most = kind < 0.85 ? 300 : kind < 0.98 ? 5000 : 50_000;
    const start = Math.floor(random() * (poolBytes - most));
    const name = `${connection}-${number}`;
    return `{"n":"${name}","fill":"${this.#pool.slice(start, start + Math.floor(random() * most))}"}`;
  }

  count(fate: Fate): number {
    return this.sent.reduce((sum, { fates }) => sum + fates.filter((one) => one === fate).length, 0);
  }

  async #offerDown(connection: number, address: string, signal: AbortSignal): Promise<void> {
    let line: Connection;
    try {
      line = await Connection.open(address);
    } catch {
      return; // Nobody there: nothing was claimed.
    }
    try {
      while (!signal.aborted && await this.#ask(connection, line)) await pause(this.#chance[connection]!() * 4);
    } finally {
      line.close();
    }
  }

  /** One request; false when the connection is of no more use. */
  async #ask(connection: number, line: Connection): Promise<boolean> {
    const random = this.#chance[connection]!;
    const count = random() < 0.5 ? 1 : 1 + Math.floor(random() * batchMax);
    const { fates, requests } = this.sent[connection]!;
    const first = fates.length;
    const request = this.#requests++;
    for (let i = 0; i < count; i++) {
      fates.push("unknown");
      requests.push(request);
    }
    try {
      const { status, body } = await line.ask(this.#request(connection, first, count));
      const fate = status === 204 ? "ok" : body.includes('"outcome":"unknown"') ? "unknown" : "fail";
      fates.fill(fate, first, first + count);
      if (fate !== "ok" && status !== 503) throw new Error(`The node answered ${status}: ${body}`);
      return true;
    } catch (problem) {
      if (problem instanceof Error && problem.message.startsWith("The node answered")) throw problem;
      return false;
    }
  }

  #request(connection: number, first: number, count: number): string | Uint8Array {
    const topic = this.topicOf(connection);
    const payloads = Array.from({ length: count }, (_, i) => this.payload(connection, first + i));
    if (count === 1 && payloads[0]!.length < 2000) return asQuery(topic, payloads[0]!);
    const lines = payloads.map((payload) => `{"topic":"${topic}","data":${payload}}\n`).join("");
    return postRequest("/log", "application/x-ndjson", new TextEncoder().encode(lines));
  }
}

/** Parameters that come out as the payload: its members, in their order. */
function asQuery(topic: string, payload: string): string {
  const { n, fill } = JSON.parse(payload) as { n: string; fill: string };
  return `GET /log?topic=${topic}&n=${n}&fill=${fill} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
}

/** Numbers from 0 to 1 that follow from two seeds (mulberry32). */
export function chance(seed: number, stream: number): () => number {
  let state = (Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) + Math.imul(stream, 0xc2b2ae35)) | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

function letters(seed: number, count: number): string {
  const random = chance(seed, 0);
  return Array.from({ length: count }, () => alphabet[Math.floor(random() * alphabet.length)]).join("");
}
