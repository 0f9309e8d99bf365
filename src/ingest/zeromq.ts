/**
 * Messages over ZeroMQ: PULL takes and says nothing, ROUTER answers each message once it is synced, SUB listens to a publisher.
 * What one read of a connection brought goes into the log as one entry, so all share the commits of HTTP. While the log is full
 * nothing more is read of senders that wait; a publisher does not wait, so what it sends then is dropped and counted.
 */
import { formatEndpoint, parseEndpoint } from "../config/endpoint.ts";
import type { Sections, ZeromqEndpoint } from "../config/keys.ts";
import { LogFull, type Position } from "../log/mod.ts";
import { refusalOf } from "../message/message.ts";
import { decodeEntry, type EntryWriter, tagOf } from "../message/wire.ts";
import type { NodeCell, Table } from "../observe/table.ts";
import type { World } from "../os/world.ts";
import { commandOf } from "../zmtp/command.ts";
import type { Connection, Owner } from "../zmtp/connection.ts";
import { messageOf } from "../zmtp/frame.ts";
import type { RefusalCode } from "../zmtp/refusal.ts";
import type { Parts, Peer } from "../zmtp/session.ts";
import { openSocket, type Socket } from "../zmtp/socket.ts";
import { type Intake, problemOf } from "./intake.ts";
import { plainAddress } from "./ip.ts";
import { parseJson } from "./json.ts";
import { badMessage, type Problem, problemAnswer, type ProblemCode, quoted } from "./problem.ts";
import { Replies } from "./zeromq_replies.ts";
import { type Rules, tooLong } from "./rules.ts";
import type { Kept } from "./repeats.ts";
import type { Topics } from "./topics.ts";

/** What all ways in have in common: limits and topics of messages, and where they are written. A reload brings others. */
export interface Ways {
  readonly http: Sections["http"];
  readonly topics: Topics;
  readonly entry: EntryWriter;
}
export interface ZeromqParts {
  readonly endpoints: readonly ZeromqEndpoint[];
  readonly world: Pick<World, "clock" | "random">;
  readonly intake: Intake;
  ways(): Ways;
  readonly table: Table;
  /** Something an operator must know. */
  report(text: string): void;
}
export interface ZeromqServer {
  /** Where it listens, with the ports in use. */
  readonly addresses: readonly string[];
  /** Reads no more; resolves once what was read is safe and answered. */
  shutdown(): Promise<void>;
  /** Ends what is still open. */
  abort(): void;
}

/** Rejects, with the system's `code`, when an address cannot be listened on. */
export async function serveZeromq(parts: ZeromqParts): Promise<ZeromqServer> {
  const doors: Door[] = [];
  try {
    for (const endpoint of parts.endpoints) {
      const door = new Door(endpoint, parts);
      doors.push(door);
      await door.open();
    }
  } catch (problem) {
    for (const door of doors) door.abort();
    throw problem;
  }
  return {
    addresses: doors.flatMap((door) => door.addresses),
    shutdown: async () => void await Promise.all(doors.map((door) => door.shutdown())),
    abort: () => doors.forEach((door) => door.abort()),
  };
}

const types = { pull: "PULL", router: "ROUTER", sub: "SUB" } as const;
/** Why connections were closed, in the table. */
const closedCells: Readonly<Record<RefusalCode, NodeCell>> = {
  "protocol": "zeromqProtocol",
  "too-large": "zeromqTooLarge",
  "too-slow": "zeromqTooSlow",
  "too-many": "zeromqTooMany",
};
/** The same of messages; what is not here counts as bad. */
const refusedCells: Partial<Record<ProblemCode, NodeCell>> = {
  "too-large": "zeromqLong",
  "too-many-topics": "zeromqTopics",
};
const reportEveryMs = 10_000;
const fullPauseMs = 250;

/** One `[[zeromq]]`. */
class Door {
  readonly settings: ZeromqEndpoint;
  readonly parts: ZeromqParts;
  readonly closing = new AbortController();
  readonly #senders = new Set<Sender>();
  #socket: Socket | undefined;
  #reportedAt = -Infinity;

  constructor(settings: ZeromqEndpoint, parts: ZeromqParts) {
    this.settings = settings;
    this.parts = parts;
  }

  get addresses(): string[] {
    return this.#socket?.endpoints.map(formatEndpoint) ?? [];
  }

  async open(): Promise<void> {
    const { settings, parts } = this;
    const { clock, random } = parts.world;
    this.#socket = await openSocket({
      type: types[settings.socket],
      listen: settings.listen.map((text) => parseEndpoint(text)!),
      connect: settings.connect.map((text) => parseEndpoint(text)!),
      connectionsMax: settings.connections_max,
      ...{ clock, random, heartbeatMs: settings.heartbeat },
      own: (connection) => this.#own(connection),
      report: (text) => parts.report(`ZeroMQ ${settings.socket}: ${text}`),
      refused: ({ code }) => parts.table.add(closedCells[code], 1),
    });
  }

  async shutdown(): Promise<void> {
    this.closing.abort();
    await Promise.all([...this.#senders].map((sender) => sender.finish()));
    this.abort();
  }

  abort(): void {
    this.closing.abort();
    this.#socket?.close();
  }

  /** A message that is not taken, which its sender may never hear. */
  refuse(problem: Problem, peer: string): void {
    const { table, world, report } = this.parts;
    table.add(refusedCells[problem.code] ?? "zeromqBad", 1);
    if (world.clock.elapsed() - this.#reportedAt < reportEveryMs) return;
    this.#reportedAt = world.clock.elapsed();
    const from = peer === "" ? "" : ` from ${peer}`;
    report(`ZeroMQ ${this.settings.socket}: a message${from} was refused: ${problem.detail}`);
  }

  #own(connection: Connection): Owner {
    const sender = new Sender(connection, this);
    this.#senders.add(sender);
    this.parts.table.add("zeromqConnections", 1);
    return {
      ready: (peer) => this.#subscribe(connection, peer),
      message: (message) => sender.message(message),
      taken: () => sender.taken(),
      closed: () => {
        this.#senders.delete(sender);
        this.parts.table.add("zeromqConnections", -1);
      },
    };
  }

  /** RFC 37 made commands of what were messages in RFC 23. */
  #subscribe(connection: Connection, { minor }: Peer): void {
    if (this.settings.socket !== "sub") return;
    for (const text of this.settings.subscribe) {
      const prefix = encoder.encode(text);
      connection.send(minor >= 1 ? commandOf("SUBSCRIBE", prefix) : messageOf([Uint8Array.of(1, ...prefix)]));
    }
  }
}

/** One message of a ROUTER, to be answered: where its envelope stands, and what it came to. */
interface Asked {
  readonly bytes: Uint8Array;
  readonly from: number;
  readonly to: number;
  /** Of the entry: its first message, and how many it has. */
  readonly index: number;
  readonly count: number;
  readonly problem: Problem | undefined;
}

/** Whoever is at the other end of one connection. */
class Sender {
  readonly #connection: Connection;
  readonly #door: Door;
  /** Those of this moment, from one `#begin` to the next. */
  #ways: Ways;
  #rules: { -readonly [K in keyof Rules]: Rules[K] };
  /** The entry belongs to us until `taken`. */
  #begun = false;
  #asked: Asked[] = [];
  #storing: Promise<void> = Promise.resolve();

  constructor(connection: Connection, door: Door) {
    this.#connection = connection;
    this.#door = door;
    this.#ways = door.parts.ways();
    this.#rules = rulesOf(this.#ways, door.settings);
  }

  message(parts: Parts): void {
    // Who is not read any more is not answered either: nothing of it is kept.
    if (this.#door.closing.signal.aborted) return;
    if (!this.#begun) this.#begin();
    const { entry, topics } = this.#ways;
    entry.hold();
    topics.begin();
    const index = entry.count;
    const problem = this.#put(parts);
    if (problem === undefined) topics.keep();
    else {
      entry.rewind();
      this.#door.refuse(problem, this.#connection.peer);
    }
    if (this.#door.settings.socket !== "router") return;
    const { bytes, begin, lastHead } = parts;
    this.#asked.push({ bytes, from: begin, to: lastHead, index, count: entry.count - index, problem });
  }

  /** What was read is whole: into the log with it. */
  taken(): Promise<void> | undefined {
    if (!this.#begun) return undefined;
    this.#begun = false;
    const { entry } = this.#ways;
    if (entry.count === 0) {
      this.#answer(undefined, noBytes);
      return undefined;
    }
    // A copy: the writer's bytes are somebody else's as soon as we wait.
    return this.#storing = this.#store(entry.bytes().slice(), entry.count);
  }

  /** Resolves once what was read is safe and answered. */
  async finish(): Promise<void> {
    await this.#storing;
    const { clock } = this.#door.parts.world;
    while (this.#connection.queued > 0 && !this.#connection.closed) await clock.sleep(5);
    this.#connection.close();
  }

  #begin(): void {
    const { world, ways } = this.#door.parts;
    const { topic, env } = this.#door.settings;
    const now = ways();
    if (now !== this.#ways) this.#rules = rulesOf(now, this.#door.settings);
    this.#ways = now;
    const { entry } = now;
    this.#begun = true;
    this.#asked = [];
    entry.begin({ timestamp: world.clock.now() });
    if (topic !== "") entry.text(topicTag, topic);
    if (env !== "") entry.text(envTag, env);
    const { peer } = this.#connection;
    if (peer === "") return;
    const address = plainAddress(peer);
    entry.text(peerIpTag, address);
    entry.text(ipTag, address);
  }

  #put(parts: Parts): Problem | undefined {
    const { socket, format, topic_frame } = this.#door.settings;
    const { entry, http } = this.#ways;
    const last = parts.count - 1;
    const expected = topic_frame ? 2 : 1;
    if (socket !== "router" && parts.count !== expected) {
      return badMessage(undefined, `The message has ${parts.count} frames; expected ${expected} (see topic_frame)`);
    }
    const [from, to] = [parts.from[last]!, parts.to[last]!];
    if (format === "raw") return this.#putRaw(parts, topic_frame ? topicOf(parts, last - 1) : undefined);
    this.#rules.messagesMax = http.messages_max + entry.count;
    const before = entry.count;
    const problem = parseJson(parts.bytes.subarray(from, to), "any", this.#rules, entry);
    return problem ?? (entry.count === before ? badMessage(undefined, "The frame holds no message") : undefined);
  }

  #putRaw({ bytes, from, to, count }: Parts, own: string | undefined): Problem | undefined {
    const { entry } = this.#ways;
    const { messageMax, topic, admit } = this.#rules;
    const [start, end] = [from[count - 1]!, to[count - 1]!];
    if (end - start > messageMax) return tooLong(messageMax);
    if (own !== undefined) {
      const refusal = refusalOf({ topic: own });
      if (refusal !== undefined) return badMessage("topic", `Topic ${quoted(own)} ${refusal.reason}`);
    }
    const problem = admit(own ?? topic);
    if (problem !== undefined) return problem;
    entry.open();
    if (own !== undefined) entry.text(topicTag, own);
    entry.data(bytes, start, end, false);
    entry.shut();
    return undefined;
  }

  async #store(bytes: Uint8Array, count: number): Promise<void> {
    const { intake, table, world } = this.#door.parts;
    const { signal } = this.#door.closing;
    for (;;) {
      try {
        const kept = intake.keep(bytes, count, this.#asked.length);
        await kept.durable;
        table.add("zeromqAccepted", count);
        return this.#answer(kept, bytes);
      } catch (problem) {
        const waits = problem instanceof LogFull && this.#door.settings.socket !== "sub";
        if (!waits || signal.aborted || this.#connection.closed) return this.#fail(problem, count);
        await world.clock.sleep(fullPauseMs, signal);
      }
    }
  }

  #answer(kept: Kept | undefined, entry: Uint8Array): void {
    if (this.#asked.length === 0) return;
    const ids = kept === undefined ? [] : decodeEntry(entry).map(({ id }) => id);
    const replies = new Replies();
    for (const { problem, index, count, ...envelope } of this.#asked) {
      if (problem !== undefined) replies.add(envelope, "error", problemAnswer(problem).body as string);
      else replies.add(envelope, "ok", this.#receipt(kept!, ids.slice(index, index + count), index));
    }
    this.#asked = [];
    this.#connection.send(replies.bytes());
  }

  #receipt({ first, epoch }: Kept, ids: readonly (string | undefined)[], index: number): string {
    return this.#door.parts.intake.receiptOf({ first: first + index as Position, epoch, count: ids.length }, ids);
  }

  /** They are not in the log. Who waits for an answer is told; who does not is told by the end of the connection, or not at all. */
  #fail(problem: unknown, count: number): void {
    const { table, report } = this.#door.parts;
    const refusal = problemOf(problem);
    table.add("zeromqDropped", count);
    if (this.#asked.length > 0) {
      const replies = new Replies();
      for (const asked of this.#asked) {
        replies.add(asked, "error", problemAnswer(asked.problem ?? refusal).body as string);
      }
      this.#asked = [];
      this.#connection.send(replies.bytes());
    } else if (!(problem instanceof LogFull)) {
      report(`ZeroMQ ${this.#door.settings.socket}: ${count} messages were not kept: ${refusal.detail}`);
      this.#connection.close();
    }
  }
}

const noBytes = new Uint8Array(0);
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const topicTag = tagOf("topic");
const envTag = tagOf("env");
const ipTag = tagOf("ip");
const peerIpTag = tagOf("peerIp");

function rulesOf({ http, topics }: Ways, { topic }: ZeromqEndpoint): Rules {
  return {
    messageMax: http.message_max,
    messagesMax: http.messages_max,
    depthMax: http.depth_max,
    topic: topic === "" ? undefined : topic,
    admit: (topic) => topics.admit(topic),
  };
}

/** What the frame before the message names; too long for a topic, it is cut to something that is refused. */
function topicOf({ bytes, from, to }: Parts, frame: number): string {
  return frame < 0 ? "" : decoder.decode(bytes.subarray(from[frame]!, Math.min(to[frame]!, from[frame]! + 1000)));
}
